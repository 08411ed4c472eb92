// SPDX-License-Identifier: Apache-2.0
// How the samples of a window are spread: quantile_over_time, mad_over_time, stddev and stdvar.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
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

// The order keys of a sliding window, kept sorted while a step changes little of it.
class SortedWindow {
 public:
  explicit SortedWindow(std::span<const double> samples) : samples_(samples) {}

  // Whether sliding on to these samples beats selection among them: each one that comes or goes
  // moves half of the others, but moving is far cheaper than comparing.
  bool worth_sliding(std::size_t lo, std::size_t hi) const {
    constexpr std::size_t kChangesMax = 32;
    const std::size_t changes = (lo - lo_) + (hi - hi_);
    return lo < hi_ && changes <= kChangesMax && 4 * changes < hi - lo;
  }

  // A window that worth_sliding() refused.
  void skip_to(std::size_t lo, std::size_t hi) {
    lo_ = lo;
    hi_ = hi;
    sorted_ = false;
  }

  std::span<const std::int64_t> slide_to(std::size_t lo, std::size_t hi) {
    if (!sorted_) {
      keys_.clear();
      for (std::size_t i = lo_; i < hi_; ++i) keys_.push_back(order_key(samples_[i]));
      std::sort(keys_.begin(), keys_.end());
      sorted_ = true;
    }
    for (; lo_ < lo; ++lo_) {
      keys_.erase(std::lower_bound(keys_.begin(), keys_.end(), order_key(samples_[lo_])));
    }
    for (; hi_ < hi; ++hi_) {
      const std::int64_t key = order_key(samples_[hi_]);
      keys_.insert(std::upper_bound(keys_.begin(), keys_.end(), key), key);
    }
    return keys_;
  }

 private:
  const std::span<const double> samples_;
  std::vector<std::int64_t> keys_;  // of samples [lo_, hi_) if sorted_
  std::size_t lo_ = 0;
  std::size_t hi_ = 0;
  bool sorted_ = false;
};

void quantile_kernel(const SeriesWindows& windows, const CallArgs& args, EvalContext& context,
                     std::span<double> values, std::span<PointKind> kinds) {
  SortedWindow sorted(windows.values);
  std::vector<double> scratch;
  for (std::size_t step = 0; step < kinds.size(); ++step) {
    const std::uint32_t lo = windows.lo[step];
    const std::uint32_t hi = windows.hi[step];
    if (lo >= hi) continue;
    const double q = args.scalar(0, step);
    remark_quantile(q, args, context);
    if (sorted.worth_sliding(lo, hi)) {
      values[step] = quantile_of_sorted(q, sorted.slide_to(lo, hi));
    } else {
      scratch.assign(windows.values.begin() + lo, windows.values.begin() + hi);
      values[step] = quantile_of(q, scratch);
      sorted.skip_to(lo, hi);
    }
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
