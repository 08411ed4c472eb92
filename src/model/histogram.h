// SPDX-License-Identifier: Apache-2.0
// Arithmetic on native histograms: walking the buckets, adding and subtracting, changing the
// resolution, counter resets, validation and the printed form. Statistics (quantiles, fractions,
// moments) are in histogram_stats.h. Semantics: Prometheus 3.14, model/histogram.
//
// Everything here is a pure function of its arguments and copes with histograms that validate()
// would refuse: spans that promise more buckets than there are counts end early.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "varve/result.h"
#include "varve/sample.h"

namespace varve::model {

inline constexpr std::int32_t kExponentialSchemaMin = -4;
inline constexpr std::int32_t kExponentialSchemaMax = 8;

inline bool is_exponential_schema(std::int32_t schema) {
  return schema >= kExponentialSchemaMin && schema <= kExponentialSchemaMax;
}

// One bucket with its bounds. A bound is part of the bucket as the *_inclusive flags say.
struct HistogramBucket {
  double lower = 0;
  double upper = 0;
  bool lower_inclusive = false;
  bool upper_inclusive = false;
  double count = 0;
  std::int32_t index = 0;  // within the schema and the sign; 0 for the zero bucket
};

// The upper bound of bucket `index` on the positive side (on the negative side: minus its lower
// bound). The last exponential bucket of finite numbers ends at the largest double, the one after
// it at +Inf. For custom buckets an index outside the bounds gives ±Inf.
double bucket_bound(std::int64_t index, std::int32_t schema, std::span<const double> custom_bounds);

enum class HistogramSide : std::uint8_t { kPositive, kNegative };

// Walks one side outwards, away from zero, empty buckets included. Borrows the histogram.
class BucketIterator {
 public:
  BucketIterator(const Histogram& histogram, HistogramSide side);
  // The next bucket, or nullopt after the last.
  std::optional<HistogramBucket> next();

 private:
  const Histogram& histogram_;
  HistogramSide side_;
  std::span<const HistogramSpan> spans_;
  std::span<const double> counts_;
  std::size_t span_ = 0;
  std::uint32_t in_span_ = 0;
  std::size_t bucket_ = 0;
  std::int64_t index_ = 0;
};

// All buckets by ascending bounds: negative, zero (only if its count is > 0), positive. Where a
// bucket next to zero overlaps the zero bucket, its bound is moved to the zero threshold.
std::vector<HistogramBucket> all_buckets(const Histogram& histogram);

// The zero bucket, [-zero_threshold, zero_threshold].
HistogramBucket zero_bucket(const Histogram& histogram);

// What happened besides the arithmetic.
struct ArithmeticOutcome {
  // False if one operand has custom buckets and the other exponential ones; then nothing was done.
  bool compatible = true;
  // One operand says "reset", the other "not reset"; the result's hint is unknown.
  bool reset_hints_collide = false;
  // Both have custom buckets with different bounds; the result has the bounds they share.
  bool bounds_reconciled = false;
};

// to += other. Reconciles schema (the lower resolution wins), zero buckets and custom bounds. The
// result may have empty buckets; compact() removes them. The reset hint: equal hints stay, gauge
// wins over everything, unknown over the other two.
ArithmeticOutcome add(Histogram& to, const Histogram& other);
// from -= other, hint as in add(). PromQL's operator `-` sets the hint to gauge afterwards.
ArithmeticOutcome subtract(Histogram& from, const Histogram& other);

// Scales counts and sum. A negative factor makes it a gauge; division by zero drops the buckets.
void multiply(Histogram& histogram, double factor);
void divide(Histogram& histogram, double divisor);

// A sum of histograms with Neumaier's compensation in every bucket, as sum() and avg() use it.
class HistogramSum {
 public:
  HistogramSum() = default;
  explicit HistogramSum(const Histogram& first) : sum_(first) {}

  // Adds `other`; on an incompatible one the state stays as it was.
  ArithmeticOutcome add(const Histogram& other);
  // Both parts times / divided by a number, for incremental means.
  void multiply(double factor);
  void divide(double divisor);
  // The sum with its compensation folded in.
  Histogram result() const;
  const Histogram& uncompensated() const { return sum_; }
  // The running errors; null before the first add().
  const Histogram* compensation() const { return compensated_ ? &compensation_ : nullptr; }

 private:
  Histogram sum_;
  Histogram compensation_;  // same bucket layout as sum_; meaningful once compensated_
  bool compensated_ = false;
};

// Whether any count, the sum or a custom bound is ±Inf.
bool has_overflow(const Histogram& histogram);

// Whether the counter was reset between the two: a count fell, a populated bucket vanished, the
// resolution rose or the zero threshold fell. A hint "reset" or "not reset" in `current` decides.
bool detect_reset(const Histogram& current, const Histogram& previous);

// Removes empty buckets at both ends of each span, splits spans at more than `empty_buckets_max`
// empty buckets in a row and joins spans that are at most that far apart.
void compact(Histogram& histogram, std::size_t empty_buckets_max = 0);

// Merges buckets down to a lower resolution. Preconditions: both schemas exponential, schema <=
// histogram.schema.
void reduce_resolution(Histogram& histogram, std::int32_t schema);
Histogram copy_to_schema(const Histogram& histogram, std::int32_t schema);

// Keeps the observations below (trim_upper, `</`) or above (trim_lower, `>/`) a value,
// interpolating within the bucket that holds it; count and sum are estimated anew if anything went.
void trim_upper(Histogram& histogram, double value);
void trim_lower(Histogram& histogram, double value);

// Equal as data: every float by its bits, bucket layouts by what they mean (empty spans aside).
// Neither the reset hint nor `integer` is compared.
bool same_data(const Histogram& a, const Histogram& b);
bool same_custom_bounds(std::span<const double> a, std::span<const double> b);

// Checks a histogram of unknown origin: schema range, spans against counts, no negative counts,
// custom bounds rising and finite, for integer histograms also the count against the buckets.
// kInvalidArgument with Prometheus's text.
Status validate(const Histogram& histogram);

// `{count:4, sum:5.5, [-0.001,0.001]:1, (1,2]:3}`, as Prometheus prints it: empty buckets left out.
std::string to_string(const Histogram& histogram);
// `{{schema:1 count:4 sum:5.5 buckets:[1 2 1]}}`, the notation of the PromQL test language.
std::string to_test_expression(const Histogram& histogram);

}  // namespace varve::model
