// SPDX-License-Identifier: Apache-2.0
// Inside model/: where a value lies within a bucket.
#pragma once

#include <cmath>

#include "model/histogram.h"

namespace varve::model {

// The share of a bucket below `value`, which lies in it. Exponential buckets are linear in the
// logarithm; negative ones are mirrored.
inline double fraction_below(const HistogramBucket& bucket, double value, bool linear) {
  if (linear) return (value - bucket.lower) / (bucket.upper - bucket.lower);
  const double log_lower = std::log2(std::fabs(bucket.lower));
  const double log_upper = std::log2(std::fabs(bucket.upper));
  const double log_value = std::log2(std::fabs(value));
  if (value > 0) return (log_value - log_lower) / (log_upper - log_lower);
  return 1 - (log_value - log_upper) / (log_lower - log_upper);
}

}  // namespace varve::model
