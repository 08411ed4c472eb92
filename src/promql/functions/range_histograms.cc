// SPDX-License-Identifier: Apache-2.0
// Differences of the histograms of a window.
#include "promql/functions/range_histograms.h"

#include <algorithm>

#include "promql/functions/start_times.h"

namespace varve::promql::function_impls {
namespace {

bool is_gauge(const Histogram& histogram) {
  return histogram.counter_reset_hint == CounterResetHint::kGauge;
}

}  // namespace

bool add_with_remarks(Histogram& base, const Histogram& other, const RangeRemarks& remarks) {
  const model::ArithmeticOutcome outcome = model::add(base, other);
  if (!outcome.compatible) remarks.mixed_bucket_schemas();
  if (outcome.bounds_reconciled) remarks.info(texts::kBoundsReconciledInAddition);
  return outcome.compatible;
}

bool subtract_with_remarks(Histogram& base, const Histogram& other, const RangeRemarks& remarks) {
  const model::ArithmeticOutcome outcome = model::subtract(base, other);
  if (!outcome.compatible) remarks.mixed_bucket_schemas();
  if (outcome.bounds_reconciled) remarks.info(texts::kBoundsReconciledInSubtraction);
  return outcome.compatible;
}

std::optional<Histogram> histogram_difference(const Window& window, bool counter,
                                              const RangeRemarks& remarks) {
  const std::span<const HistogramPtr> histograms = window.histograms;
  const StartTimes starts(window.histogram_times, window.histogram_starts);
  const Histogram& first = *histograms.front();
  const Histogram& last = *histograms.back();
  // After a reset between the first two samples the layout of the first no longer matters.
  Histogram nothing;
  const Histogram* previous = &first;
  bool gauge_as_counter = false;
  if (counter) {
    gauge_as_counter = is_gauge(first) || is_gauge(last);
    const Histogram& second = *histograms[1];
    if (starts.restarted_before(1) || model::detect_reset(second, first)) {
      nothing.schema = second.schema;
      nothing.custom_bounds = second.custom_bounds;
      previous = &nothing;
    }
  }
  const bool custom = previous->custom_buckets();
  if (last.custom_buckets() != custom) {
    if (gauge_as_counter) remarks.not_a_counter();
    remarks.mixed_bucket_schemas();
    return std::nullopt;
  }
  std::int32_t schema = std::min(last.schema, previous->schema);
  if (counter) {
    for (const HistogramPtr& histogram : histograms.subspan(1, histograms.size() - 2)) {
      gauge_as_counter = gauge_as_counter || is_gauge(*histogram);
      schema = std::min(schema, histogram->schema);
      if (histogram->custom_buckets() != custom) {
        remarks.mixed_bucket_schemas();
        return std::nullopt;
      }
    }
    if (gauge_as_counter) remarks.not_a_counter();
  } else if (!is_gauge(first) || !is_gauge(last)) {
    remarks.not_a_gauge();
  }

  Histogram difference = custom ? last : model::copy_to_schema(last, schema);
  if (!subtract_with_remarks(difference, *previous, remarks)) return std::nullopt;
  if (counter) {
    bool overlap = false;
    for (std::size_t i = 1; i < histograms.size(); ++i) {
      overlap = overlap || starts.overlaps_before(i);
      if (starts.restarted_before(i) || model::detect_reset(*histograms[i], *previous)) {
        if (!add_with_remarks(difference, *previous, remarks)) return std::nullopt;
      }
      previous = histograms[i].get();
    }
    if (overlap) remarks.start_time_overlap();
  }
  difference.counter_reset_hint = CounterResetHint::kGauge;
  model::compact(difference);
  return difference;
}

}  // namespace varve::promql::function_impls
