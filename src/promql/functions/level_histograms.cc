// SPDX-License-Identifier: Apache-2.0
// Windows over buckets of native histograms. Sums of histograms add up like those of floats, and
// what a counter rose by is put together as in level_rate.cc.
#include "promql/functions/level_histograms.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "model/histogram.h"
#include "promql/functions/annotation_texts.h"
#include "promql/functions/extrapolation.h"
#include "promql/functions/range_histograms.h"

namespace varve::promql::function_impls {
namespace {

using storage::HistogramBuckets;

double seconds(Timestamp time_ms) { return static_cast<double>(time_ms) / 1000; }

// One window: positions in the buckets of floats and of histograms.
struct Ends {
  const storage::SeriesBuckets& floats;
  const HistogramBuckets& histograms;
  std::size_t lo;  // of floats; none if lo == hi
  std::size_t hi;
  std::size_t histogram_lo;
  std::size_t histogram_hi;

  Ends(const LevelWindows& windows, std::size_t step)
      : floats(windows.buckets),
        histograms(windows.buckets.histograms),
        lo(windows.lo[step]),
        hi(windows.hi[step]),
        histogram_lo(windows.histogram_lo[step]),
        histogram_hi(windows.histogram_hi[step]) {}

  bool any_float() const { return lo < hi; }
  // A float and a histogram at one time do not occur; the histogram would win.
  bool first_is_float() const {
    return any_float() && floats.first_times[lo] < histograms.first_times[histogram_lo];
  }
  bool last_is_float() const {
    return any_float() && floats.last_times[hi - 1] > histograms.last_times[histogram_hi - 1];
  }
};

// Remarks want a window of samples, of which they use the series only.
Window nameplate(const LevelWindows& windows) {
  Window window;
  window.series = windows.series;
  return window;
}

PointValue of(Histogram histogram) {
  return PointValue::of(std::make_shared<const Histogram>(std::move(histogram)));
}

bool is_gauge(const HistogramPtr& histogram) {
  return histogram->counter_reset_hint == CounterResetHint::kGauge;
}

bool reset_between(const HistogramBuckets& buckets, std::size_t next) {
  return model::detect_reset(*buckets.firsts[next], *buckets.lasts[next - 1]);
}

// What the histograms of a window rose by; a gauge, compacted.
std::optional<Histogram> difference_of(const Ends& ends, bool counter,
                                       const RangeRemarks& remarks) {
  const HistogramBuckets& buckets = ends.histograms;
  const Histogram& first = *buckets.firsts[ends.histogram_lo];
  const Histogram& last = *buckets.lasts[ends.histogram_hi - 1];
  std::int32_t schema = std::min(first.schema, last.schema);
  bool any_gauge = false;
  for (std::size_t i = ends.histogram_lo; i < ends.histogram_hi; ++i) {
    // The sum of a bucket has the lowest schema in it. It has none if kinds of schemas are mixed.
    for (const HistogramPtr& histogram : {buckets.firsts[i], buckets.lasts[i], buckets.sums[i]}) {
      if (histogram == nullptr || histogram->custom_buckets() != first.custom_buckets()) {
        remarks.mixed_bucket_schemas();
        return std::nullopt;
      }
      if (counter) schema = std::min(schema, histogram->schema);
    }
    any_gauge = any_gauge || is_gauge(buckets.firsts[i]) || is_gauge(buckets.lasts[i]);
  }
  if (counter && any_gauge) remarks.not_a_counter();
  if (!counter && !(is_gauge(buckets.firsts[ends.histogram_lo]) &&
                    is_gauge(buckets.lasts[ends.histogram_hi - 1]))) {
    remarks.not_a_gauge();
  }
  Histogram difference = last.custom_buckets() ? last : model::copy_to_schema(last, schema);
  if (!subtract_with_remarks(difference, first, remarks)) return std::nullopt;
  for (std::size_t i = ends.histogram_lo; counter && i < ends.histogram_hi; ++i) {
    if (i > ends.histogram_lo && reset_between(buckets, i) &&
        !add_with_remarks(difference, *buckets.lasts[i - 1], remarks)) {
      return std::nullopt;
    }
    if (buckets.reset_sums[i] != nullptr &&
        !add_with_remarks(difference, *buckets.reset_sums[i], remarks)) {
      return std::nullopt;
    }
  }
  difference.counter_reset_hint = CounterResetHint::kGauge;
  model::compact(difference);
  return difference;
}

double count_of(const Ends& ends) {
  double count = 0;
  for (std::size_t i = ends.histogram_lo; i < ends.histogram_hi; ++i) {
    count += ends.histograms.counts[i];
  }
  return count;
}

PointValue rate_of(const LevelWindows& windows, std::size_t step, const CallArgs& args,
                   EvalContext& context, bool counter, bool per_second) {
  const Window window = nameplate(windows);
  const RangeRemarks remarks(window, args, context);
  const Ends ends(windows, step);
  if (ends.any_float()) {
    remarks.mixed_floats_and_histograms();
    return PointValue::none();
  }
  const double count = count_of(ends);
  if (count < 2) return PointValue::none();
  std::optional<Histogram> difference = difference_of(ends, counter, remarks);
  if (!difference) return PointValue::none();
  const Timestamp first_ms = ends.histograms.first_times[ends.histogram_lo];
  const Timestamp last_ms = ends.histograms.last_times[ends.histogram_hi - 1];
  const Extrapolation extrapolation({first_ms - windows.starts[step], windows.ends[step] - last_ms,
                                     last_ms - first_ms, static_cast<std::size_t>(count)},
                                    windows.ends[step] - windows.starts[step], per_second);
  const double first = ends.histograms.firsts[ends.histogram_lo]->count;
  double factor = extrapolation.factor();
  if (counter && difference->count > 0 && first >= 0) {
    factor = extrapolation.counter_factor(first, difference->count);
  }
  if (!per_second) factor *= windows.range_share(step);
  model::multiply(*difference, factor);
  return of(*std::move(difference));
}

// The sum of the window's histograms, with what summing gives rise to remarked on.
std::optional<model::HistogramSum> sum_of(const LevelWindows& windows, const Ends& ends,
                                          const CallArgs& args, EvalContext& context) {
  const Window window = nameplate(windows);
  const RangeRemarks remarks(window, args, context);
  if (ends.any_float()) {
    remarks.mixed_floats_and_histograms();
    return std::nullopt;
  }
  const auto first = ends.histograms.sums.begin();
  const auto at = [&](std::size_t i) { return first + static_cast<std::ptrdiff_t>(i); };
  // A bucket with exponential and custom buckets has no sum.
  if (std::find(at(ends.histogram_lo), at(ends.histogram_hi), nullptr) != at(ends.histogram_hi)) {
    remarks.mixed_bucket_schemas();
    return std::nullopt;
  }
  model::HistogramSum sum(*ends.histograms.sums[ends.histogram_lo]);
  for (std::size_t i = ends.histogram_lo + 1; i < ends.histogram_hi; ++i) {
    const model::ArithmeticOutcome outcome = sum.add(*ends.histograms.sums[i]);
    if (!outcome.compatible) {
      remarks.mixed_bucket_schemas();
      return std::nullopt;
    }
    if (outcome.bounds_reconciled) remarks.info(texts::kBoundsReconciledInAggregation);
  }
  return sum;
}

}  // namespace

PointValue level_count(const LevelWindows& windows, std::size_t step, const PointValue& floats,
                       const CallArgs&, EvalContext&) {
  const double of_floats = floats.kind == PointKind::kNone ? 0 : floats.value;
  return PointValue::of(of_floats + windows.counted(count_of(Ends(windows, step)), step));
}

PointValue level_present(const LevelWindows&, std::size_t, const PointValue&, const CallArgs&,
                         EvalContext&) {
  return PointValue::of(1.0);
}

PointValue level_first(const LevelWindows& windows, std::size_t step, const PointValue& floats,
                       const CallArgs&, EvalContext&) {
  const Ends ends(windows, step);
  if (ends.first_is_float()) return floats;
  return PointValue::of(ends.histograms.firsts[ends.histogram_lo]);
}

PointValue level_last(const LevelWindows& windows, std::size_t step, const PointValue& floats,
                      const CallArgs&, EvalContext&) {
  const Ends ends(windows, step);
  if (ends.last_is_float()) return floats;
  return PointValue::of(ends.histograms.lasts[ends.histogram_hi - 1]);
}

PointValue level_first_time(const LevelWindows& windows, std::size_t step, const PointValue& floats,
                            const CallArgs&, EvalContext&) {
  const Ends ends(windows, step);
  if (ends.first_is_float()) return floats;
  return PointValue::of(seconds(ends.histograms.first_times[ends.histogram_lo]));
}

PointValue level_last_time(const LevelWindows& windows, std::size_t step, const PointValue& floats,
                           const CallArgs&, EvalContext&) {
  const Ends ends(windows, step);
  if (ends.last_is_float()) return floats;
  return PointValue::of(seconds(ends.histograms.last_times[ends.histogram_hi - 1]));
}

PointValue level_floats(const LevelWindows& windows, std::size_t, const PointValue& floats,
                        const CallArgs& args, EvalContext& context) {
  if (floats.kind != PointKind::kNone) {
    context.annotations.info(
        texts::histograms_ignored_in_mixed_range(windows.series->metric_name()),
        args.position(args.size() - 1));
  }
  return floats;
}

PointValue level_sum(const LevelWindows& windows, std::size_t step, const PointValue&,
                     const CallArgs& args, EvalContext& context) {
  const auto sum = sum_of(windows, Ends(windows, step), args, context);
  if (!sum) return PointValue::none();
  Histogram result = sum->result();
  if (const double share = windows.window_share(step); share != 1) model::multiply(result, share);
  return of(std::move(result));
}

PointValue level_average(const LevelWindows& windows, std::size_t step, const PointValue&,
                         const CallArgs& args, EvalContext& context) {
  const Ends ends(windows, step);
  auto sum = sum_of(windows, ends, args, context);
  if (!sum) return PointValue::none();
  sum->divide(count_of(ends));
  return of(sum->result());
}

PointValue level_rate(const LevelWindows& windows, std::size_t step, const PointValue&,
                      const CallArgs& args, EvalContext& context) {
  return rate_of(windows, step, args, context, true, true);
}
PointValue level_increase(const LevelWindows& windows, std::size_t step, const PointValue&,
                          const CallArgs& args, EvalContext& context) {
  return rate_of(windows, step, args, context, true, false);
}
PointValue level_delta(const LevelWindows& windows, std::size_t step, const PointValue&,
                       const CallArgs& args, EvalContext& context) {
  return rate_of(windows, step, args, context, false, false);
}

PointValue level_resets(const LevelWindows& windows, std::size_t step, const PointValue&,
                        const CallArgs& args, EvalContext& context) {
  const Ends ends(windows, step);
  if (ends.any_float()) {
    // A step from one kind to the other counts, and buckets do not say how many there were.
    const Window window = nameplate(windows);
    RangeRemarks(window, args, context).mixed_floats_and_histograms();
    return PointValue::none();
  }
  double resets = 0;
  for (std::size_t i = ends.histogram_lo; i < ends.histogram_hi; ++i) {
    if (i > ends.histogram_lo && reset_between(ends.histograms, i)) resets += 1;
    resets += ends.histograms.resets[i];
  }
  return PointValue::of(windows.counted(resets, step));
}

}  // namespace varve::promql::function_impls
