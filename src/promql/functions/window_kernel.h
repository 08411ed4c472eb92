// SPDX-License-Identifier: Apache-2.0
// Inside functions/: from a computation on the floats of one window to both forms the evaluator
// wants, so that the two cannot disagree. A core is
//   static bool compute(const FloatWindow&, const CallArgs&, double& result);
// false drops the element. It is called with at least one float.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "promql/value/function_impl.h"
#include "promql/functions/annotation_texts.h"

namespace varve::promql::function_impls {

// The floats of one window.
struct FloatWindow {
  std::span<const Timestamp> times;
  std::span<const double> values;
  Timestamp range_end_ms = 0;
  std::int64_t range_ms = 0;
  Timestamp eval_ms = 0;
  std::size_t step = 0;

  Timestamp range_start_ms() const { return range_end_ms - range_ms; }
  std::size_t size() const { return values.size(); }
};

inline FloatWindow floats_of(const Window& window) {
  return {window.float_times,  window.float_values, window.range_end_ms,
          window.range_ms(), window.eval_ms,      window.step};
}

template <typename Core>
void run_kernel(const SeriesWindows& windows, const CallArgs& args, EvalContext& context,
                std::span<double> values, std::span<PointKind> kinds) {
  for (std::size_t step = 0; step < kinds.size(); ++step) {
    const std::size_t lo = windows.lo[step];
    const std::size_t hi = windows.hi[step];
    if (lo >= hi) continue;
    const FloatWindow window{windows.times.subspan(lo, hi - lo),
                             windows.values.subspan(lo, hi - lo),
                             windows.range_end_ms(step),
                             windows.range_ms,
                             context.grid.at(step),
                             step};
    if (Core::compute(window, args, values[step])) kinds[step] = PointKind::kFloat;
  }
}

inline void remark_ignored_histograms(const Window& window, const CallArgs& args,
                                      std::size_t range_arg, EvalContext& context) {
  context.annotations.info(texts::histograms_ignored_in_mixed_range(window.series->metric_name()),
                           args.position(range_arg));
}

inline void remark_mixed_samples(const Window& window, const CallArgs& args,
                                 EvalContext& context) {
  context.annotations.warning(texts::mixed_floats_and_histograms(window.series->metric_name()),
                              args.position(0));
}

// A function that knows floats only: histograms are ignored with a remark, if floats are there too.
// `kRemarkArg` is the argument whose position the remark has.
template <typename Core, std::size_t kRemarkArg = 0>
PointValue floats_only(const Window& window, const CallArgs& args, EvalContext& context) {
  if (window.float_values.empty()) return PointValue::none();
  if (!window.histograms.empty()) remark_ignored_histograms(window, args, kRemarkArg, context);
  double result = 0;
  return Core::compute(floats_of(window), args, result) ? PointValue::of(result)
                                                        : PointValue::none();
}

}  // namespace varve::promql::function_impls
