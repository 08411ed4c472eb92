// SPDX-License-Identifier: Apache-2.0
// Quantiles and fractions of classic histograms; linear within a bucket.
#include "promql/functions/classic_histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace varve::promql::function_impls {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Relative differences between neighbouring buckets below this are rounding, of sums over instances
// and the like; with it the change of one observation shows up to 1e12 of them.
constexpr double kSmallDelta = 1e-12;

bool almost_equal(double a, double b) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return true;
  constexpr double kSmallestNormal = std::numeric_limits<double>::min();
  const double magnitude = std::fabs(a) + std::fabs(b);
  const double difference = std::fabs(a - b);
  if (a == 0 || b == 0 || magnitude < kSmallestNormal) {
    return difference < kSmallDelta * kSmallestNormal;
  }
  return difference / std::min(magnitude, std::numeric_limits<double>::max()) < kSmallDelta;
}

void add_up_equal_bounds(std::vector<ClassicBucket>& buckets) {
  std::size_t last = 0;
  for (std::size_t i = 1; i < buckets.size(); ++i) {
    if (buckets[i].upper == buckets[last].upper) {
      buckets[last].count += buckets[i].count;
    } else {
      buckets[++last] = buckets[i];
    }
  }
  buckets.resize(last + 1);
}

// Lifts every bucket to at least its predecessor, and levels differences that are rounding.
void force_monotonic(std::vector<ClassicBucket>& buckets, ClassicQuantile& result) {
  result.bucket_min = kInfinity;
  result.bucket_max = -kInfinity;
  double previous = buckets[0].count;
  for (std::size_t i = 1; i < buckets.size(); ++i) {
    ClassicBucket& bucket = buckets[i];
    if (bucket.count == previous) continue;
    if (almost_equal(previous, bucket.count)) {
      bucket.count = previous;
    } else if (bucket.count < previous) {
      result.forced_monotonic = true;
      result.bucket_min = std::min(result.bucket_min, bucket.upper);
      result.bucket_max = std::max(result.bucket_max, bucket.upper);
      result.diff_max = std::max(result.diff_max, previous - bucket.count);
      bucket.count = previous;
    } else {
      previous = bucket.count;
    }
  }
}

}  // namespace

ClassicQuantile classic_quantile(std::vector<ClassicBucket>& buckets, double q) {
  ClassicQuantile result;
  result.value = kNan;
  if (std::isnan(q)) return result;
  if (q < 0 || q > 1) {
    result.value = q < 0 ? -kInfinity : kInfinity;
    return result;
  }
  if (buckets.back().upper != kInfinity) return result;
  add_up_equal_bounds(buckets);
  force_monotonic(buckets, result);
  if (buckets.size() < 2) return result;
  const double observations = buckets.back().count;
  if (observations == 0) return result;

  double rank = q * observations;
  const auto found =
      std::partition_point(buckets.begin(), buckets.end() - 1,
                           [rank](const ClassicBucket& bucket) { return !(bucket.count >= rank); });
  if (found == buckets.end() - 1) {
    result.value = (found - 1)->upper;
  } else if (found == buckets.begin() && found->upper <= 0) {
    result.value = found->upper;
  } else {
    double lower = 0;
    double count = found->count;
    if (found != buckets.begin()) {
      lower = (found - 1)->upper;
      count -= (found - 1)->count;
      rank -= (found - 1)->count;
    }
    result.value = lower + (found->upper - lower) * (rank / count);
  }
  return result;
}

double classic_fraction(std::vector<ClassicBucket>& buckets, double lower, double upper) {
  if (buckets.back().upper != kInfinity) return kNan;
  add_up_equal_bounds(buckets);
  const double count = buckets.back().count;
  if (count == 0 || std::isnan(lower) || std::isnan(upper)) return kNan;
  if (lower >= upper) return 0;

  double rank = 0;  // observations below the current bucket
  // With a positive first bound the observations are taken to be positive.
  double bucket_lower = buckets[0].upper > 0 ? 0 : -kInfinity;
  std::optional<double> lower_rank;
  std::optional<double> upper_rank;
  for (const ClassicBucket& bucket : buckets) {
    const auto rank_of = [&](double value) -> std::optional<double> {
      if (bucket_lower >= value) return rank;
      if (!(bucket.upper > value)) return std::nullopt;
      // In a bucket from -Inf nothing can be interpolated.
      if (bucket_lower == -kInfinity) return bucket.count;
      return rank + (bucket.count - rank) * (value - bucket_lower) / (bucket.upper - bucket_lower);
    };
    if (!lower_rank) lower_rank = rank_of(lower);
    if (!upper_rank) upper_rank = rank_of(upper);
    if (lower_rank && upper_rank) break;
    rank = bucket.count;
    bucket_lower = bucket.upper;
  }
  const double below_lower = std::min(lower_rank.value_or(count), count);
  const double below_upper = std::min(upper_rank.value_or(count), count);
  return (below_upper - below_lower) / count;
}

}  // namespace varve::promql::function_impls
