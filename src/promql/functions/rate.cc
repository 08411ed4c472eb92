// SPDX-License-Identifier: Apache-2.0
// rate, increase and delta: the difference between the last and the first sample of a window, made
// up for counter resets, extrapolated to the borders of the window where samples come close to them.
// `anchored` and `smoothed` windows are extended_rate.cc's.
//
// A sample whose start time lies within the window says more: there the counter was zero, so that
// nothing is extrapolated to the left, and one sample is enough.
#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "model/histogram.h"
#include "promql/functions/extended_rate.h"
#include "promql/functions/extrapolation.h"
#include "promql/functions/implementations.h"
#include "promql/functions/range_histograms.h"
#include "promql/functions/start_times.h"
#include "promql/functions/window_kernel.h"

namespace varve::promql::function_impls {
namespace {

// What to multiply with what a counter rose by since `start_ms`, where it was zero; `spacing` is that
// of the samples.
double factor_since(Timestamp start_ms, const Spacing& spacing, Timestamp last_ms,
                    std::int64_t range_ms, bool per_second) {
  double average = 0;
  if (spacing.sample_count > 1) {
    average = static_cast<double>(spacing.sampled_ms) / 1000 /
              static_cast<double>(spacing.sample_count - 1);
  }
  double to_end = static_cast<double>(spacing.end_gap_ms) / 1000;
  if (to_end >= average * 1.1) to_end = average / 2;
  const double counted = static_cast<double>(last_ms - start_ms) / 1000;
  const double stretch = (counted + to_end) / counted;
  return per_second ? stretch / (static_cast<double>(range_ms) / 1000) : stretch;
}

PointValue histogram_rate(const Window& window, const CallArgs& args, EvalContext& context,
                          bool counter, bool per_second) {
  const StartTimes starts(window.histogram_times, window.histogram_starts);
  const Timestamp start_ms = counter ? starts.start_after(window.range_start_ms) : 0;
  const Spacing spacing =
      spacing_of(window.histogram_times, window.range_start_ms, window.range_end_ms);
  if (window.histograms.size() < 2 && start_ms == 0) return PointValue::none();
  const RangeRemarks remarks(window, args, context);
  std::optional<Histogram> difference;
  if (window.histograms.size() < 2) {
    difference = *window.histograms.front();
  } else {
    difference = histogram_difference(window, counter, remarks);
    if (!difference) return PointValue::none();
    if (start_ms != 0 && !add_with_remarks(*difference, *window.histograms.front(), remarks)) {
      return PointValue::none();
    }
  }
  if (start_ms != 0) {
    model::multiply(*difference, factor_since(start_ms, spacing, window.histogram_times.back(),
                                              window.range_ms(), per_second));
    return PointValue::of(std::make_shared<const Histogram>(*std::move(difference)));
  }
  const Extrapolation extrapolation(spacing, window.range_ms(), per_second);
  const double first = window.histograms.front()->count;
  double factor = extrapolation.factor();
  if (counter && difference->count > 0 && first >= 0) {
    factor = extrapolation.counter_factor(first, difference->count);
  }
  model::multiply(*difference, factor);
  return PointValue::of(std::make_shared<const Histogram>(*std::move(difference)));
}

// rate and increase of floats of which some have start times.
template <bool kPerSecond>
PointValue started_rate(const Window& window, const CallArgs& args, EvalContext& context) {
  const std::span<const double> values = window.float_values;
  const StartTimes starts(window.float_times, window.float_starts);
  double difference = values.back() - values.front();
  bool overlap = false;
  for (std::size_t i = 1; i < values.size(); ++i) {
    overlap = overlap || starts.overlaps_before(i);
    if (values[i] < values[i - 1] || starts.restarted_before(i)) difference += values[i - 1];
  }
  if (overlap) RangeRemarks(window, args, context).start_time_overlap();
  const Spacing spacing =
      spacing_of(window.float_times, window.range_start_ms, window.range_end_ms);
  if (const Timestamp start_ms = starts.start_after(window.range_start_ms)) {
    return PointValue::of((difference + values.front()) *
                          factor_since(start_ms, spacing, window.float_times.back(),
                                       window.range_ms(), kPerSecond));
  }
  if (values.size() < 2) return PointValue::none();
  return PointValue::of(extrapolate<true>(
      difference, values.front(), Extrapolation(spacing, window.range_ms(), kPerSecond)));
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
  if (kCounter && !window.float_starts.empty()) {
    return started_rate<kPerSecond>(window, args, context);
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

template <bool kPerSecond>
Extrapolation extrapolation_at(const SeriesWindows& windows, std::size_t step) {
  const std::size_t lo = windows.lo[step];
  const Timestamp end = windows.range_end_ms(step);
  return Extrapolation(
      spacing_of(windows.times.subspan(lo, windows.hi[step] - lo), end - windows.range_ms, end),
      windows.range_ms, kPerSecond);
}

// The extrapolation of every step, for all series of equal times: two divisions per step and scrape
// group instead of per step and series.
struct Extrapolations {
  std::vector<double> factor;
  std::vector<double> sampled;   // seconds between the first and the last sample
  std::vector<double> to_start;  // seconds before the first sample that are taken to be covered
};

template <bool kPerSecond>
Extrapolations extrapolations_of(const SeriesWindows& windows) {
  const std::size_t steps = windows.lo.size();
  Extrapolations all{std::vector<double>(steps), std::vector<double>(steps),
                     std::vector<double>(steps)};
  for (std::size_t step = 0; step < steps; ++step) {
    if (windows.hi[step] < windows.lo[step] + 2) continue;
    const Extrapolation one = extrapolation_at<kPerSecond>(windows, step);
    all.factor[step] = one.factor();
    all.sampled[step] = one.sampled();
    all.to_start[step] = one.to_start();
  }
  return all;
}

template <bool kCounter, bool kPerSecond>
void rate_kernel(const SeriesWindows& windows, const CallArgs&, EvalContext&,
                 std::span<double> values, std::span<PointKind> kinds) {
  const double* samples = windows.values.data();
  const std::vector<std::uint32_t> falls =
      kCounter ? falls_of(windows.values) : std::vector<std::uint32_t>();
  const auto& known = windows.memo->get<Extrapolations>(
      [&windows] { return extrapolations_of<kPerSecond>(windows); });
  std::size_t next_fall = 0;
  for (std::size_t step = 0; step < kinds.size(); ++step) {
    const std::size_t lo = windows.lo[step];
    const std::size_t hi = windows.hi[step];
    if (hi < lo + 2) continue;
    const double first = samples[lo];
    double difference = samples[hi - 1] - first;
    if (kCounter) {
      while (next_fall < falls.size() && falls[next_fall] <= lo) ++next_fall;
      for (std::size_t i = next_fall; i < falls.size() && falls[i] < hi; ++i) {
        difference += samples[falls[i] - 1];
      }
    }
    double factor = known.factor[step];
    if (kCounter && difference > 0 && first >= 0 &&
        !zero_is_far(first, difference, known.sampled[step], known.to_start[step])) {
      factor = extrapolation_at<kPerSecond>(windows, step).counter_factor(first, difference);
    }
    values[step] = difference * factor;
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
  impl.uses_starts = kCounter;
  return impl;
}

}  // namespace

FunctionImpl rate_impl() { return rate_like<true, true>(); }
FunctionImpl increase_impl() { return rate_like<true, false>(); }
FunctionImpl delta_impl() { return rate_like<false, false>(); }

}  // namespace varve::promql::function_impls
