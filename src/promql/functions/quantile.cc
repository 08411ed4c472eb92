// SPDX-License-Identifier: Apache-2.0
// The quantile of a set of floats, by selection instead of sorting.
#include "promql/functions/quantile.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace varve::promql::function_impls {
namespace {

// Where a quantile between 0 and 1 lies among sorted values.
struct Rank {
  std::size_t lower = 0;
  double weight = 0;  // of the next one

  Rank(double q, std::size_t count) {
    const double rank = q * static_cast<double>(count - 1);
    lower = static_cast<std::size_t>(std::floor(rank));
    weight = rank - std::floor(rank);
  }
  double between(double low, double high) const { return low * (1 - weight) + high * weight; }
};

// What needs no look at the values.
std::optional<double> quantile_without_values(double q, std::size_t count) {
  if (count == 0 || std::isnan(q)) return std::numeric_limits<double>::quiet_NaN();
  if (q < 0) return -std::numeric_limits<double>::infinity();
  if (q > 1) return std::numeric_limits<double>::infinity();
  return std::nullopt;
}

}  // namespace

double quantile_of(double q, std::vector<double>& values) {
  if (const auto known = quantile_without_values(q, values.size())) return *known;
  const auto below = [](double a, double b) { return order_key(a) < order_key(b); };
  const Rank rank(q, values.size());
  const auto lower = values.begin() + static_cast<std::ptrdiff_t>(rank.lower);
  std::nth_element(values.begin(), lower, values.end(), below);
  const auto upper = lower + 1 == values.end()
                         ? lower
                         : std::min_element(lower + 1, values.end(), below);
  return rank.between(*lower, *upper);
}

double quantile_of_sorted(double q, std::span<const std::int64_t> keys) {
  if (const auto known = quantile_without_values(q, keys.size())) return *known;
  const Rank rank(q, keys.size());
  const std::size_t upper = std::min(rank.lower + 1, keys.size() - 1);
  return rank.between(value_of_order_key(keys[rank.lower]), value_of_order_key(keys[upper]));
}

}  // namespace varve::promql::function_impls
