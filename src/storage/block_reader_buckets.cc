// SPDX-License-Identifier: Apache-2.0
// The buckets of a block of a level, column by column.
#include <algorithm>
#include <array>
#include <utility>

#include "base/try.h"
#include "storage/block_reader.h"
#include "storage/chunk_decode.h"
#include "storage/codec/bucket_chunk.h"

namespace varve::storage {
namespace {

using codec::BucketChunk;

std::span<const std::uint8_t> as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

bool is_deleted(std::span<const TimeRange> ranges, Timestamp end_ms) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const TimeRange& range) { return range.contains(end_ms); });
}

// Which of a chunk's buckets are wanted.
class Wanted {
 public:
  Wanted(std::size_t begin, std::size_t end) : begin_(begin), end_(end) {}
  // Leaves those out for which `without` holds. Whether there was one.
  template <typename Without>
  bool leave_out(const Without& without) {
    bool any = false;
    for (std::size_t i = begin_; i < end_; ++i) any = any || without(i);
    if (!any) return false;
    std::vector<std::size_t> left;
    for_each([&](std::size_t i) {
      if (!without(i)) left.push_back(i);
    });
    some_ = true;
    which_ = std::move(left);
    return true;
  }
  // Of a chunk's numbers, which stand in `column` from `base` on, leaves the wanted ones.
  template <typename Value>
  void keep(std::vector<Value>& column, std::size_t base) const {
    Value* const chunk = column.data() + base;
    std::size_t kept = 0;
    for_each([&](std::size_t i) {
      if (kept != i) chunk[kept] = std::move(chunk[i]);
      ++kept;
    });
    column.resize(base + kept);
  }
  template <typename Use>
  void for_each(const Use& use) const {
    if (!some_) {
      for (std::size_t i = begin_; i < end_; ++i) use(i);
    } else {
      for (const std::size_t i : which_) use(i);
    }
  }

 private:
  std::size_t begin_, end_;
  bool some_ = false;
  std::vector<std::size_t> which_;
};

// The columns of `out` that are asked for, each one longer by a chunk while it is read. They go
// back to what they were if that fails.
class ChunkColumns {
 public:
  ChunkColumns(SeriesBuckets& out, BucketColumns columns, std::size_t count)
      : out_(out), columns_(columns), base_(out.ends_ms.size()), count_(count) {}
  ~ChunkColumns() {
    if (done_) return;
    for_each([this](auto& column) { column.resize(base_); });
  }
  ChunkColumns(const ChunkColumns&) = delete;
  ChunkColumns& operator=(const ChunkColumns&) = delete;

  Status read(BucketChunk& chunk, std::span<const Timestamp> ends) {
    for_each([this](auto& column) { column.resize(base_ + count_); });
    std::copy(ends.begin(), ends.end(), at(out_.ends_ms));
    if (has(columns_, BucketColumns::kCount)) VARVE_TRY(chunk.counts(at(out_.counts)));
    if (has(columns_, BucketColumns::kSum)) VARVE_TRY(chunk.sums(at(out_.sums)));
    if (has(columns_, BucketColumns::kMin)) VARVE_TRY(chunk.mins(at(out_.mins)));
    if (has(columns_, BucketColumns::kMax)) VARVE_TRY(chunk.maxs(at(out_.maxs)));
    if (has(columns_, BucketColumns::kFirst)) {
      VARVE_TRY(chunk.firsts(at(out_.firsts)));
      VARVE_TRY(chunk.first_times(ends, at(out_.first_times)));
    }
    if (has(columns_, BucketColumns::kLast)) {
      VARVE_TRY(chunk.lasts(at(out_.lasts)));
      VARVE_TRY(chunk.last_times(ends, at(out_.last_times)));
    }
    if (has(columns_, BucketColumns::kResets)) {
      VARVE_TRY(chunk.resets(at(out_.resets)));
      VARVE_TRY(chunk.reset_sums(at(out_.reset_sums)));
    }
    if (has(columns_, BucketColumns::kChanges)) VARVE_TRY(chunk.changes(at(out_.changes)));
    if (has(columns_, BucketColumns::kSketch)) {
      out_.sketches.resize(base_);
      VARVE_TRY(chunk.sketches(ends, out_.sketches));
    }
    return {};
  }
  void keep(const Wanted& wanted) {
    for_each([&](auto& column) { wanted.keep(column, base_); });
    done_ = true;
  }

 private:
  template <typename Value>
  Value* at(std::vector<Value>& column) const {
    return column.data() + base_;
  }
  template <typename Use>
  void for_each(const Use& use) {
    use(out_.ends_ms);
    if (has(columns_, BucketColumns::kCount)) use(out_.counts);
    if (has(columns_, BucketColumns::kSum)) use(out_.sums);
    if (has(columns_, BucketColumns::kMin)) use(out_.mins);
    if (has(columns_, BucketColumns::kMax)) use(out_.maxs);
    if (has(columns_, BucketColumns::kFirst)) use(out_.firsts), use(out_.first_times);
    if (has(columns_, BucketColumns::kLast)) use(out_.lasts), use(out_.last_times);
    if (has(columns_, BucketColumns::kResets)) use(out_.resets), use(out_.reset_sums);
    if (has(columns_, BucketColumns::kChanges)) use(out_.changes);
    if (has(columns_, BucketColumns::kSketch)) use(out_.sketches);
  }

  SeriesBuckets& out_;
  const BucketColumns columns_;
  const std::size_t base_;
  const std::size_t count_;
  bool done_ = false;
};

void append_histogram_buckets(std::vector<codec::HistogramBucketRow> rows, TimeRange ends,
                              std::span<const TimeRange> deleted, HistogramBuckets& out) {
  for (codec::HistogramBucketRow& row : rows) {
    if (!ends.contains(row.end_ms) || is_deleted(deleted, row.end_ms)) continue;
    out.ends_ms.push_back(row.end_ms);
    out.counts.push_back(row.count);
    out.sums.push_back(std::move(row.sum));
    out.first_times.push_back(row.first_ms);
    out.last_times.push_back(row.last_ms);
    out.firsts.push_back(std::move(row.first));
    out.lasts.push_back(std::move(row.last));
    out.reset_sums.push_back(std::move(row.reset_sum));
    out.resets.push_back(row.resets);
  }
}

}  // namespace

Result<bool> BlockReader::append_float_buckets(const block::ChunkView& chunk, TimeRange ends,
                                               std::span<const TimeRange> deleted,
                                               BucketColumns columns, SeriesBuckets& out) const {
  VARVE_TRY_ASSIGN(const DecodedTimes* const decoded, this->times(chunk.column));
  const std::vector<Timestamp>* const times = &decoded->times;
  const auto [begin, end] = clip(*times, ends);
  if (begin == end) return true;
  const std::size_t count = times->size();
  static thread_local BucketChunk parts;
  VARVE_TRY(parts.open(as_bytes(chunk.bytes), count));
  ChunkColumns read(out, columns, count);
  VARVE_TRY(read.read(parts, *times));
  Wanted wanted(begin, end);
  bool known = true;
  if (!deleted.empty()) {
    known = !wanted.leave_out([&](std::size_t i) { return is_deleted(deleted, (*times)[i]); });
  }
  // Buckets with nothing but a stale marker are there only where some end stale.
  if (parts.has_stale()) {
    std::array<double, codec::kBucketsMax> counts;
    VARVE_TRY(parts.counts(counts.data()));
    if (has(columns, BucketColumns::kStale)) {
      std::array<Timestamp, codec::kBucketsMax> stamps;
      VARVE_TRY(parts.stale_times(*times, stamps.data()));
      wanted.for_each([&](std::size_t i) {
        if (stamps[i] != codec::Bucket::kNotStale) out.stale_times.push_back(stamps[i]);
      });
    }
    if (wanted.leave_out([&](std::size_t i) { return counts[i] == 0; })) known = false;
  }
  read.keep(wanted);
  out.ends_id = mix_times(mix_times(out.ends_id, decoded->key), (begin << 8) | end);
  return known;
}

bool BlockReader::append_buckets(std::uint32_t ordinal, TimeRange ends, BucketColumns columns,
                                 SeriesBuckets& out) const {
  static thread_local std::vector<block::ChunkView> chunks;
  chunks.clear();
  bool known = true;
  const auto check = [&](const Status& status) {
    if (status.ok()) return;
    damaged(status.error());
    known = false;
  };
  check(block_->chunks(ordinal, ends, chunks));
  const std::span<const TimeRange> deleted = tombstones_->of(ordinal);
  for (const block::ChunkView& chunk : chunks) {
    if (chunk.kind == block::ChunkKind::kFloats) {
      const Result<bool> same = append_float_buckets(chunk, ends, deleted, columns, out);
      check(same.ok() ? Status() : Status(same.error()));
      known = known && same.ok() && *same;
    } else if (has(columns, BucketColumns::kHistograms)) {
      std::vector<codec::HistogramBucketRow> rows;
      const Status read = codec::decode_histogram_buckets(as_bytes(chunk.bytes), rows);
      check(read);
      if (read.ok()) append_histogram_buckets(std::move(rows), ends, deleted, out.histograms);
    }
  }
  return known;
}

}  // namespace varve::storage
