// SPDX-License-Identifier: Apache-2.0
// Inside functions/: quantiles and fractions of classic histograms, sets of cumulative buckets with
// upper bounds.
#pragma once

#include <vector>

namespace varve::promql::function_impls {

struct ClassicBucket {
  double upper = 0;
  double count = 0;  // cumulative
};

struct ClassicQuantile {
  double value = 0;
  // Counts that fell with rising bounds were lifted: between which bounds, by how much at most.
  bool forced_monotonic = false;
  double bucket_min = 0;
  double bucket_max = 0;
  double diff_max = 0;
};

// Precondition of both: not empty, ascending by bound (equal bounds are added up). The buckets are
// changed in place. Without a +Inf bucket the answer is NaN.
ClassicQuantile classic_quantile(std::vector<ClassicBucket>& buckets, double q);
double classic_fraction(std::vector<ClassicBucket>& buckets, double lower, double upper);

}  // namespace varve::promql::function_impls
