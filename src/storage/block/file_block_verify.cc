// SPDX-License-Identifier: Apache-2.0
// Reading everything there is, to find what no longer is as it was written.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "base/try.h"
#include "storage/block/bytes.h"
#include "storage/block/file_block.h"
#include "storage/block/format.h"
#include "storage/block/ordinals.h"
#include "storage/codec/bucket_chunk.h"
#include "storage/codec/dense.h"
#include "storage/codec/histogram.h"
#include "storage/codec/times.h"

namespace varve::storage::block {
namespace {

// Series whose labels are held at once.
constexpr std::uint32_t kBatch = 1024;

Status check_name(const Name& name, std::uint32_t series) {
  std::string last;
  Status in_order;
  VARVE_TRY(
      name.values.visit(1, name.values.size() + 1, [&](std::uint32_t id, std::string_view value) {
        if (value > last) {
          last = value;
          return true;
        }
        in_order = name.postings.corrupt(
            0, fmt::format("values of label {} do not ascend at the {}th", name.name, id));
        return false;
      }));
  VARVE_TRY(std::move(in_order));
  // The postings say the same as the column.
  std::vector<std::uint32_t> from_postings(series, 0);
  std::vector<std::uint32_t> list;
  for (std::uint32_t id = 1; id <= name.values.size(); ++id) {
    VARVE_TRY_ASSIGN(const PackedArray::Bounds bounds,
                     name.postings_starts.bounds(id - 1, name.postings.size));
    VARVE_TRY_ASSIGN(const Extent extent,
                     name.postings.part(bounds.begin, bounds.end - bounds.begin));
    list.clear();
    VARVE_TRY(read_ordinals(extent, series, list));
    for (const std::uint32_t ordinal : list) {
      if (from_postings[ordinal] != 0)
        return extent.corrupt(0, "postings: a series has two values");
      from_postings[ordinal] = id;
    }
  }
  bool same = true;
  VARVE_TRY(name.column.visit([&](std::uint32_t begin, std::uint32_t end, std::uint32_t id) {
    for (; begin < end; ++begin) same = same && from_postings[begin] == id;
  }));
  if (same) return {};
  return name.postings.corrupt(0,
                               "postings of label " + name.name + " are not those of its column");
}

// A chunk of a level.
Status check_buckets(const ChunkView& chunk, const Column& column) {
  const auto bytes = unsigned_bytes(chunk.bytes);
  if (chunk.kind == ChunkKind::kFloats) {
    std::array<Timestamp, codec::kTimesMax> ends;
    VARVE_TRY(codec::decode_times(unsigned_bytes(column.times), column.count, ends.data()));
    std::vector<codec::Bucket> buckets;
    return codec::decode_buckets(bytes, {ends.data(), column.count}, buckets);
  }
  std::vector<codec::HistogramBucketRow> rows;
  VARVE_TRY(codec::decode_histogram_buckets(bytes, rows));
  if (rows.size() != column.count || rows.front().end_ms != column.range.min_ms ||
      rows.back().end_ms != column.range.max_ms) {
    return Error(ErrorCode::kCorruption, "other buckets than the column says");
  }
  return {};
}

Status check_chunk(const ChunkView& chunk, const Column& column) {
  const auto bytes = unsigned_bytes(chunk.bytes);
  if (chunk.kind == ChunkKind::kFloats) {
    std::array<double, codec::kDenseSamplesMax> values;
    VARVE_TRY_ASSIGN(const std::size_t taken,
                     codec::decode_values(bytes, column.count, values.data()));
    if (taken != bytes.size()) return Error(ErrorCode::kCorruption, "bytes behind the values");
    return {};
  }
  std::vector<Timestamp> times;
  std::vector<HistogramPtr> histograms;
  VARVE_TRY(codec::decode_histograms(bytes, times, histograms));
  if (times.size() != column.count || times.front() != column.range.min_ms ||
      times.back() != column.range.max_ms) {
    return Error(ErrorCode::kCorruption, "other histograms than the column says");
  }
  return {};
}

}  // namespace

std::size_t FileBlock::verify(const std::function<void(const Error&)>& report) const {
  std::size_t findings = 0;
  const auto check = [&](const Status& status) {
    if (status.ok()) return true;
    ++findings;
    report(status.error());
    return false;
  };
  findings += index_->verify(report);
  findings += data_->verify(report);
  if (findings > 0) return findings;  // all that follows would say the same once more

  const auto names = this->names();
  if (!names.ok()) {
    check(names.error());
    return findings;
  }
  for (const Name& name : **names) check(check_name(name, count_));

  for (std::uint32_t id = 0; id < layout_.columns; ++id) {
    const auto column = this->column(id);
    if (!check(column.ok() ? Status() : Status(column.error())) || column->times.empty()) continue;
    std::array<Timestamp, codec::kTimesMax> times;
    const auto taken =
        codec::decode_times(unsigned_bytes(column->times), column->count, times.data());
    const std::size_t count = column->count;
    if (!taken.ok() || *taken != column->times.size() || times[0] != column->range.min_ms ||
        times[count - 1] != column->range.max_ms ||
        !std::is_sorted(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(count))) {
      check(index_->corrupt(layout_.at(Section::kColumns).at + id * kColumnRecordBytes,
                            "column: its times are not what it says"));
    }
  }

  Labels last;
  std::uint64_t chunks_seen = 0;
  std::uint64_t floats = 0;
  std::uint64_t histograms = 0;
  std::vector<ChunkView> chunks;
  Ordinals batch;
  for (std::uint32_t begin = 0; begin < count_; begin += kBatch) {
    batch.resize(std::min(kBatch, count_ - begin));
    std::iota(batch.begin(), batch.end(), begin);
    const auto labels = this->labels(OrdinalSpan(batch));
    if (check(labels.ok() ? Status() : Status(labels.error()))) {
      for (const Labels& own : *labels) {
        if (own <= last && begin + static_cast<std::uint32_t>(&own - labels->data()) > 0) {
          check(index_->corrupt(0, "series do not ascend at " + own.to_string()));
        }
        last = own;
      }
    }
    for (const std::uint32_t ordinal : batch) {
      chunks.clear();
      if (!check(this->chunks(ordinal, TimeRange::all(), chunks))) continue;
      // In a level, buckets of floats and of histograms share their ends.
      Timestamp float_end_ms = TimeRange::all().min_ms;
      Timestamp histogram_end_ms = TimeRange::all().min_ms;
      for (const ChunkView& chunk : chunks) {
        const bool apart = meta_.resolution_ms != 0 && chunk.kind == ChunkKind::kHistograms;
        Timestamp& end_ms = apart ? histogram_end_ms : float_end_ms;
        const auto column = this->column(chunk.column);
        if (!column.ok()) continue;  // reported above
        const auto at = static_cast<std::uint64_t>(chunk.bytes.data() - data_->begin());
        if (end_ms != TimeRange::all().min_ms && column->range.min_ms <= end_ms) {
          check(data_->corrupt(at, "chunks overlap"));
        }
        end_ms = column->range.max_ms;
        const Status good = meta_.resolution_ms == 0 ? check_chunk(chunk, *column)
                                                     : check_buckets(chunk, *column);
        if (!good.ok()) check(data_->corrupt(at, "chunk: " + good.error().message()));
        ++chunks_seen;
        (chunk.kind == ChunkKind::kFloats ? floats : histograms) += column->count;
      }
    }
  }
  if (findings == 0 &&
      (chunks_seen != meta_.chunks || floats != meta_.floats || histograms != meta_.histograms)) {
    check(
        index_->corrupt(layout_.at(Section::kMeta).at, "metadata: other counts than the block's"));
  }
  return findings;
}

}  // namespace varve::storage::block
