// SPDX-License-Identifier: Apache-2.0
// rate, increase and delta without extrapolation: the value at the start of the range is that of
// the last sample at or before it (`anchored`) or interpolated between its neighbours (`smoothed`,
// which does the same at the end). Counter resets between the borders are made up for.
#include "promql/functions/extended_rate.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "model/histogram.h"
#include "promql/functions/range_histograms.h"

namespace varve::promql::function_impls {
namespace {

// The samples that count: [first, last] of the window's, first being the anchor.
struct Bounds {
  std::size_t first = 0;
  std::size_t last = 0;
};

// Nothing if no sample lies within the range.
std::optional<Bounds> borders_of(std::span<const Timestamp> times, const Window& window) {
  const bool smoothed = window.extension == RangeExtension::kSmoothed;
  Bounds bounds;
  bounds.last = times.size() - 1;
  const auto tail = times.begin() + static_cast<std::ptrdiff_t>(bounds.last);
  const auto inside = std::upper_bound(times.begin(), tail, window.range_start_ms);
  if (inside != times.begin()) {
    bounds.first = static_cast<std::size_t>(inside - times.begin()) - 1;
  }
  if (smoothed) {
    bounds.last = static_cast<std::size_t>(
        std::lower_bound(times.begin(), tail, window.range_end_ms) - times.begin());
  }
  if (times[bounds.last] <= window.range_start_ms) return std::nullopt;
  return bounds;
}

// Nothing if no sample lies within the range or, smoothed, on both sides of a border.
std::optional<Bounds> bounds_of(std::span<const Timestamp> times, const Window& window) {
  const std::optional<Bounds> bounds = borders_of(times, window);
  const bool smoothed = window.extension == RangeExtension::kSmoothed;
  if (bounds && smoothed && times[bounds->first] > window.range_end_ms) return std::nullopt;
  return bounds;
}

// ---- floats ------------------------------------------------------------------------------------

// The value at time `at` on the line from sample i to the next. A counter that was reset between
// them starts from zero.
double interpolate(const Window& window, std::size_t i, Timestamp at, bool counter) {
  const double to = window.float_values[i + 1];
  double from = window.float_values[i];
  if (counter && to < from) from = 0;
  const auto elapsed = static_cast<double>(at - window.float_times[i]);
  const auto distance = static_cast<double>(window.float_times[i + 1] - window.float_times[i]);
  return from + (to - from) * elapsed / distance;
}

// The values at the borders of the range.
struct BorderValues {
  double left = 0;
  double right = 0;
};
BorderValues border_values(const Window& window, Bounds bounds, bool counter) {
  const bool smoothed = window.extension == RangeExtension::kSmoothed;
  const auto [first, last] = bounds;
  BorderValues borders{window.float_values[first], window.float_values[last]};
  if (smoothed && window.float_times[first] < window.range_start_ms) {
    borders.left = interpolate(window, first, window.range_start_ms, counter);
  }
  if (smoothed && last > 0 && window.float_times[last] > window.range_end_ms) {
    borders.right = interpolate(window, last - 1, window.range_end_ms, counter);
  }
  return borders;
}

PointValue float_rate(const Window& window, bool counter, bool per_second) {
  const std::optional<Bounds> bounds = bounds_of(window.float_times, window);
  if (!bounds) return PointValue::none();
  const auto [first, last] = *bounds;
  const std::span<const Timestamp> times = window.float_times;
  const std::span<const double> values = window.float_values;
  const auto [left, right] = border_values(window, *bounds, counter);

  double difference = right - left;
  if (counter) {
    // Resets between a border and its neighbour are the interpolation's.
    const std::size_t from = times[first] <= window.range_start_ms ? first + 1 : first;
    const std::size_t to = times[last] >= window.range_end_ms ? last : last + 1;
    double correction = 0;
    double previous = left;
    for (std::size_t i = from; i < to; ++i) {
      if (values[i] < previous) correction += previous;
      previous = values[i];
    }
    if (right < previous) correction += previous;
    difference += correction;
  }
  if (per_second) difference /= static_cast<double>(window.range_ms()) / 1000;
  return PointValue::of(difference);
}

// ---- histograms --------------------------------------------------------------------------------

// At time `at`, between sample i and the next. A counter that was reset between them starts from
// nothing.
std::optional<Histogram> interpolate_histogram(const Window& window, std::size_t i, Timestamp at,
                                               bool counter, const RangeRemarks& remarks) {
  const Timestamp begin = window.histogram_times[i];
  const Timestamp end = window.histogram_times[i + 1];
  const Histogram& from = *window.histograms[i];
  Histogram result = *window.histograms[i + 1];
  if (at == begin) return from;
  if (at == end) return result;
  const double share = static_cast<double>(at - begin) / static_cast<double>(end - begin);
  if (counter && model::detect_reset(result, from)) {
    model::multiply(result, share);
    return result;
  }
  if (!subtract_with_remarks(result, from, remarks)) return std::nullopt;
  model::multiply(result, share);
  if (!add_with_remarks(result, from, remarks)) return std::nullopt;
  return result;
}

class HistogramRate {
 public:
  HistogramRate(const Window& window, Bounds bounds, bool counter, const RangeRemarks& remarks)
      : window_(window),
        bounds_(bounds),
        counter_(counter),
        smoothed_(window.extension == RangeExtension::kSmoothed),
        remarks_(remarks) {}

  std::optional<Histogram> difference() const {
    if (!schemas_go_together()) return std::nullopt;
    const std::optional<Histogram> left = left_border();
    const std::optional<Histogram> right = left ? right_border() : std::nullopt;
    if (!right) return std::nullopt;
    if (!counter_ && (left->counter_reset_hint != CounterResetHint::kGauge ||
                      right->counter_reset_hint != CounterResetHint::kGauge)) {
      remarks_.not_a_gauge();
    }
    Histogram difference = *right;
    if (!subtract_with_remarks(difference, *left, remarks_)) return std::nullopt;
    if (counter_ && !add_resets(difference, *left, *right)) return std::nullopt;
    return difference;
  }

 private:
  const Histogram& sample(std::size_t i) const { return *window_.histograms[i]; }
  Timestamp time(std::size_t i) const { return window_.histogram_times[i]; }

  bool schemas_go_together() const {
    const bool custom = sample(bounds_.first).custom_buckets();
    for (std::size_t i = bounds_.first; i <= bounds_.last; ++i) {
      if (sample(i).custom_buckets() != custom) {
        remarks_.mixed_bucket_schemas();
        return false;
      }
      if (counter_ && sample(i).counter_reset_hint == CounterResetHint::kGauge) {
        remarks_.not_a_counter();
      }
    }
    return true;
  }

  std::optional<Histogram> left_border() const {
    if (smoothed_ && time(bounds_.first) < window_.range_start_ms) {
      return interpolate(bounds_.first, window_.range_start_ms);
    }
    return sample(bounds_.first);
  }

  std::optional<Histogram> right_border() const {
    if (smoothed_ && bounds_.last > 0 && time(bounds_.last) > window_.range_end_ms) {
      return interpolate(bounds_.last - 1, window_.range_end_ms);
    }
    return sample(bounds_.last);
  }

  std::optional<Histogram> interpolate(std::size_t i, Timestamp at) const {
    return interpolate_histogram(window_, i, at, counter_, remarks_);
  }

  // Adds the values before each reset between the borders to `difference`.
  bool add_resets(Histogram& difference, const Histogram& left, const Histogram& right) const {
    std::size_t i = bounds_.first + 1;
    const Histogram* previous = &left;
    if (smoothed_ && time(bounds_.first) < window_.range_start_ms &&
        model::detect_reset(sample(i), sample(bounds_.first))) {
      // The interpolation on the left has gone over this reset already.
      previous = &sample(i);
      ++i;
    }
    // `right` stands for the last sample and has its reset hint, so that is not looked at twice.
    if (i > bounds_.last) return true;
    std::optional<Histogram> correction;
    const auto add_correction = [&](const Histogram& before) {
      if (!correction) {
        correction = before;
        return true;
      }
      return add_with_remarks(*correction, before, remarks_);
    };
    for (; i < bounds_.last; ++i) {
      if (model::detect_reset(sample(i), *previous) && !add_correction(*previous)) return false;
      previous = &sample(i);
    }
    if (model::detect_reset(right, *previous) && !add_correction(*previous)) return false;
    return !correction || add_with_remarks(difference, *correction, remarks_);
  }

  const Window& window_;
  Bounds bounds_;
  bool counter_;
  bool smoothed_;
  const RangeRemarks& remarks_;
};

PointValue histogram_rate(const Window& window, const CallArgs& args, EvalContext& context,
                          bool counter, bool per_second) {
  const std::optional<Bounds> bounds = bounds_of(window.histogram_times, window);
  if (!bounds) return PointValue::none();
  const RangeRemarks remarks(window, args, context);
  std::optional<Histogram> difference =
      HistogramRate(window, *bounds, counter, remarks).difference();
  if (!difference) return PointValue::none();
  if (per_second) model::divide(*difference, static_cast<double>(window.range_ms()) / 1000);
  difference->counter_reset_hint = CounterResetHint::kGauge;
  model::compact(*difference);
  return PointValue::of(std::make_shared<const Histogram>(*std::move(difference)));
}

}  // namespace

PointValue extended_rate(const Window& window, const CallArgs& args, EvalContext& context,
                         bool counter, bool per_second) {
  if (!window.histograms.empty()) {
    return histogram_rate(window, args, context, counter, per_second);
  }
  if (window.float_values.empty()) return PointValue::none();
  return float_rate(window, counter, per_second);
}

std::vector<Sample> extended_points(const Window& window) {
  std::vector<Sample> points;
  if (window.float_times.empty()) return points;
  const std::optional<Bounds> bounds = borders_of(window.float_times, window);
  if (!bounds) return points;
  const auto [left, right] = border_values(window, *bounds, false);
  points.push_back({window.range_start_ms, left});
  for (std::size_t i = bounds->first; i <= bounds->last; ++i) {
    const Timestamp time = window.float_times[i];
    if (time <= window.range_start_ms || time >= window.range_end_ms) continue;
    points.push_back({time, window.float_values[i]});
  }
  points.push_back({window.range_end_ms, right});
  return points;
}

PointValue smoothed_value(const Window& window, Timestamp at_ms, Position position,
                          AnnotationSink& sink) {
  const RangeRemarks remarks(window, position, sink);
  if (!window.float_values.empty() && !window.histograms.empty()) {
    remarks.mixed_floats_and_histograms();
    return PointValue::none();
  }
  const std::span<const Timestamp> times =
      window.histograms.empty() ? window.float_times : window.histogram_times;
  const auto found = std::lower_bound(times.begin(), times.end(), at_ms);
  const auto after = static_cast<std::size_t>(found - times.begin());
  const bool exact = found != times.end() && *found == at_ms;
  if (!exact && after == 0) return PointValue::none();
  if (window.histograms.empty()) {
    if (exact) return PointValue::of(window.float_values[after]);
    if (found == times.end()) return PointValue::of(window.float_values[after - 1]);
    return PointValue::of(interpolate(window, after - 1, at_ms, false));
  }
  if (exact) return PointValue::of(window.histograms[after]);
  Histogram before = *window.histograms[after - 1];
  if (found == times.end()) {
    // The hint was about the sample before, not about this value.
    before.counter_reset_hint = CounterResetHint::kUnknown;
    return PointValue::of(std::make_shared<const Histogram>(std::move(before)));
  }
  const Histogram& next = *window.histograms[after];
  const bool gauge = before.counter_reset_hint == CounterResetHint::kGauge &&
                     next.counter_reset_hint == CounterResetHint::kGauge;
  if (before.custom_buckets() != next.custom_buckets()) {
    remarks.mixed_bucket_schemas();
    return PointValue::none();
  }
  std::optional<Histogram> value =
      interpolate_histogram(window, after - 1, at_ms, !gauge, remarks);
  if (!value) return PointValue::none();
  return PointValue::of(std::make_shared<const Histogram>(*std::move(value)));
}

}  // namespace varve::promql::function_impls
