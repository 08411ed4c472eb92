// SPDX-License-Identifier: Apache-2.0
// The quantiles of the last observations, for summaries about ourselves.
#pragma once

#include <cstddef>
#include <mutex>
#include <vector>

namespace varve::base {

// Thread-safe.
class RecentQuantiles {
 public:
  void observe(double value);
  // NaN without observations.
  double quantile(double q) const;

 private:
  static constexpr std::size_t kWindow = 1024;  // observations remembered
  mutable std::mutex mutex_;                    // guards the rest
  std::vector<double> window_;
  std::size_t next_ = 0;
};

}  // namespace varve::base
