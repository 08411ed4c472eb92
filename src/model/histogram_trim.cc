// SPDX-License-Identifier: Apache-2.0
// The operators </ and >/: what a histogram would be without the observations above or below a
// value. A bucket that holds the value keeps its interpolated share; once anything is cut, count
// and sum are estimated from the buckets that are left, each at its mid-point.
#include <cmath>
#include <limits>

#include "model/histogram.h"
#include "model/histogram_interpolation.h"

namespace varve::model {
namespace {

enum class Keep : std::uint8_t { kBelow, kAbove };

// What is left of a bucket, and the value that stands for all of it.
struct Rest {
  double count = 0;
  double midpoint = 0;
};

double finite_or_zero(double value) { return std::isinf(value) ? 0 : value; }

double midpoint(double lower, double upper, bool positive, bool linear) {
  if (std::isinf(lower)) {
    if (std::isinf(upper)) return 0;
    return upper > 0 ? upper / 2 : upper;
  }
  if (std::isinf(upper)) return lower;
  if (linear) return (lower + upper) / 2;
  const double geometric = std::sqrt(std::fabs(lower * upper));
  return positive ? geometric : -geometric;
}

// The first and last bucket reach to infinity, where nothing can be interpolated.
Rest cut_unbounded(const HistogramBucket& bucket, double value, Keep keep) {
  if (std::isinf(bucket.lower)) {
    // With a positive upper bound the bucket is taken to begin at zero; only custom buckets do
    // that.
    const bool from_zero = bucket.upper > 0 && !std::isinf(bucket.upper);
    if (keep == Keep::kBelow) {
      if (value >= bucket.upper) return {bucket.count, 0};
      if (value > 0 && from_zero) return {bucket.count * value / bucket.upper, value / 2};
      if (bucket.upper <= 0) return {bucket.count, value};
      return {0, finite_or_zero(bucket.upper)};
    }
    if (value <= bucket.lower) return {bucket.count, 0};
    if (value >= 0 && bucket.upper > value && from_zero) {
      return {bucket.count * (1 - value / bucket.upper), (value + bucket.upper) / 2};
    }
    return {0, finite_or_zero(bucket.upper)};
  }
  if (keep == Keep::kAbove && value >= bucket.lower) return {bucket.count, value};
  return {0, finite_or_zero(bucket.lower)};
}

Rest cut(const HistogramBucket& bucket, double value, Keep keep, bool positive, bool linear) {
  if (std::isinf(bucket.lower) || std::isinf(bucket.upper)) {
    return cut_unbounded(bucket, value, keep);
  }
  double below = bucket.count;
  if (value <= bucket.lower) {
    below = 0;
  } else if (value < bucket.upper) {
    below = bucket.count * fraction_below(bucket, value, linear);
  }
  if (keep == Keep::kBelow) return {below, midpoint(bucket.lower, value, positive, linear)};
  return {bucket.count - below, midpoint(value, bucket.upper, positive, linear)};
}

Rest cut_zero_bucket(const Histogram& histogram, double value, Keep keep, bool has_negative,
                     bool has_positive) {
  const double lower = has_positive && !has_negative ? 0 : -histogram.zero_threshold;
  const double upper = has_negative && !has_positive ? 0 : histogram.zero_threshold;
  const Rest whole{histogram.zero_count, (lower + upper) / 2};
  if (value <= lower) return keep == Keep::kBelow ? Rest{} : whole;
  if (value >= upper) return keep == Keep::kBelow ? whole : Rest{};
  if (keep == Keep::kBelow) {
    return {histogram.zero_count * ((value - lower) / (upper - lower)), (lower + value) / 2};
  }
  return {histogram.zero_count * ((upper - value) / (upper - lower)), (value + upper) / 2};
}

void trim(Histogram& histogram, double value, Keep keep) {
  const bool linear = histogram.custom_buckets();
  double count = 0;
  double sum = 0;
  bool trimmed = false;
  bool populated[2] = {false, false};
  for (const HistogramSide side : {HistogramSide::kPositive, HistogramSide::kNegative}) {
    const bool positive = side == HistogramSide::kPositive;
    std::vector<double>& counts = positive ? histogram.positive_counts : histogram.negative_counts;
    BucketIterator buckets(histogram, side);
    std::size_t at = 0;
    for (auto bucket = buckets.next(); bucket; bucket = buckets.next(), ++at) {
      if (bucket->count == 0) continue;
      populated[positive ? 0 : 1] = true;
      const bool whole = keep == Keep::kBelow ? bucket->upper <= value : bucket->lower >= value;
      const bool part = keep == Keep::kBelow ? bucket->lower < value : bucket->upper > value;
      Rest rest;
      if (whole) {
        rest = {bucket->count, midpoint(bucket->lower, bucket->upper, positive, linear)};
      } else if (part) {
        rest = cut(*bucket, value, keep, positive, linear);
      }
      if (whole || part) {
        count += rest.count;
        sum += rest.midpoint * rest.count;
      }
      if (!whole && (!part || counts[at] != rest.count)) {
        counts[at] = rest.count;
        trimmed = true;
      }
    }
  }
  if (histogram.zero_count > 0) {
    const Rest rest = cut_zero_bucket(histogram, value, keep, populated[1], populated[0]);
    if (histogram.zero_count != rest.count) {
      histogram.zero_count = rest.count;
      trimmed = true;
    }
    count += rest.count;
    sum += rest.midpoint * rest.count;
  }
  if (!trimmed) return;
  histogram.integer = false;
  histogram.count = count;
  histogram.sum = sum;
  compact(histogram);
}

}  // namespace

void trim_upper(Histogram& histogram, double value) { trim(histogram, value, Keep::kBelow); }
void trim_lower(Histogram& histogram, double value) { trim(histogram, value, Keep::kAbove); }

}  // namespace varve::model
