// SPDX-License-Identifier: Apache-2.0
// The quantile of a set of floats.
#pragma once

#include <vector>

namespace varve::promql::function_impls {

// Interpolated between the two nearest samples; NaN samples count as the lowest. NaN for no samples
// or q = NaN, -Inf for q < 0, +Inf for q > 1. Reorders `values`.
double quantile_of(double q, std::vector<double>& values);

}  // namespace varve::promql::function_impls
