// SPDX-License-Identifier: Apache-2.0
// Statistics of native histograms: quantile, fraction of observations in an interval, mean and
// variance. Interpolation is linear for custom buckets and the zero bucket, else logarithmic.
#pragma once

#include <cstdint>

#include "varve/sample.h"

namespace varve::model {

// What NaN observations (counted, but in no bucket) did to a result.
enum class NanEffect : std::uint8_t {
  kNone,
  kResultIsNan,     // quantile: the rank falls among the NaN observations
  kResultIsSkewed,  // quantile: counted as if above every bucket
  kExcluded,        // fraction: in none of the fractions
};

struct HistogramStatistic {
  double value = 0;
  NanEffect nan_effect = NanEffect::kNone;
};

// The q-quantile. NaN if q is NaN or there are no observations, -Inf for q < 0, +Inf for q > 1.
HistogramStatistic quantile(const Histogram& histogram, double q);

// The share of observations in (lower, upper); NaN without observations or with a NaN bound, 0 if
// lower >= upper.
HistogramStatistic fraction(const Histogram& histogram, double lower, double upper);

// sum / count.
double mean(const Histogram& histogram);
// Variance estimated from bucket mid-points (geometric means in exponential buckets).
double variance(const Histogram& histogram);

}  // namespace varve::model
