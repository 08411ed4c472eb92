// SPDX-License-Identifier: Apache-2.0
// Neumaier's variant of Kahan summation, step by step as Prometheus does it, so that sums agree to
// the last bit: the running sum and its lost low-order part are two separate doubles.
#pragma once

#include <cmath>
#include <limits>

namespace varve::model {

// sum += term; what rounding lost goes to compensation. An infinite sum has no compensation (it
// would be NaN).
inline void add_compensated(double term, double& sum, double& compensation) {
  const double total = sum + term;
  if (total > std::numeric_limits<double>::max() || total < std::numeric_limits<double>::lowest()) {
    compensation = 0;
  } else if (std::fabs(sum) >= std::fabs(term)) {
    compensation += (sum - total) + term;
  } else {
    compensation += (term - total) + sum;
  }
  sum = total;
}

struct CompensatedSum {
  double sum = 0;
  double compensation = 0;
  void add(double term) { add_compensated(term, sum, compensation); }
  double value() const { return sum + compensation; }
};

}  // namespace varve::model
