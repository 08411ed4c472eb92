// SPDX-License-Identifier: Apache-2.0
#include "base/recent_quantiles.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace varve::base {

void RecentQuantiles::observe(double value) {
  const std::lock_guard lock(mutex_);
  if (window_.size() < kWindow) {
    window_.push_back(value);
  } else {
    window_[next_] = value;
    next_ = (next_ + 1) % kWindow;
  }
}

double RecentQuantiles::quantile(double q) const {
  std::vector<double> sorted;
  {
    const std::lock_guard lock(mutex_);
    sorted = window_;
  }
  if (sorted.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(sorted.size())));
  const std::size_t at = rank == 0 ? 0 : rank - 1;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(at), sorted.end());
  return sorted[at];
}

}  // namespace varve::base
