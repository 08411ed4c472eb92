// SPDX-License-Identifier: Apache-2.0
// Quantiles, fractions and moments.
#include "model/histogram_stats.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "model/compensated_sum.h"
#include "model/histogram.h"
#include "model/histogram_interpolation.h"

namespace varve::model {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// With buckets on one side of zero only, the zero bucket holds nothing of the other side.
void narrow_zero_bucket(HistogramBucket& bucket, const Histogram& histogram) {
  if (histogram.negative_counts.empty() && !histogram.positive_counts.empty()) {
    bucket.lower = 0;
  } else if (histogram.positive_counts.empty() && !histogram.negative_counts.empty()) {
    bucket.upper = 0;
  }
}

// The value `share` of the way through a bucket.
double interpolate(const HistogramBucket& bucket, double share, bool linear) {
  if (linear || (bucket.lower <= 0 && bucket.upper >= 0)) {
    return bucket.lower + (bucket.upper - bucket.lower) * share;
  }
  const double log_lower = std::log2(std::fabs(bucket.lower));
  const double log_upper = std::log2(std::fabs(bucket.upper));
  if (bucket.lower > 0) return std::exp2(log_lower + (log_upper - log_lower) * share);
  return -std::exp2(log_upper + (log_lower - log_upper) * (1 - share));
}

}  // namespace

HistogramStatistic quantile(const Histogram& histogram, double q) {
  if (q < 0) return {-kInfinity};
  if (q > 1) return {kInfinity};
  if (histogram.count == 0 || std::isnan(q)) return {kNan};

  std::vector<HistogramBucket> buckets = all_buckets(histogram);
  const bool sum_is_nan = std::isnan(histogram.sum);
  // From the nearer end, for precision; with NaN observations only the lower end is known.
  const bool from_below = sum_is_nan || q < 0.5;
  if (!from_below) std::reverse(buckets.begin(), buckets.end());
  double rank = from_below ? q * histogram.count : (1 - q) * histogram.count;

  HistogramBucket bucket;
  double count = 0;
  std::size_t at = 0;
  while (at < buckets.size()) {
    bucket = buckets[at++];
    if (bucket.count == 0) continue;
    count += bucket.count;
    if (count >= rank) break;
  }
  if (histogram.custom_buckets()) {
    if (bucket.lower == -kInfinity) {
      if (bucket.upper <= 0) return {bucket.upper};
      bucket.lower = 0;
    } else if (bucket.upper == kInfinity) {
      return {bucket.lower};
    }
  } else if (bucket.lower < 0 && bucket.upper > 0) {
    narrow_zero_bucket(bucket, histogram);
  }
  count = std::min(count, histogram.count);
  if (count < rank) {
    // Beyond every bucket: among the NaN observations, or lost to rounding.
    if (sum_is_nan) return {kNan, NanEffect::kResultIsNan};
    return {bucket.upper};
  }
  rank = from_below ? rank - (count - bucket.count) : count - rank;

  HistogramStatistic result;
  if (sum_is_nan) {
    // Prometheus interpolates in the last bucket it looked at while it counts the rest.
    while (at < buckets.size()) {
      bucket = buckets[at++];
      count += bucket.count;
    }
    if (count < histogram.count) result.nan_effect = NanEffect::kResultIsSkewed;
  }
  result.value = interpolate(bucket, rank / bucket.count, histogram.custom_buckets());
  return result;
}

HistogramStatistic fraction(const Histogram& histogram, double lower, double upper) {
  if (histogram.count == 0 || std::isnan(lower) || std::isnan(upper)) return {kNan};
  if (lower >= upper) return {0};

  const std::vector<HistogramBucket> buckets = all_buckets(histogram);
  double rank = 0;   // observations below the current bucket
  double count = 0;  // observations in buckets seen
  std::optional<double> lower_rank;
  std::optional<double> upper_rank;
  std::size_t at = 0;
  while (at < buckets.size() && !(lower_rank && upper_rank)) {
    HistogramBucket bucket = buckets[at++];
    count += bucket.count;
    const bool zero = bucket.lower <= 0 && bucket.upper >= 0;
    if (zero) narrow_zero_bucket(bucket, histogram);
    const bool linear = histogram.custom_buckets() || zero;
    const auto rank_of = [&](double value) -> std::optional<double> {
      if (bucket.lower >= value) return rank;
      if (!(bucket.upper > value)) return std::nullopt;
      // In a bucket from -Inf nothing can be interpolated.
      if (linear && bucket.lower == -kInfinity) return bucket.count;
      return rank + bucket.count * fraction_below(bucket, value, linear);
    };
    if (!lower_rank) lower_rank = rank_of(lower);
    if (!upper_rank) upper_rank = rank_of(upper);
    rank += bucket.count;
  }

  HistogramStatistic result;
  if (std::isnan(histogram.sum)) {
    while (at < buckets.size()) count += buckets[at++].count;
    if (count < histogram.count) result.nan_effect = NanEffect::kExcluded;
  } else {
    count = histogram.count;
  }
  const double below_lower = std::min(lower_rank.value_or(count), count);
  const double below_upper = std::min(upper_rank.value_or(count), count);
  result.value = (below_upper - below_lower) / histogram.count;
  return result;
}

double mean(const Histogram& histogram) { return histogram.sum / histogram.count; }

double variance(const Histogram& histogram) {
  const double center = mean(histogram);
  CompensatedSum squares;
  for (const HistogramBucket& bucket : all_buckets(histogram)) {
    if (bucket.count == 0) continue;
    double value = 0;  // of the zero bucket
    if (histogram.custom_buckets()) {
      value = (bucket.upper + bucket.lower) / 2;
    } else if (bucket.lower > 0 || bucket.upper < 0) {
      value = std::sqrt(bucket.upper * bucket.lower);
      if (bucket.upper < 0) value = -value;
    }
    const double delta = value - center;
    squares.add(bucket.count * delta * delta);
  }
  return squares.value() / histogram.count;
}

}  // namespace varve::model
