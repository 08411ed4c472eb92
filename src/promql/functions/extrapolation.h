// SPDX-License-Identifier: Apache-2.0
// Inside functions/: how rate, increase and delta go on beyond the outermost samples of a window.
//
// The rules (prometheus promql/functions.go, 3.x): with d the average distance of the samples, a
// border nearer than 1.1 d to the outermost sample is taken to be covered, else the series is taken
// to begin or end d/2 beyond it. A counter is not extrapolated below zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "varve/sample.h"

namespace varve::promql::function_impls {

// The times of a window that extrapolation depends on.
struct Spacing {
  std::int64_t start_gap_ms = 0;
  std::int64_t end_gap_ms = 0;
  std::int64_t sampled_ms = 0;
  std::size_t sample_count = 0;
};

// Whether a counter was surely above zero all the way to where it is extrapolated to: a product
// shows it without a division, and the margin is far above what rounding can do.
constexpr double kFarMargin = 1 + 1e-9;
inline bool zero_is_far(double first, double rise, double sampled, double to_start) {
  return first * sampled > to_start * rise * kFarMargin;
}

// What follows from the spacing alone.
class Extrapolation {
 public:
  Extrapolation(const Spacing& spacing, std::int64_t range_ms, bool per_second)
      : sampled_(static_cast<double>(spacing.sampled_ms) / 1000),
        range_seconds_(per_second ? static_cast<double>(range_ms) / 1000 : 1) {
    const double average = sampled_ / static_cast<double>(spacing.sample_count - 1);
    const double threshold = average * 1.1;
    to_start_ = static_cast<double>(spacing.start_gap_ms) / 1000;
    to_end_ = static_cast<double>(spacing.end_gap_ms) / 1000;
    if (to_start_ >= threshold) to_start_ = average / 2;
    if (to_end_ >= threshold) to_end_ = average / 2;
    factor_ = factor(to_start_);
  }

  double sampled() const { return sampled_; }
  double to_start() const { return to_start_; }
  // What to multiply a difference with.
  double factor() const { return factor_; }
  // The same for a counter that was `first` at the first sample and rose by `rise` > 0: not beyond
  // the point where it was zero.
  double counter_factor(double first, double rise) const {
    if (zero_is_far(first, rise, sampled_, to_start_)) return factor_;
    const double to_zero = sampled_ * (first / rise);
    return to_zero < to_start_ ? factor(to_zero) : factor_;
  }

 private:
  double factor(double to_start) const {
    const double stretch =
        sampled_ != 0 ? (sampled_ + to_start + to_end_) / sampled_ : 1.0;
    return stretch / range_seconds_;
  }

  double sampled_ = 0;
  double range_seconds_ = 1;
  double to_start_ = 0;
  double to_end_ = 0;
  double factor_ = 0;
};

inline Spacing spacing_of(std::span<const Timestamp> times, Timestamp range_start_ms,
                   Timestamp range_end_ms) {
  return {times.front() - range_start_ms, range_end_ms - times.back(),
          times.back() - times.front(), times.size()};
}

template <bool kCounter>
double extrapolate(double difference, double first, const Extrapolation& extrapolation) {
  if (kCounter && difference > 0 && first >= 0) {
    return difference * extrapolation.counter_factor(first, difference);
  }
  return difference * extrapolation.factor();
}

}  // namespace varve::promql::function_impls
