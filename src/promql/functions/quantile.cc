// SPDX-License-Identifier: Apache-2.0
// The quantile of a set of floats, by selection instead of sorting.
#include "promql/functions/quantile.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace varve::promql::function_impls {
namespace {

bool below(double a, double b) {
  if (std::isnan(a)) return !std::isnan(b);
  return a < b;
}

}  // namespace

double quantile_of(double q, std::vector<double>& values) {
  if (values.empty() || std::isnan(q)) return std::numeric_limits<double>::quiet_NaN();
  if (q < 0) return -std::numeric_limits<double>::infinity();
  if (q > 1) return std::numeric_limits<double>::infinity();
  const double rank = q * static_cast<double>(values.size() - 1);
  const double weight = rank - std::floor(rank);
  const auto lower = values.begin() + static_cast<std::ptrdiff_t>(std::floor(rank));
  std::nth_element(values.begin(), lower, values.end(), below);
  const auto upper = lower + 1 == values.end()
                         ? lower
                         : std::min_element(lower + 1, values.end(), below);
  return *lower * (1 - weight) + *upper * weight;
}

}  // namespace varve::promql::function_impls
