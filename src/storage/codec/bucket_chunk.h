// SPDX-License-Identifier: Apache-2.0
// Chunks of levels: up to 128 buckets of one series, a column for each of their numbers, behind each
// other, so that a reader decodes those it needs. Numbers that follow from others as a rule (the
// smallest of a counter is its first) are stored only where they do not. See FORMAT.md, "Bucket
// chunk".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "varve/result.h"
#include "varve/sample.h"

namespace varve::storage::codec {

inline constexpr std::size_t kBucketsMax = 128;

// What is known of the float samples in (end - resolution, end]; the columns of storage/levels.h, as
// one row. Stale markers do not count. count 0: a stale marker and nothing else.
struct Bucket {
  Timestamp end_ms = 0;
  double count = 0;
  double sum = 0;
  double min = 0, max = 0;
  Timestamp first_ms = 0, last_ms = 0;
  double first = 0, last = 0;
  double resets = 0, reset_sum = 0;
  double changes = 0;
  Timestamp stale_ms = kNotStale;  // of a stale marker that is the newest sample
  HistogramPtr sketch;             // may be null

  static constexpr Timestamp kNotStale = INT64_MIN;
};

// The same for native histograms; `sum` is null where they could not be added.
struct HistogramBucketRow {
  Timestamp end_ms = 0;
  double count = 0;
  Timestamp first_ms = 0, last_ms = 0;
  HistogramPtr first, last, sum;
  double resets = 0;
  HistogramPtr reset_sum;  // null: no resets
};

// Columns of a chunk, in the order in which they stand.
enum class BucketField : std::uint8_t {
  kCount,
  kSum,
  kSumFromMiddle,   // sum - count * (first + last) / 2, in place of kSum
  kFirst,
  kFirstFromLast,   // first - last of the bucket before, in place of kFirst
  kLast,
  kFirstAge,        // end - first_ms
  kLastAge,         // end - last_ms
  kMin,             // those that are not `first`, behind a bit map; likewise:
  kMax,             // not `last`
  kResets,          // not 0
  kResetSum,        // of buckets with resets
  kChanges,         // count - 1 - changes, if it is not 0 everywhere
  kStale,           // end - stale_ms, of those that end stale
  kSketch,          // a histogram chunk: times are ends
  kFields,
};

// Precondition: 1 to kBucketsMax buckets, whose ends ascend.
std::string encode_buckets(std::span<const Bucket> buckets);

// A chunk taken apart but not decoded; a view of its bytes. Takes hostile bytes.
class BucketChunk {
 public:
  // kCorruption if the bytes are no chunk of `count` buckets, as far as that is looked at here.
  static Result<BucketChunk> parse(std::span<const std::uint8_t> bytes, std::size_t count);

  // Columns; out has room for `count`. kCorruption. `ends` are the times of the chunk's column.
  Status counts(double* out) const;
  Status sums(double* out) const;
  Status firsts(double* out) const;
  Status lasts(double* out) const;
  Status first_times(std::span<const Timestamp> ends, Timestamp* out) const;
  Status last_times(std::span<const Timestamp> ends, Timestamp* out) const;
  Status mins(double* out) const;
  Status maxs(double* out) const;
  Status resets(double* out) const;
  Status reset_sums(double* out) const;
  Status changes(double* out) const;
  // Bucket::kNotStale where there is none.
  Status stale_times(std::span<const Timestamp> ends, Timestamp* out) const;
  // One per bucket, null where there is none.
  Status sketches(std::span<const Timestamp> ends, std::vector<HistogramPtr>& out) const;
  bool has_stale() const { return !field(BucketField::kStale).empty(); }
  bool has_resets() const { return !field(BucketField::kResets).empty(); }

 private:
  std::span<const std::uint8_t> field(BucketField which) const {
    return fields_[static_cast<std::size_t>(which)];
  }
  Status plain(BucketField which, double* out) const;
  // Overwrites what is in `out` for the buckets that the field's map names.
  Status sparse(BucketField which, double* out) const;
  Status ages(BucketField which, std::span<const Timestamp> ends, Timestamp* out) const;

  std::span<const std::uint8_t> fields_[static_cast<std::size_t>(BucketField::kFields)];
  std::size_t count_ = 0;
};

// All of a chunk, as rows appended to `out`. kCorruption; `out` is as it was then.
Status decode_buckets(std::span<const std::uint8_t> bytes, std::span<const Timestamp> ends,
                      std::vector<Bucket>& out);

// Chunks of histogram buckets hold their own times. Encodes as many from the front as fit one chunk;
// how many there were. Precondition: at least one.
std::size_t encode_histogram_buckets(std::span<const HistogramBucketRow> buckets, std::string& out);
Status decode_histogram_buckets(std::span<const std::uint8_t> bytes,
                                std::vector<HistogramBucketRow>& out);

}  // namespace varve::storage::codec
