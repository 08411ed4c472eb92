// SPDX-License-Identifier: Apache-2.0
// rate, increase and delta: the difference between the last and the first sample of a window, made
// up for counter resets, extrapolated to the borders of the window where samples come close to them.
// `anchored` and `smoothed` windows are extended_rate.cc's.
//
// The rules of extrapolation (prometheus promql/functions.go, 3.x): with d the average distance of
// the samples, a border nearer than 1.1 d to the outermost sample is taken to be covered, else the
// series is taken to begin or end d/2 beyond it. A counter is not extrapolated below zero.
#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "model/histogram.h"
#include "promql/functions/extended_rate.h"
#include "promql/functions/implementations.h"
#include "promql/functions/range_histograms.h"
#include "promql/functions/window_kernel.h"

namespace varve::promql::function_impls {
namespace {

// The times of a window that extrapolation depends on. For a series that is scraped and queried
// regularly they are the same at every step.
struct Spacing {
  std::int64_t start_gap_ms = 0;
  std::int64_t end_gap_ms = 0;
  std::int64_t sampled_ms = 0;
  std::size_t sample_count = 0;
  friend bool operator==(const Spacing&, const Spacing&) = default;
};

// What follows from the spacing alone.
class Extrapolation {
 public:
  Extrapolation() = default;
  Extrapolation(const Spacing& spacing, std::int64_t range_ms, bool per_second)
      : spacing_(spacing),
        sampled_(static_cast<double>(spacing.sampled_ms) / 1000),
        range_seconds_(per_second ? static_cast<double>(range_ms) / 1000 : 1) {
    const double average = sampled_ / static_cast<double>(spacing.sample_count - 1);
    const double threshold = average * 1.1;
    to_start_ = static_cast<double>(spacing.start_gap_ms) / 1000;
    to_end_ = static_cast<double>(spacing.end_gap_ms) / 1000;
    if (to_start_ >= threshold) to_start_ = average / 2;
    if (to_end_ >= threshold) to_end_ = average / 2;
    factor_ = factor(to_start_);
  }

  const Spacing& spacing() const { return spacing_; }
  // What to multiply a difference with.
  double factor() const { return factor_; }
  // The same for a counter that was `first` at the first sample and rose by `rise` > 0: not beyond
  // the point where it was zero.
  double counter_factor(double first, double rise) const {
    // Mostly zero is far away, which a product shows without a division; the margin is far above
    // what rounding can do.
    if (first * sampled_ > to_start_ * rise * (1 + 1e-9)) return factor_;
    const double to_zero = sampled_ * (first / rise);
    return to_zero < to_start_ ? factor(to_zero) : factor_;
  }

 private:
  double factor(double to_start) const {
    const double stretch =
        sampled_ != 0 ? (sampled_ + to_start + to_end_) / sampled_ : 1.0;
    return stretch / range_seconds_;
  }

  Spacing spacing_;
  double sampled_ = 0;
  double range_seconds_ = 1;
  double to_start_ = 0;
  double to_end_ = 0;
  double factor_ = 0;
};

Spacing spacing_of(std::span<const Timestamp> times, Timestamp range_start_ms,
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

PointValue histogram_rate(const Window& window, const CallArgs& args, EvalContext& context,
                          bool counter, bool per_second) {
  if (window.histograms.size() < 2) return PointValue::none();
  const RangeRemarks remarks(window, args, context);
  std::optional<Histogram> difference =
      histogram_difference(window.histograms, counter, remarks);
  if (!difference) return PointValue::none();
  const Spacing spacing =
      spacing_of(window.histogram_times, window.range_start_ms, window.range_end_ms);
  const Extrapolation extrapolation(spacing, window.range_ms(), per_second);
  const double first = window.histograms.front()->count;
  double factor = extrapolation.factor();
  if (counter && difference->count > 0 && first >= 0) {
    factor = extrapolation.counter_factor(first, difference->count);
  }
  model::multiply(*difference, factor);
  return PointValue::of(std::make_shared<const Histogram>(*std::move(difference)));
}

template <bool kCounter, bool kPerSecond>
PointValue rate_window(const Window& window, const CallArgs& args, EvalContext& context) {
  if (!window.histograms.empty() && !window.float_values.empty()) {
    remark_mixed_samples(window, args, context);
    return PointValue::none();
  }
  if (window.extension != RangeExtension::kNone) {
    return extended_rate(window, args, context, kCounter, kPerSecond);
  }
  if (!window.histograms.empty()) {
    return histogram_rate(window, args, context, kCounter, kPerSecond);
  }
  const std::span<const double> values = window.float_values;
  if (values.size() < 2) return PointValue::none();
  double difference = values.back() - values.front();
  if (kCounter) {
    for (std::size_t i = 1; i < values.size(); ++i) {
      if (values[i] < values[i - 1]) difference += values[i - 1];
    }
  }
  const Extrapolation extrapolation(
      spacing_of(window.float_times, window.range_start_ms, window.range_end_ms),
      window.range_ms(), kPerSecond);
  return PointValue::of(extrapolate<kCounter>(difference, values.front(), extrapolation));
}

// The samples before which a counter fell, ascending.
std::vector<std::uint32_t> falls_of(std::span<const double> values) {
  std::vector<std::uint32_t> falls;
  for (std::size_t i = 1; i < values.size(); ++i) {
    if (values[i] < values[i - 1]) falls.push_back(static_cast<std::uint32_t>(i));
  }
  return falls;
}

template <bool kCounter, bool kPerSecond>
void rate_kernel(const SeriesWindows& windows, const CallArgs&, EvalContext&,
                 std::span<double> values, std::span<PointKind> kinds) {
  const double* samples = windows.values.data();
  const Timestamp* times = windows.times.data();
  const std::vector<std::uint32_t> falls =
      kCounter ? falls_of(windows.values) : std::vector<std::uint32_t>();
  std::size_t next_fall = 0;
  Extrapolation extrapolation;
  for (std::size_t step = 0; step < kinds.size(); ++step) {
    const std::size_t lo = windows.lo[step];
    const std::size_t hi = windows.hi[step];
    if (hi < lo + 2) continue;
    double difference = samples[hi - 1] - samples[lo];
    if (kCounter) {
      while (next_fall < falls.size() && falls[next_fall] <= lo) ++next_fall;
      for (std::size_t i = next_fall; i < falls.size() && falls[i] < hi; ++i) {
        difference += samples[falls[i] - 1];
      }
    }
    const Timestamp end = windows.range_end_ms(step);
    const Spacing spacing{times[lo] - (end - windows.range_ms), end - times[hi - 1],
                          times[hi - 1] - times[lo], hi - lo};
    if (spacing != extrapolation.spacing()) {
      extrapolation = Extrapolation(spacing, windows.range_ms, kPerSecond);
    }
    values[step] = extrapolate<kCounter>(difference, samples[lo], extrapolation);
    kinds[step] = PointKind::kFloat;
  }
}

template <bool kCounter, bool kPerSecond>
FunctionImpl rate_like() {
  FunctionImpl impl;
  impl.window = rate_window<kCounter, kPerSecond>;
  impl.series_kernel = rate_kernel<kCounter, kPerSecond>;
  impl.expects_counter = kCounter;
  impl.extension_safe = true;
  impl.smoothed_safe = true;
  return impl;
}

}  // namespace

FunctionImpl rate_impl() { return rate_like<true, true>(); }
FunctionImpl increase_impl() { return rate_like<true, false>(); }
FunctionImpl delta_impl() { return rate_like<false, false>(); }

}  // namespace varve::promql::function_impls
