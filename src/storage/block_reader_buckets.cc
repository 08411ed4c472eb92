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
  template <typename Value>
  void append(const Value* from, std::vector<Value>& to) const {
    if (!some_) {
      to.insert(to.end(), from + begin_, from + end_);
    } else {
      for (const std::size_t i : which_) to.push_back(from[i]);
    }
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
  VARVE_TRY_ASSIGN(const BucketChunk parts, BucketChunk::parse(as_bytes(chunk.bytes), count));
  std::array<double, codec::kBucketsMax> values;
  std::array<Timestamp, codec::kBucketsMax> stamps;
  Wanted wanted(begin, end);
  bool known = true;
  if (!deleted.empty()) {
    known = !wanted.leave_out([&](std::size_t i) { return is_deleted(deleted, (*times)[i]); });
  }
  // Buckets with nothing but a stale marker are there only where some end stale.
  const bool stale = parts.has_stale();
  if (stale) {
    VARVE_TRY(parts.stale_times(*times, stamps.data()));
    if (has(columns, BucketColumns::kStale)) {
      wanted.for_each([&](std::size_t i) {
        if (stamps[i] != codec::Bucket::kNotStale) out.stale_times.push_back(stamps[i]);
      });
    }
    VARVE_TRY(parts.counts(values.data()));
    if (wanted.leave_out([&](std::size_t i) { return values[i] == 0; })) known = false;
  }
  // All columns are decoded before the first is appended: damage leaves no half a chunk.
  struct Pending {
    std::vector<double>* to;
    std::array<double, codec::kBucketsMax> values;
  };
  static thread_local std::vector<Pending> pending;
  pending.clear();
  const auto take = [&](BucketColumns which, Status (BucketChunk::*read)(double*) const,
                        std::vector<double>& to) -> Status {
    if (!has(columns, which)) return {};
    Pending& next = pending.emplace_back();
    next.to = &to;
    return (parts.*read)(next.values.data());
  };
  VARVE_TRY(take(BucketColumns::kCount, &BucketChunk::counts, out.counts));
  VARVE_TRY(take(BucketColumns::kSum, &BucketChunk::sums, out.sums));
  VARVE_TRY(take(BucketColumns::kMin, &BucketChunk::mins, out.mins));
  VARVE_TRY(take(BucketColumns::kMax, &BucketChunk::maxs, out.maxs));
  VARVE_TRY(take(BucketColumns::kFirst, &BucketChunk::firsts, out.firsts));
  VARVE_TRY(take(BucketColumns::kLast, &BucketChunk::lasts, out.lasts));
  VARVE_TRY(take(BucketColumns::kResets, &BucketChunk::resets, out.resets));
  VARVE_TRY(take(BucketColumns::kResets, &BucketChunk::reset_sums, out.reset_sums));
  VARVE_TRY(take(BucketColumns::kChanges, &BucketChunk::changes, out.changes));
  std::array<Timestamp, codec::kBucketsMax> first_times;
  std::array<Timestamp, codec::kBucketsMax> last_times;
  if (has(columns, BucketColumns::kFirst)) {
    VARVE_TRY(parts.first_times(*times, first_times.data()));
  }
  if (has(columns, BucketColumns::kLast)) VARVE_TRY(parts.last_times(*times, last_times.data()));
  if (has(columns, BucketColumns::kSketch)) {
    std::vector<HistogramPtr> sketches;
    VARVE_TRY(parts.sketches(*times, sketches));
    wanted.append(sketches.data(), out.sketches);
  }
  for (const Pending& column : pending) wanted.append(column.values.data(), *column.to);
  if (has(columns, BucketColumns::kFirst)) wanted.append(first_times.data(), out.first_times);
  if (has(columns, BucketColumns::kLast)) wanted.append(last_times.data(), out.last_times);
  wanted.append(times->data(), out.ends_ms);
  out.ends_id = mix_times(mix_times(out.ends_id, decoded->key),
                          (begin << 8) | end);
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
