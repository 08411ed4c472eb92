// SPDX-License-Identifier: Apache-2.0
// Functions of whole vectors: absent, vector, and the sorts. An order means something in an instant
// query only; results of range queries are ordered by their labels.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "promql/functions/annotation_texts.h"
#include "promql/functions/implementations.h"
#include "promql/functions/natural_order.h"

namespace varve::promql::function_impls {
namespace {

void remark_order_is_lost(const CallArgs& args, EvalContext& context) {
  if (!context.grid.instant()) {
    context.annotations.warning(texts::kSortInRangeQuery, args.call.position);
  }
}

// NaN last, whichever the direction.
bool ascending(double a, double b) { return std::isnan(b) ? !std::isnan(a) : a < b; }
bool descending(double a, double b) { return std::isnan(b) ? !std::isnan(a) : a > b; }

template <bool (*kBefore)(double, double)>
StepMatrix sorted_by_value(const CallArgs& args, EvalContext& context) {
  remark_order_is_lost(args, context);
  StepMatrix matrix = std::move(*args.values[0].vector);
  for (StepSeries& series : matrix.series) {
    for (std::size_t step = 0; step < series.steps(); ++step) {
      if (series.kinds[step] == PointKind::kHistogram) series.clear(step);
    }
  }
  std::erase_if(matrix.series, [](const StepSeries& series) { return series.empty(); });
  if (context.grid.instant()) {
    std::stable_sort(matrix.series.begin(), matrix.series.end(),
                     [](const StepSeries& a, const StepSeries& b) {
                       return kBefore(a.values[0], b.values[0]);
                     });
  }
  return matrix;
}

// By the given labels in natural order, then by all labels.
std::strong_ordering compare_by_labels(const CallArgs& args, const Labels& a, const Labels& b) {
  for (std::size_t arg = 1; arg < args.size(); ++arg) {
    const auto order = natural_order(a.get(args.text(arg)), b.get(args.text(arg)));
    if (order != 0) return order;
  }
  return a <=> b;
}

StepMatrix sorted_by_labels(const CallArgs& args, EvalContext& context, bool descending_order) {
  remark_order_is_lost(args, context);
  StepMatrix matrix = std::move(*args.values[0].vector);
  std::stable_sort(matrix.series.begin(), matrix.series.end(),
                   [&](const StepSeries& a, const StepSeries& b) {
                     const auto order = compare_by_labels(args, a.labels, b.labels);
                     return descending_order ? order > 0 : order < 0;
                   });
  return matrix;
}

}  // namespace

Result<StepMatrix> absent(const CallArgs& args, EvalContext& context) {
  StepSeries series(labels_of_absent(*args.values[0].expr), context.grid.count);
  for (std::size_t step = 0; step < context.grid.count; ++step) series.set(step, 1.0);
  for (const StepSeries& present : args.values[0].vector->series) {
    for (std::size_t step = 0; step < present.steps(); ++step) {
      if (present.kinds[step] != PointKind::kNone) series.clear(step);
    }
  }
  StepMatrix result;
  if (!series.empty()) result.series.push_back(std::move(series));
  return result;
}

Result<StepMatrix> vector(const CallArgs& args, EvalContext& context) {
  StepSeries series(Labels(), context.grid.count);
  for (std::size_t step = 0; step < context.grid.count; ++step) {
    series.set(step, args.scalar(0, step));
  }
  StepMatrix result;
  result.series.push_back(std::move(series));
  return result;
}

Result<StepMatrix> sort(const CallArgs& args, EvalContext& context) {
  return sorted_by_value<ascending>(args, context);
}
Result<StepMatrix> sort_desc(const CallArgs& args, EvalContext& context) {
  return sorted_by_value<descending>(args, context);
}
Result<StepMatrix> sort_by_label(const CallArgs& args, EvalContext& context) {
  return sorted_by_labels(args, context, false);
}
Result<StepMatrix> sort_by_label_desc(const CallArgs& args, EvalContext& context) {
  return sorted_by_labels(args, context, true);
}

}  // namespace varve::promql::function_impls
