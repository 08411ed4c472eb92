// SPDX-License-Identifier: Apache-2.0
// sum_over_time and avg_over_time, with compensated summation; a mean whose sum would overflow goes
// on as an incremental mean. Each window is summed anew: a running sum over sliding windows would
// be faster for long ones, but its last bits would depend on where the query began.
#include <cmath>
#include <memory>
#include <optional>
#include <utility>

#include "model/compensated_sum.h"
#include "model/histogram.h"
#include "promql/functions/implementations.h"
#include "promql/functions/range_histograms.h"
#include "promql/functions/window_kernel.h"

namespace varve::promql::function_impls {
namespace {

struct SumCore {
  static bool compute(const FloatWindow& window, const CallArgs&, double& result) {
    model::CompensatedSum sum;
    for (const double value : window.values) sum.add(value);
    result = std::isinf(sum.sum) ? sum.sum : sum.value();
    return true;
  }
};

struct AverageCore {
  static bool compute(const FloatWindow& window, const CallArgs&, double& result) {
    model::CompensatedSum sum{window.values[0], 0};
    std::size_t i = 1;
    for (; i < window.size(); ++i) {
      model::CompensatedSum next = sum;
      next.add(window.values[i]);
      if (std::isinf(next.sum)) break;
      sum = next;
    }
    const auto summed = static_cast<double>(i);
    if (i == window.size()) {
      result = sum.sum / summed + sum.compensation / summed;
      return true;
    }
    model::CompensatedSum mean{sum.sum / summed, sum.compensation / summed};
    for (; i < window.size(); ++i) {
      const auto count = static_cast<double>(i + 1);
      const double weight = (count - 1) / count;
      mean.sum *= weight;
      mean.compensation *= weight;
      mean.add(window.values[i] / count);
    }
    result = mean.value();
    return true;
  }
};

// Remarks that a sum over histograms gives rise to, made once at its end.
struct SumRemarks {
  bool reset_seen = false;
  bool not_reset_seen = false;
  bool bounds_reconciled = false;

  void look_at(const Histogram& histogram) {
    reset_seen |= histogram.counter_reset_hint == CounterResetHint::kReset;
    not_reset_seen |= histogram.counter_reset_hint == CounterResetHint::kNotReset;
  }
  void report(const RangeRemarks& remarks) const {
    if (reset_seen && not_reset_seen) remarks.warning(texts::kResetCollisionInAggregation);
    if (bounds_reconciled) remarks.info(texts::kBoundsReconciledInAggregation);
  }
};

bool add_to(model::HistogramSum& sum, const Histogram& histogram, SumRemarks& seen) {
  seen.look_at(histogram);
  const model::ArithmeticOutcome outcome = sum.add(histogram);
  seen.bounds_reconciled |= outcome.bounds_reconciled;
  return outcome.compatible;
}

// The sum of the first `count` histograms; nothing if their schemas do not go together.
std::optional<model::HistogramSum> sum_of(std::span<const HistogramPtr> histograms,
                                          SumRemarks& seen) {
  model::HistogramSum sum(*histograms[0]);
  seen.look_at(*histograms[0]);
  for (const HistogramPtr& histogram : histograms.subspan(1)) {
    if (!add_to(sum, *histogram, seen)) return std::nullopt;
  }
  return sum;
}

std::optional<Histogram> average_of(std::span<const HistogramPtr> histograms, SumRemarks& seen) {
  std::optional<model::HistogramSum> sum = sum_of(histograms, seen);
  if (!sum) return std::nullopt;
  if (!model::has_overflow(sum->uncompensated())) {
    sum->divide(static_cast<double>(histograms.size()));
    return sum->result();
  }
  // Rare, so the place where it overflows is looked for from the start. An infinity once in the sum
  // stays there, so the first overflow is where the mean takes over.
  model::HistogramSum mean(*histograms[0]);
  std::size_t i = 1;
  for (; i < histograms.size(); ++i) {
    model::HistogramSum next = mean;
    next.add(*histograms[i]);
    if (model::has_overflow(next.uncompensated())) break;
    mean = std::move(next);
  }
  if (i == histograms.size()) {
    mean.divide(static_cast<double>(i));
    return mean.result();
  }
  mean.divide(static_cast<double>(i));
  for (; i < histograms.size(); ++i) {
    const auto count = static_cast<double>(i + 1);
    mean.multiply((count - 1) / count);
    Histogram share = *histograms[i];
    model::divide(share, count);
    mean.add(share);
  }
  return mean.result();
}

template <class Core, bool kAverage>
PointValue sum_window(const Window& window, const CallArgs& args, EvalContext& context) {
  if (!window.float_values.empty() && !window.histograms.empty()) {
    remark_mixed_samples(window, args, context);
    return PointValue::none();
  }
  if (window.histograms.empty()) return floats_only<Core>(window, args, context);

  const RangeRemarks remarks(window, args, context);
  SumRemarks seen;
  std::optional<Histogram> result;
  if (kAverage) {
    result = average_of(window.histograms, seen);
  } else if (std::optional<model::HistogramSum> sum = sum_of(window.histograms, seen)) {
    result = sum->result();
  }
  if (!result) {
    remarks.mixed_bucket_schemas();
    return PointValue::none();
  }
  seen.report(remarks);
  return PointValue::of(std::make_shared<const Histogram>(*std::move(result)));
}

}  // namespace

FunctionImpl sum_over_time_impl() {
  FunctionImpl impl;
  impl.window = sum_window<SumCore, false>;
  impl.series_kernel = run_kernel<SumCore>;
  return impl;
}

FunctionImpl avg_over_time_impl() {
  FunctionImpl impl;
  impl.window = sum_window<AverageCore, true>;
  impl.series_kernel = run_kernel<AverageCore>;
  return impl;
}

}  // namespace varve::promql::function_impls
