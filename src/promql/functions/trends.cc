// SPDX-License-Identifier: Apache-2.0
// Where a series is going: deriv and predict_linear by least squares, double_exponential_smoothing.
#include <cmath>
#include <limits>
#include <string>
#include <string_view>

#include "model/compensated_sum.h"
#include "model/number.h"
#include "promql/functions/implementations.h"
#include "promql/functions/window_kernel.h"

namespace varve::promql::function_impls {
namespace {

struct Line {
  double slope = 0;      // per second
  double intercept = 0;  // at the origin
};

// The least-squares line through the samples, time counted in seconds from `origin_ms`.
Line fit(const FloatWindow& window, Timestamp origin_ms) {
  double count = 0;
  model::CompensatedSum x_sum;
  model::CompensatedSum y_sum;
  model::CompensatedSum xy_sum;
  model::CompensatedSum xx_sum;
  const double first = window.values[0];
  bool constant = true;
  for (std::size_t i = 0; i < window.size(); ++i) {
    const double y = window.values[i];
    const double x = static_cast<double>(window.times[i] - origin_ms) / 1e3;
    if (i > 0 && y != first) constant = false;
    count += 1;
    x_sum.add(x);
    y_sum.add(y);
    xy_sum.add(x * y);
    xx_sum.add(x * x);
  }
  if (constant) {
    // Rounding must not give a flat series a slope.
    if (std::isinf(first)) {
      const double nan = std::numeric_limits<double>::quiet_NaN();
      return {nan, nan};
    }
    return {0, first};
  }
  const double x = x_sum.value();
  const double y = y_sum.value();
  const double covariance = xy_sum.value() - x * y / count;
  const double variance = xx_sum.value() - x * x / count;
  Line line;
  line.slope = covariance / variance;
  line.intercept = y / count - line.slope * x / count;
  return line;
}

struct DerivCore {
  static bool compute(const FloatWindow& window, const CallArgs&, double& result) {
    if (window.size() < 2) return false;
    // An origin near the samples keeps the sums small.
    result = fit(window, window.times[0]).slope;
    return true;
  }
};

struct PredictCore {
  static bool compute(const FloatWindow& window, const CallArgs& args, double& result) {
    if (window.size() < 2) return false;
    const Line line = fit(window, window.eval_ms);
    result = line.slope * args.scalar(1, window.step) + line.intercept;
    return true;
  }
};

// Smoothed value and trend, each an exponential average (Holt's linear method).
struct SmoothingCore {
  static bool compute(const FloatWindow& window, const CallArgs& args, double& result) {
    if (window.size() < 2) return false;
    const double smoothing = args.scalar(1, window.step);
    const double trend_factor = args.scalar(2, window.step);
    double previous = 0;
    double current = window.values[0];
    double trend = window.values[1] - window.values[0];
    for (std::size_t i = 1; i < window.size(); ++i) {
      const double scaled = smoothing * window.values[i];
      if (i > 1) trend = trend_factor * (current - previous) + (1 - trend_factor) * trend;
      const double carried = (1 - smoothing) * (current + trend);
      previous = current;
      current = scaled + carried;
    }
    result = current;
    return true;
  }
};

Status check_factor(const CallArgs& args, std::size_t arg, std::size_t step_count,
                    std::string_view name, std::string_view symbol) {
  for (std::size_t step = 0; step < step_count; ++step) {
    const double factor = args.scalar(arg, step);
    if (factor > 0 && factor < 1) continue;
    std::string text = "invalid ";
    text.append(name).append(" factor. Expected: 0 < ").append(symbol).append(" < 1, got: ");
    return Error(ErrorCode::kExecution, text + model::format_float_fixed(factor));
  }
  return {};
}

Status check_smoothing(const CallArgs& args, std::size_t step_count) {
  if (Status smoothing = check_factor(args, 1, step_count, "smoothing", "sf"); !smoothing.ok()) {
    return smoothing;
  }
  return check_factor(args, 2, step_count, "trend", "tf");
}

template <class Core>
FunctionImpl impl_of() {
  FunctionImpl impl;
  impl.window = floats_only<Core>;
  impl.series_kernel = run_kernel<Core>;
  return impl;
}

}  // namespace

FunctionImpl deriv_impl() { return impl_of<DerivCore>(); }
FunctionImpl predict_linear_impl() { return impl_of<PredictCore>(); }
FunctionImpl double_exponential_smoothing_impl() {
  FunctionImpl impl = impl_of<SmoothingCore>();
  impl.check = check_smoothing;
  return impl;
}

}  // namespace varve::promql::function_impls
