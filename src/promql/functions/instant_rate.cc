// SPDX-License-Identifier: Apache-2.0
// irate and idelta: the difference between the last two samples of a window, for irate per second
// and with a counter reset between them made up for.
#include <memory>
#include <utility>

#include "model/histogram.h"
#include "promql/functions/implementations.h"
#include "promql/functions/range_histograms.h"
#include "promql/functions/start_times.h"
#include "promql/functions/window_kernel.h"

namespace varve::promql::function_impls {
namespace {

template <bool kRate>
struct InstantCore {
  static bool compute(const FloatWindow& window, const CallArgs&, double& result) {
    return compute(window, false, result);
  }
  // `restarted`: the last sample's start time says that the counter began anew.
  static bool compute(const FloatWindow& window, bool restarted, double& result) {
    const std::size_t n = window.size();
    if (n < 2) return false;
    const std::int64_t interval_ms = window.times[n - 1] - window.times[n - 2];
    if (interval_ms == 0) return false;
    const double previous = window.values[n - 2];
    const double last = window.values[n - 1];
    result = kRate && (last < previous || restarted) ? last : last - previous;
    if (kRate) result /= static_cast<double>(interval_ms) / 1000;
    return true;
  }
};

template <bool kRate>
PointValue of_histograms(const Window& window, const CallArgs& args, EvalContext& context) {
  const std::size_t n = window.histograms.size();
  const std::int64_t interval_ms = window.histogram_times[n - 1] - window.histogram_times[n - 2];
  if (interval_ms == 0) return PointValue::none();
  const Histogram& previous = *window.histograms[n - 2];
  Histogram result = *window.histograms[n - 1];
  const RangeRemarks remarks(window, args, context);
  const bool both_gauges = previous.counter_reset_hint == CounterResetHint::kGauge &&
                           result.counter_reset_hint == CounterResetHint::kGauge;
  const bool any_gauge = previous.counter_reset_hint == CounterResetHint::kGauge ||
                         result.counter_reset_hint == CounterResetHint::kGauge;
  if (kRate && any_gauge) remarks.not_a_counter();
  if (!kRate && !both_gauges) remarks.not_a_gauge();
  const StartTimes starts(window.histogram_times, window.histogram_starts);
  if (!kRate || !(starts.restarted_before(n - 1) || model::detect_reset(result, previous))) {
    if (!subtract_with_remarks(result, previous, remarks)) return PointValue::none();
  }
  result.counter_reset_hint = CounterResetHint::kGauge;
  model::compact(result);
  if (kRate) model::divide(result, static_cast<double>(interval_ms) / 1000);
  return PointValue::of(std::make_shared<const Histogram>(std::move(result)));
}

// How many of the last two samples of the window are histograms.
std::size_t histograms_among_last_two(const Window& window) {
  std::size_t floats = window.float_times.size();
  std::size_t histograms = window.histogram_times.size();
  std::size_t found = 0;
  for (int i = 0; i < 2; ++i) {
    if (histograms > 0 && (floats == 0 || window.histogram_times[histograms - 1] >=
                                              window.float_times[floats - 1])) {
      --histograms;
      ++found;
    } else {
      --floats;
    }
  }
  return found;
}

template <bool kRate>
PointValue instant_window(const Window& window, const CallArgs& args, EvalContext& context) {
  if (window.float_values.size() + window.histograms.size() < 2) return PointValue::none();
  switch (histograms_among_last_two(window)) {
    case 0: {
      double result = 0;
      const bool restarted = StartTimes(window.float_times, window.float_starts)
                                 .restarted_before(window.float_times.size() - 1);
      const bool present = InstantCore<kRate>::compute(floats_of(window), restarted, result);
      return present ? PointValue::of(result) : PointValue::none();
    }
    case 2:
      return of_histograms<kRate>(window, args, context);
    default:
      remark_mixed_samples(window, args, context);
      return PointValue::none();
  }
}

template <bool kRate>
FunctionImpl instant_impl() {
  FunctionImpl impl;
  impl.window = instant_window<kRate>;
  impl.series_kernel = run_kernel<InstantCore<kRate>>;
  impl.uses_starts = kRate;
  return impl;
}

}  // namespace

FunctionImpl irate_impl() { return instant_impl<true>(); }
FunctionImpl idelta_impl() { return instant_impl<false>(); }

}  // namespace varve::promql::function_impls
