// SPDX-License-Identifier: Apache-2.0
#include "storage/level_block.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <numeric>
#include <utility>

#include "base/try.h"
#include "storage/codec/times.h"

namespace varve::storage {
namespace {

std::span<const std::uint8_t> as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

bool deleted(std::span<const TimeRange> ranges, Timestamp end_ms) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const TimeRange& range) { return range.contains(end_ms); });
}

// What a chunk has, less what is deleted or ends elsewhere.
Status decode(const block::ChunkView& chunk, const block::Column& column, TimeRange ends,
              std::span<const TimeRange> gone, FoldedSeries& out) {
  const auto unwanted = [&](const auto& bucket) {
    return !ends.contains(bucket.end_ms) || deleted(gone, bucket.end_ms);
  };
  if (chunk.kind == block::ChunkKind::kHistograms) {
    const auto before = static_cast<std::ptrdiff_t>(out.histograms.size());
    VARVE_TRY(codec::decode_histogram_buckets(as_bytes(chunk.bytes), out.histograms));
    out.histograms.erase(
        std::remove_if(out.histograms.begin() + before, out.histograms.end(), unwanted),
        out.histograms.end());
    return {};
  }
  std::array<Timestamp, codec::kTimesMax> times;
  if (column.count == 0 || column.count > times.size()) {
    return Error(ErrorCode::kCorruption, "a column is longer than a chunk");
  }
  VARVE_TRY(codec::decode_times(as_bytes(column.times), column.count, times.data()));
  const auto before = static_cast<std::ptrdiff_t>(out.floats.size());
  VARVE_TRY(codec::decode_buckets(as_bytes(chunk.bytes), {times.data(), column.count}, out.floats));
  out.floats.erase(std::remove_if(out.floats.begin() + before, out.floats.end(), unwanted),
                   out.floats.end());
  return {};
}

}  // namespace

Status read_level(const block::Block& block, const block::Tombstones& tombstones,
                  std::uint32_t ordinal, TimeRange ends, FoldedSeries& out) {
  std::vector<block::ChunkView> views;
  VARVE_TRY(block.chunks(ordinal, ends, views));
  const std::span<const TimeRange> gone = tombstones.of(ordinal);
  for (const block::ChunkView& view : views) {
    VARVE_TRY_ASSIGN(const block::Column column, block.column(view.column));
    VARVE_TRY(decode(view, column, ends, gone, out));
  }
  return {};
}

Result<std::unique_ptr<LevelWriter>> LevelWriter::create(fs::FileSystem& files,
                                                         std::string directory) {
  VARVE_TRY_ASSIGN(std::unique_ptr<block::Writer> writer,
                   block::Writer::create(files, std::move(directory)));
  return std::unique_ptr<LevelWriter>(new LevelWriter(std::move(writer)));
}

Status LevelWriter::add(const block::Block& block, const block::Tombstones& tombstones,
                        std::uint32_t ordinal, TimeRange ends) {
  std::vector<block::ChunkView> views;
  VARVE_TRY(block.chunks(ordinal, ends, views));
  const std::span<const TimeRange> gone = tombstones.of(ordinal);
  for (const block::ChunkView& view : views) {
    VARVE_TRY_ASSIGN(const block::Column column, block.column(view.column));
    const bool whole = ends.contains(column.range.min_ms) && ends.contains(column.range.max_ms) &&
                       std::none_of(gone.begin(), gone.end(), [&](const TimeRange& range) {
                         return range.overlaps(column.range);
                       });
    const bool large = view.kind == block::ChunkKind::kFloats && column.count >= kSmallChunk;
    if (!whole || !large || (!pending_.floats.empty() && pending_.floats.size() < kSmallChunk)) {
      VARVE_TRY(decode(view, column, ends, gone, pending_));
      continue;
    }
    flush_floats(true);
    block::ChunkToWrite chunk;
    chunk.kind = view.kind;
    chunk.bytes = view.bytes;
    chunk.column = writer_->add_times(column.times, column.range, column.count);
    chunks_.push_back(chunk);
    ranges_.push_back(column.range);
  }
  return {};
}

void LevelWriter::add(FoldedSeries buckets) {
  std::move(buckets.floats.begin(), buckets.floats.end(), std::back_inserter(pending_.floats));
  std::move(buckets.histograms.begin(), buckets.histograms.end(),
            std::back_inserter(pending_.histograms));
}

void LevelWriter::write_floats(std::span<const codec::Bucket> buckets) {
  std::array<Timestamp, codec::kTimesMax> ends;
  for (std::size_t i = 0; i < buckets.size(); ++i) ends[i] = buckets[i].end_ms;
  std::uint8_t times[codec::kTimesBytesMax];
  const std::size_t size = codec::encode_times({ends.data(), buckets.size()}, times);
  const TimeRange range{buckets.front().end_ms, buckets.back().end_ms};
  block::ChunkToWrite chunk;
  chunk.bytes = keep(codec::encode_buckets(buckets));
  chunk.column = writer_->add_times({reinterpret_cast<const char*>(times), size}, range,
                                    static_cast<std::uint32_t>(buckets.size()));
  chunks_.push_back(chunk);
  ranges_.push_back(range);
}

// In even parts, so that no rest becomes a small chunk; aligned ones would be no better, as series
// begin at any time.
void LevelWriter::flush_floats(bool all) {
  if (!all && pending_.floats.size() < codec::kBucketsMax) return;
  const std::span<const codec::Bucket> buckets(pending_.floats);
  const std::size_t parts = (buckets.size() + codec::kBucketsMax - 1) / codec::kBucketsMax;
  for (std::size_t part = 0; part < parts; ++part) {
    const std::size_t begin = buckets.size() * part / parts;
    const std::size_t end = buckets.size() * (part + 1) / parts;
    write_floats(buckets.subspan(begin, end - begin));
  }
  pending_.floats.clear();
}

void LevelWriter::flush_histograms() {
  std::span<const codec::HistogramBucketRow> rows(pending_.histograms);
  while (!rows.empty()) {
    std::string bytes;
    const std::size_t count = codec::encode_histogram_buckets(rows, bytes);
    const TimeRange range{rows.front().end_ms, rows[count - 1].end_ms};
    block::ChunkToWrite chunk;
    chunk.kind = block::ChunkKind::kHistograms;
    chunk.bytes = keep(std::move(bytes));
    chunk.column = writer_->add_bounds(range, static_cast<std::uint32_t>(count));
    chunks_.push_back(chunk);
    ranges_.push_back(range);
    rows = rows.subspan(count);
  }
  pending_.histograms.clear();
}

Status LevelWriter::finish_series(const Labels& labels, const index::SeriesHash& hash) {
  flush_floats(true);
  flush_histograms();
  Status status;
  if (!chunks_.empty()) {
    // Floats and histograms of one series were written one kind after the other.
    std::vector<std::size_t> order(chunks_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
      return ranges_[a].min_ms < ranges_[b].min_ms;
    });
    std::vector<block::ChunkToWrite> sorted;
    for (const std::size_t at : order) sorted.push_back(chunks_[at]);
    status = writer_->add_series(labels, hash, sorted);
    any_ = true;
  }
  chunks_.clear();
  ranges_.clear();
  kept_.clear();
  return status;
}

}  // namespace varve::storage
