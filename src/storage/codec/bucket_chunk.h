// SPDX-License-Identifier: Apache-2.0
// Chunks of levels: up to 128 buckets of one series, a column for each of their numbers, behind
// each other, so that a reader decodes those it needs. The numbers of a bucket say much about each
// other and about the bucket after it; what is stored is how far they are from what is expected.
// See FORMAT.md, "Bucket chunk".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/codec/int_block.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::storage::codec {

inline constexpr std::size_t kBucketsMax = 128;

// What is known of the float samples in (end - resolution, end]; the columns of storage/levels.h,
// as one row. Stale markers do not count. count 0: a stale marker and nothing else.
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
  kLast,
  kFirst,
  kMin,
  kMax,
  kSum,
  kSumUlps,   // what sums are off from decimals
  kFirstAge,  // end - first_ms
  kLastAge,   // end - last_ms
  kResets,    // not 0
  kResetSum,  // of buckets with resets
  kResetUlps,
  kChanges,  // count - 1 - changes, if it is not 0 everywhere
  kStale,    // end - stale_ms, of those that end stale
  kSketch,   // a histogram chunk: times are ends
  kFields,
};
inline constexpr std::size_t kBucketFields = static_cast<std::size_t>(BucketField::kFields);
std::string_view name_of(BucketField field);

// Precondition: 1 to kBucketsMax buckets, whose ends ascend.
std::string encode_buckets(std::span<const Bucket> buckets);

// A chunk taken apart, whose columns are decoded when they are asked for, and once. Takes hostile
// bytes, and views them. To be reused: open() forgets the chunk before. Not thread-safe.
class BucketChunk {
 public:
  BucketChunk() = default;
  BucketChunk(const BucketChunk&) = delete;
  BucketChunk& operator=(const BucketChunk&) = delete;

  // kCorruption if the bytes are no chunk of `count` buckets, as far as that is looked at here.
  Status open(std::span<const std::uint8_t> bytes, std::size_t count);

  // Columns; out has room for `count`. kCorruption. `ends` are the times of the chunk's column.
  Status counts(double* out);
  Status sums(double* out);
  Status firsts(double* out);
  Status lasts(double* out);
  Status first_times(std::span<const Timestamp> ends, Timestamp* out) const;
  Status last_times(std::span<const Timestamp> ends, Timestamp* out) const;
  Status mins(double* out);
  Status maxs(double* out);
  Status resets(double* out) const;
  Status reset_sums(double* out);
  Status changes(double* out);
  // Bucket::kNotStale where there is none.
  Status stale_times(std::span<const Timestamp> ends, Timestamp* out) const;
  // One per bucket, null where there is none.
  Status sketches(std::span<const Timestamp> ends, std::vector<HistogramPtr>& out) const;
  bool has_stale() const { return has(BucketField::kStale); }
  bool has_resets() const { return has(BucketField::kResets); }
  std::size_t field_bytes(BucketField which) const { return field(which).size(); }

 private:
  std::span<const std::uint8_t> field(BucketField which) const {
    return fields_[static_cast<std::size_t>(which)];
  }
  bool has(BucketField which) const { return !field(which).empty(); }
  Status plain(BucketField which, double* out) const;
  // Overwrites what is in `out` for the buckets that the field's map names.
  Status sparse(BucketField which, double* out) const;
  Status ages(BucketField which, std::span<const Timestamp> ends, Timestamp* out) const;
  // The column of `which` as integers of the chunk's form.
  Result<const IntBuffer*> ints(BucketField which);
  Status take_ints(BucketField which, std::size_t count, std::uint8_t& method,
                   IntBuffer& out) const;
  Status add_expected(BucketField which, std::uint8_t method, IntBuffer& out);
  Status counted();  // fills counts_
  Status column(BucketField which, double* out);
  void to_values(const std::uint64_t* ints, std::size_t count, double* out) const;
  // Sums of those buckets of which `counts` are the counts, those that `which` names (all, if it is
  // empty).
  Status take_sums(BucketField field, BucketField ulps, bool ordered,
                   std::span<const double> counts, std::span<const std::uint8_t> which,
                   double* out);
  Status expect(std::uint8_t method, bool ordered, std::span<const double> counts,
                std::span<const std::uint8_t> which, std::uint64_t* out);

  std::span<const std::uint8_t> fields_[kBucketFields];
  std::size_t count_ = 0;
  bool ordered_ = false;         // the integers are ordered bits, not decimals
  bool ordered_sums_ = false;    // those of sums
  bool ordered_resets_ = false;  // those of the values before resets
  unsigned exponent_ = 0;
  std::uint32_t known_ = 0;  // columns that are in ints_
  bool counted_ = false;
  std::array<double, kBucketsMax> counts_;
  std::array<IntBuffer, 4> ints_;  // kLast to kMax
};

// All of a chunk, as rows appended to `out`. kCorruption; `out` is as it was then.
Status decode_buckets(std::span<const std::uint8_t> bytes, std::span<const Timestamp> ends,
                      std::vector<Bucket>& out);

// Chunks of histogram buckets hold their own times. Encodes as many from the front as fit one
// chunk; how many there were. Precondition: at least one.
std::size_t encode_histogram_buckets(std::span<const HistogramBucketRow> buckets, std::string& out);
Status decode_histogram_buckets(std::span<const std::uint8_t> bytes,
                                std::vector<HistogramBucketRow>& out);

}  // namespace varve::storage::codec
