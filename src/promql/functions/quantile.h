// SPDX-License-Identifier: Apache-2.0
// The quantile of a set of floats.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace varve::promql::function_impls {

// Interpolated between the two nearest samples; NaN samples count as the lowest. NaN for no samples
// or q = NaN, -Inf for q < 0, +Inf for q > 1. Reorders `values`.
double quantile_of(double q, std::vector<double>& values);

// The order quantiles are taken in, as integers: NaN (any) below all, -0 below 0.
inline std::int64_t order_key(double value) {
  if (std::isnan(value)) return std::numeric_limits<std::int64_t>::min();
  const auto bits = std::bit_cast<std::int64_t>(value);
  return bits ^ ((bits >> 63) & std::numeric_limits<std::int64_t>::max());
}
inline double value_of_order_key(std::int64_t key) {
  return std::bit_cast<double>(key ^ ((key >> 63) & std::numeric_limits<std::int64_t>::max()));
}

// The same quantile, bit for bit, of values whose order keys are sorted.
double quantile_of_sorted(double q, std::span<const std::int64_t> keys);

}  // namespace varve::promql::function_impls
