// SPDX-License-Identifier: Apache-2.0
// What expressions evaluate to. Evaluation is series-major: a value is a set of series, each with
// its points at all steps of a grid, never a vector per step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "varve/labels.h"
#include "varve/sample.h"

namespace varve::promql {

// The evaluation times start_ms + i * step_ms for i in [0, count). An instant query has one step.
struct StepGrid {
  Timestamp start_ms = 0;
  std::int64_t step_ms = 1;
  std::size_t count = 1;

  Timestamp at(std::size_t step) const {
    return start_ms + static_cast<std::int64_t>(step) * step_ms;
  }
  Timestamp end_ms() const { return at(count - 1); }  // precondition: count > 0
  // Prometheus calls a query of one step an instant query, whatever the API call was.
  bool instant() const { return count == 1; }
};

enum class PointKind : std::uint8_t { kNone, kFloat, kHistogram };

// One point, by value.
struct PointValue {
  double value = 0;
  HistogramPtr histogram;
  PointKind kind = PointKind::kNone;

  static PointValue none() { return {}; }
  static PointValue of(double value) { return {value, nullptr, PointKind::kFloat}; }
  static PointValue of(HistogramPtr histogram) {
    return {0, std::move(histogram), PointKind::kHistogram};
  }
};

// One series over all steps of a grid. Invariants: values.size() == kinds.size() == grid.count;
// histograms is empty or of that size too; histograms[i] is set exactly if kinds[i] is kHistogram.
// values[i] means nothing unless kinds[i] is kFloat (it may be any bits, also a NaN that traps no
// one), so loops may compute on all of them.
struct StepSeries {
  Labels labels;
  // Delayed name removal: __name__, __type__ and __unit__ go at the end of the query. Without that
  // feature they are already gone and the flag only records it.
  bool drop_name = false;
  std::vector<double> values;
  std::vector<PointKind> kinds;
  std::vector<HistogramPtr> histograms;

  StepSeries() = default;
  // All points absent.
  StepSeries(Labels series_labels, std::size_t steps)
      : labels(std::move(series_labels)), values(steps), kinds(steps, PointKind::kNone) {}

  std::size_t steps() const { return kinds.size(); }
  void set(std::size_t step, double value) {
    values[step] = value;
    kinds[step] = PointKind::kFloat;
  }
  void set(std::size_t step, HistogramPtr histogram) {
    if (histograms.empty()) histograms.resize(kinds.size());
    histograms[step] = std::move(histogram);
    kinds[step] = PointKind::kHistogram;
  }
  void set(std::size_t step, PointValue point) {
    if (point.kind == PointKind::kFloat) {
      set(step, point.value);
    } else if (point.kind == PointKind::kHistogram) {
      set(step, std::move(point.histogram));
    }
  }
  void clear(std::size_t step) {
    if (kinds[step] == PointKind::kHistogram) histograms[step].reset();
    kinds[step] = PointKind::kNone;
  }
  PointValue at(std::size_t step) const {
    if (kinds[step] == PointKind::kHistogram) return PointValue::of(histograms[step]);
    return {values[step], nullptr, kinds[step]};
  }
  bool empty() const {
    for (const PointKind kind : kinds) {
      if (kind != PointKind::kNone) return false;
    }
    return true;
  }
};

// The order of the series is kept through the query: it is what sort() and topk() answer with.
struct StepMatrix {
  std::vector<StepSeries> series;
};

// A scalar: one value per step, all present.
using ScalarSteps = std::vector<double>;

}  // namespace varve::promql
