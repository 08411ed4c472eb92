// SPDX-License-Identifier: Apache-2.0
// changes and resets: how often the samples of a window differ from their predecessors, or fall
// below them. A step from float to histogram or back counts as both. Counts are integers, so the
// kernels take differences of a running count.
#include <algorithm>
#include <cmath>
#include <vector>

#include "model/histogram.h"
#include "promql/functions/implementations.h"
#include "promql/functions/start_times.h"
#include "promql/functions/window_kernel.h"

namespace varve::promql::function_impls {
namespace {

// kByStart: a start time that says the counter began anew makes a transition too.
struct Change {
  static constexpr bool kByStart = false;
  static bool between(double previous, double current) {
    return current != previous && !(std::isnan(current) && std::isnan(previous));
  }
  static bool between(const Histogram& previous, const Histogram& current) {
    return !model::same_data(current, previous);
  }
};

struct Reset {
  static constexpr bool kByStart = true;
  static bool between(double previous, double current) { return current < previous; }
  static bool between(const Histogram& previous, const Histogram& current) {
    return model::detect_reset(current, previous);
  }
};

struct Start {
  std::size_t first_float = 0;
  std::size_t first_histogram = 0;
  bool any = true;
};

// Where to begin: at the first sample, or in an anchored window at the last sample at or before the
// start of the range, whatever its kind. Nothing to count without a sample within the range.
Start start_of(const Window& window) {
  if (window.extension != RangeExtension::kAnchored) return {};
  const auto before = [&](std::span<const Timestamp> times) {
    return static_cast<std::size_t>(
        std::upper_bound(times.begin(), times.end(), window.range_start_ms) - times.begin());
  };
  const std::size_t floats = before(window.float_times);
  const std::size_t histograms = before(window.histogram_times);
  Start start{floats, histograms, true};
  if (floats == window.float_times.size() && histograms == window.histogram_times.size()) {
    start.any = false;
  } else if (floats > 0 && (histograms == 0 || window.float_times[floats - 1] >=
                                                   window.histogram_times[histograms - 1])) {
    --start.first_float;
  } else if (histograms > 0) {
    --start.first_histogram;
  }
  return start;
}

template <class Transition>
PointValue count_window(const Window& window, const CallArgs&, EvalContext&) {
  const Start start = start_of(window);
  if (!start.any) return PointValue::none();
  std::size_t next_float = start.first_float;
  std::size_t next_histogram = start.first_histogram;
  std::size_t count = 0;
  const double* previous_float = nullptr;  // at most one of the two is set
  const Histogram* previous_histogram = nullptr;
  const StartTimes float_starts(window.float_times, window.float_starts);
  const StartTimes histogram_starts(window.histogram_times, window.histogram_starts);
  while (next_float < window.float_times.size() ||
         next_histogram < window.histogram_times.size()) {
    const bool is_float = next_histogram == window.histogram_times.size() ||
                          (next_float < window.float_times.size() &&
                           window.float_times[next_float] < window.histogram_times[next_histogram]);
    if (is_float) {
      const std::size_t at = next_float++;
      const double& current = window.float_values[at];
      if (previous_histogram != nullptr ||
          (previous_float != nullptr &&
           (Transition::between(*previous_float, current) ||
            (Transition::kByStart && float_starts.restarted_before(at))))) {
        ++count;
      }
      previous_float = &current;
      previous_histogram = nullptr;
    } else {
      const std::size_t at = next_histogram++;
      const Histogram& current = *window.histograms[at];
      if (previous_float != nullptr ||
          (previous_histogram != nullptr &&
           (Transition::between(*previous_histogram, current) ||
            (Transition::kByStart && histogram_starts.restarted_before(at))))) {
        ++count;
      }
      previous_histogram = &current;
      previous_float = nullptr;
    }
  }
  return PointValue::of(static_cast<double>(count));
}

template <class Transition>
void count_kernel(const SeriesWindows& windows, const CallArgs&, EvalContext&,
                  std::span<double> values, std::span<PointKind> kinds) {
  // counts[i]: transitions among the first i + 1 samples.
  std::vector<std::uint32_t> counts(windows.values.size());
  for (std::size_t i = 1; i < counts.size(); ++i) {
    counts[i] = counts[i - 1] +
                (Transition::between(windows.values[i - 1], windows.values[i]) ? 1U : 0U);
  }
  for (std::size_t step = 0; step < kinds.size(); ++step) {
    if (windows.lo[step] >= windows.hi[step]) continue;
    values[step] = counts[windows.hi[step] - 1] - counts[windows.lo[step]];
    kinds[step] = PointKind::kFloat;
  }
}

template <class Transition>
FunctionImpl impl_of() {
  FunctionImpl impl;
  impl.window = count_window<Transition>;
  impl.series_kernel = count_kernel<Transition>;
  impl.extension_safe = true;
  impl.uses_starts = Transition::kByStart;
  return impl;
}

}  // namespace

FunctionImpl changes_impl() { return impl_of<Change>(); }
FunctionImpl resets_impl() { return impl_of<Reset>(); }

}  // namespace varve::promql::function_impls
