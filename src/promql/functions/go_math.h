// SPDX-License-Identifier: Apache-2.0
// Inside functions/: Go's math.Max and math.Min, which decide what NaN and signed zeros give in
// PromQL: an infinity of the asked kind wins over NaN, NaN over numbers, and +0 is above -0.
#pragma once

#include <cmath>
#include <limits>

namespace varve::promql::function_impls {

inline double go_max(double a, double b) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (a == kInfinity || b == kInfinity) return kInfinity;
  if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<double>::quiet_NaN();
  if (a == 0 && b == 0) return std::signbit(a) ? b : a;
  return a > b ? a : b;
}

inline double go_min(double a, double b) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (a == -kInfinity || b == -kInfinity) return -kInfinity;
  if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<double>::quiet_NaN();
  if (a == 0 && b == 0) return std::signbit(a) ? a : b;
  return a < b ? a : b;
}

}  // namespace varve::promql::function_impls
