// SPDX-License-Identifier: Apache-2.0
// rate, increase and delta: the difference between the last and the first sample of a window, made
// up for counter resets, extrapolated to the borders of the window where samples come close to
// them. `anchored` and `smoothed` windows are extended_rate.cc's.
//
// A sample whose start time lies within the window says more: there the counter was zero, so that
// nothing is extrapolated to the left, and one sample is enough.
#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "model/histogram.h"
#include "promql/functions/extended_rate.h"
#include "promql/functions/extrapolation.h"
#include "promql/functions/implementations.h"
#include "promql/functions/range_histograms.h"
#include "promql/functions/start_times.h"
#include "promql/functions/window_kernel.h"
#include "promql/value/column_ops.h"

namespace varve::promql::function_impls {
namespace {

// What to multiply with what a counter rose by since `start_ms`, where it was zero; `spacing` is
// that of the samples.
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

template <bool kPerSecond>
Extrapolation extrapolation_at(const SeriesWindows& windows, std::size_t step) {
  const std::size_t lo = windows.lo[step];
  const Timestamp end = windows.range_end_ms(step);
  return Extrapolation(
      spacing_of(windows.times.subspan(lo, windows.hi[step] - lo), end - windows.range_ms, end),
      windows.range_ms, kPerSecond);
}

// What every step is about, for all series of equal times: two divisions per step and scrape group
// instead of per step and series.
struct RateSteps {
  // The outermost samples of the windows; 0 and 0 where a window has not two.
  std::vector<std::int32_t> first, last;
  std::vector<double> factor;
  // A counter that was more than `reach` of its rise at the first sample was above zero where it is
  // extrapolated to; a little too much, by what rounding can do.
  std::vector<double> reach;
  std::vector<PointKind> kinds;
};

template <bool kPerSecond>
RateSteps rate_steps_of(const SeriesWindows& windows) {
  const std::size_t steps = windows.lo.size();
  RateSteps all{std::vector<std::int32_t>(steps), std::vector<std::int32_t>(steps),
                std::vector<double>(steps), std::vector<double>(steps),
                std::vector<PointKind>(steps)};
  for (std::size_t step = 0; step < steps; ++step) {
    if (windows.hi[step] < windows.lo[step] + 2) continue;
    const Extrapolation one = extrapolation_at<kPerSecond>(windows, step);
    all.first[step] = static_cast<std::int32_t>(windows.lo[step]);
    all.last[step] = static_cast<std::int32_t>(windows.hi[step] - 1);
    all.factor[step] = one.factor();
    all.reach[step] = one.to_start() / one.sampled() * kFarMargin;
    all.kinds[step] = PointKind::kFloat;
  }
  return all;
}

// Step by step: with the falls of a counter, and down to its zero. Steps [from, to).
template <bool kCounter, bool kPerSecond>
void rates_plain(const SeriesWindows& windows, const RateSteps& known,
                 std::span<const std::uint32_t> falls, std::size_t from, std::size_t to,
                 double* values) {
  const double* samples = windows.values.data();
  std::size_t next_fall = 0;
  for (std::size_t step = from; step < to; ++step) {
    const auto lo = static_cast<std::uint32_t>(known.first[step]);
    const auto hi = static_cast<std::uint32_t>(known.last[step]) + 1;
    const double first = samples[lo];
    double difference = samples[hi - 1] - first;
    if (kCounter) {
      while (next_fall < falls.size() && falls[next_fall] <= lo) ++next_fall;
      for (std::size_t i = next_fall; i < falls.size() && falls[i] < hi; ++i) {
        difference += samples[falls[i] - 1];
      }
    }
    double factor = known.factor[step];
    if (kCounter && difference > 0 && first >= 0 && !(first > known.reach[step] * difference)) {
      factor = extrapolation_at<kPerSecond>(windows, step).counter_factor(first, difference);
    }
    values[step] = difference * factor;
  }
}

#ifdef __x86_64__
// Where nothing falls; how many steps were done, a multiple of four.
template <bool kCounter, bool kPerSecond>
__attribute__((target("avx2"))) std::size_t rates_avx2(const SeriesWindows& windows,
                                                       const RateSteps& known, double* values) {
  const double* samples = windows.values.data();
  const __m256d zero = _mm256_setzero_pd();
  const std::size_t fours = known.first.size() & ~std::size_t{3};
  // Four loads: a gather takes twice as long.
  const auto samples_at = [samples](const std::int32_t* at) __attribute__((target("avx2"))) {
    return _mm256_set_pd(samples[at[3]], samples[at[2]], samples[at[1]], samples[at[0]]);
  };
  for (std::size_t step = 0; step < fours; step += 4) {
    const __m256d first = samples_at(known.first.data() + step);
    const __m256d last = samples_at(known.last.data() + step);
    const __m256d difference = _mm256_sub_pd(last, first);
    _mm256_storeu_pd(values + step,
                     _mm256_mul_pd(difference, _mm256_loadu_pd(known.factor.data() + step)));
    if (!kCounter) continue;
    const __m256d reach = _mm256_mul_pd(_mm256_loadu_pd(known.reach.data() + step), difference);
    const __m256d rises = _mm256_and_pd(_mm256_cmp_pd(difference, zero, _CMP_GT_OQ),
                                        _mm256_cmp_pd(first, zero, _CMP_GE_OQ));
    const __m256d near = _mm256_cmp_pd(first, reach, _CMP_NGT_UQ);
    if (_mm256_movemask_pd(_mm256_and_pd(rises, near)) != 0) {
      rates_plain<kCounter, kPerSecond>(windows, known, {}, step, step + 4, values);
    }
  }
  return fours;
}

const bool kHaveAvx2 = __builtin_cpu_supports("avx2") != 0;
#endif

template <bool kCounter, bool kPerSecond>
void rate_kernel(const SeriesWindows& windows, const CallArgs&, EvalContext&,
                 std::span<double> values, std::span<PointKind> kinds) {
  if (windows.values.empty()) return;
  static thread_local std::vector<std::uint32_t> falls;
  falls.clear();
  if (kCounter && !windows.rising) find_falls(windows.values, falls);
  const auto& known = windows.memo->get<RateSteps>(
      [&windows] { return rate_steps_of<kPerSecond>(windows); });
  std::copy(known.kinds.begin(), known.kinds.end(), kinds.begin());
  std::size_t done = 0;
#ifdef __x86_64__
  if (kHaveAvx2 && falls.empty()) {
    done = rates_avx2<kCounter, kPerSecond>(windows, known, values.data());
  }
#endif
  rates_plain<kCounter, kPerSecond>(windows, known, falls, done, kinds.size(), values.data());
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
