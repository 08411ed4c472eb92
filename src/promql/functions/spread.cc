// SPDX-License-Identifier: Apache-2.0
// How the samples of a window are spread: quantile_over_time, mad_over_time, stddev and stdvar.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "model/compensated_sum.h"
#include "promql/functions/implementations.h"
#include "promql/functions/quantile.h"
#include "promql/functions/window_kernel.h"

namespace varve::promql::function_impls {
namespace {

bool valid_quantile(double q) { return q >= 0 && q <= 1; }

void remark_quantile(double q, const CallArgs& args, EvalContext& context) {
  if (!valid_quantile(q)) context.annotations.warning(texts::invalid_quantile(q), args.position(0));
}

struct QuantileCore {
  static bool compute(const FloatWindow& window, const CallArgs& args, double& result) {
    std::vector<double> values(window.values.begin(), window.values.end());
    result = quantile_of(args.scalar(0, window.step), values);
    return true;
  }
};

PointValue quantile_window(const Window& window, const CallArgs& args, EvalContext& context) {
  if (window.float_values.empty()) return PointValue::none();
  remark_quantile(args.scalar(0, window.step), args, context);
  return floats_only<QuantileCore>(window, args, context);
}

void quantile_kernel(const SeriesWindows& windows, const CallArgs& args, EvalContext& context,
                     std::span<double> values, std::span<PointKind> kinds) {
  std::vector<double> scratch;
  for (std::size_t step = 0; step < kinds.size(); ++step) {
    const std::uint32_t lo = windows.lo[step];
    const std::uint32_t hi = windows.hi[step];
    if (lo >= hi) continue;
    const double q = args.scalar(0, step);
    remark_quantile(q, args, context);
    scratch.assign(windows.values.begin() + lo, windows.values.begin() + hi);
    values[step] = quantile_of(q, scratch);
    kinds[step] = PointKind::kFloat;
  }
}

// The median of the distances to the median. One NaN makes it NaN.
struct MadCore {
  static bool compute(const FloatWindow& window, const CallArgs&, double& result) {
    std::vector<double> values(window.values.begin(), window.values.end());
    if (std::any_of(values.begin(), values.end(), [](double value) { return std::isnan(value); })) {
      result = std::numeric_limits<double>::quiet_NaN();
      return true;
    }
    const double median = quantile_of(0.5, values);
    for (double& value : values) value = std::fabs(value - median);
    result = quantile_of(0.5, values);
    return true;
  }
};

// Welford's method with both running values compensated.
double variance_of(std::span<const double> values) {
  double count = 0;
  model::CompensatedSum mean;
  model::CompensatedSum squares;
  for (const double value : values) {
    count += 1;
    const double delta = value - mean.value();
    mean.add(delta / count);
    squares.add(delta * (value - mean.value()));
  }
  return squares.value() / count;
}

struct VarianceCore {
  static bool compute(const FloatWindow& window, const CallArgs&, double& result) {
    result = variance_of(window.values);
    return true;
  }
};

struct DeviationCore {
  static bool compute(const FloatWindow& window, const CallArgs&, double& result) {
    result = std::sqrt(variance_of(window.values));
    return true;
  }
};

template <class Core>
FunctionImpl impl_of() {
  FunctionImpl impl;
  impl.window = floats_only<Core>;
  impl.series_kernel = run_kernel<Core>;
  return impl;
}

}  // namespace

FunctionImpl quantile_over_time_impl() {
  FunctionImpl impl;
  impl.window = quantile_window;
  impl.series_kernel = quantile_kernel;
  return impl;
}
FunctionImpl mad_over_time_impl() { return impl_of<MadCore>(); }
FunctionImpl stddev_over_time_impl() { return impl_of<DeviationCore>(); }
FunctionImpl stdvar_over_time_impl() { return impl_of<VarianceCore>(); }

}  // namespace varve::promql::function_impls
