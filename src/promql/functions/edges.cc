// SPDX-License-Identifier: Apache-2.0
// What a window shows at a glance: how many samples it has, whether there are any, the first and
// the last of them.
#include <limits>

#include "promql/functions/implementations.h"
#include "promql/functions/window_kernel.h"

namespace varve::promql::function_impls {
namespace {

double seconds(Timestamp time_ms) { return static_cast<double>(time_ms) / 1000; }

struct CountCore {
  static bool compute(const FloatWindow& window, const CallArgs&, double& result) {
    result = static_cast<double>(window.size());
    return true;
  }
};

struct PresentCore {
  static bool compute(const FloatWindow&, const CallArgs&, double& result) {
    result = 1;
    return true;
  }
};

struct FirstCore {
  static bool compute(const FloatWindow& window, const CallArgs&, double& result) {
    result = window.values.front();
    return true;
  }
};

struct LastCore {
  static bool compute(const FloatWindow& window, const CallArgs&, double& result) {
    result = window.values.back();
    return true;
  }
};

struct FirstTimeCore {
  static bool compute(const FloatWindow& window, const CallArgs&, double& result) {
    result = seconds(window.times.front());
    return true;
  }
};

struct LastTimeCore {
  static bool compute(const FloatWindow& window, const CallArgs&, double& result) {
    result = seconds(window.times.back());
    return true;
  }
};

PointValue count_window(const Window& window, const CallArgs&, EvalContext&) {
  return PointValue::of(
      static_cast<double>(window.float_values.size() + window.histograms.size()));
}

PointValue present_window(const Window&, const CallArgs&, EvalContext&) {
  return PointValue::of(1.0);
}

// A float and a histogram at one time do not occur; the histogram would win.
bool first_is_float(const Window& window) {
  return window.histograms.empty() ||
         (!window.float_values.empty() &&
          window.float_times.front() < window.histogram_times.front());
}

bool last_is_float(const Window& window) {
  return window.histograms.empty() ||
         (!window.float_values.empty() &&
          window.histogram_times.back() < window.float_times.back());
}

PointValue first_window(const Window& window, const CallArgs&, EvalContext&) {
  if (first_is_float(window)) return PointValue::of(window.float_values.front());
  return PointValue::of(window.histograms.front());
}

PointValue last_window(const Window& window, const CallArgs&, EvalContext&) {
  if (last_is_float(window)) return PointValue::of(window.float_values.back());
  return PointValue::of(window.histograms.back());
}

PointValue first_time_window(const Window& window, const CallArgs&, EvalContext&) {
  return PointValue::of(seconds(first_is_float(window) ? window.float_times.front()
                                                       : window.histogram_times.front()));
}

PointValue last_time_window(const Window& window, const CallArgs&, EvalContext&) {
  return PointValue::of(seconds(last_is_float(window) ? window.float_times.back()
                                                      : window.histogram_times.back()));
}

template <class Core>
FunctionImpl impl_of(WindowFunction window, bool keeps_name = false) {
  FunctionImpl impl;
  impl.window = window;
  impl.series_kernel = run_kernel<Core>;
  impl.keeps_name = keeps_name;
  return impl;
}

}  // namespace

FunctionImpl count_over_time_impl() { return impl_of<CountCore>(count_window); }
FunctionImpl present_over_time_impl() { return impl_of<PresentCore>(present_window); }
FunctionImpl first_over_time_impl() { return impl_of<FirstCore>(first_window, true); }
FunctionImpl last_over_time_impl() { return impl_of<LastCore>(last_window, true); }
FunctionImpl ts_of_first_over_time_impl() { return impl_of<FirstTimeCore>(first_time_window); }
FunctionImpl ts_of_last_over_time_impl() { return impl_of<LastTimeCore>(last_time_window); }

}  // namespace varve::promql::function_impls
