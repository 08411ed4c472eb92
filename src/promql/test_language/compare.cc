// SPDX-License-Identifier: Apache-2.0
#include "promql/test_language/compare.h"

#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "model/histogram.h"
#include "model/number.h"

namespace varve::promql::test_language {
namespace {

constexpr double kEpsilon = 1e-6;

bool almost_equal(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(),
                    [](double x, double y) { return test_language::almost_equal(x, y); });
}

std::string print(double value) {
  return is_stale(value) ? "stale" : model::format_float(value);
}

std::string_view print(CounterResetHint hint) {
  switch (hint) {
    case CounterResetHint::kUnknown: return "unknown";
    case CounterResetHint::kReset: return "reset";
    case CounterResetHint::kNotReset: return "not_reset";
    case CounterResetHint::kGauge: return "gauge";
  }
  return "";
}

std::string print(const Histogram& histogram) {
  return model::to_test_expression(histogram) + "(" +
         std::string(print(histogram.counter_reset_hint)) + ")";
}

std::string print(const SequenceValue& value) {
  switch (value.kind) {
    case SequenceValue::Kind::kOmitted: return "_";
    case SequenceValue::Kind::kFloat: return print(value.value);
    case SequenceValue::Kind::kHistogram: return print(*value.histogram);
  }
  return "";
}

// A value at a time, of an expected or a computed series.
struct Point {
  Timestamp time_ms = 0;
  SequenceValue value;
};

std::string print(const std::vector<Point>& points) {
  std::string out;
  for (const Point& point : points) {
    if (!out.empty()) out += ' ';
    out += print(point.value) + "@" + std::to_string(point.time_ms);
  }
  return out.empty() ? "nothing" : out;
}

std::string print_labels(const Labels& labels) {
  const std::string text = labels.to_string();
  return text.empty() ? "{}" : text;
}

bool equal(const SequenceValue& expected, const SequenceValue& got) {
  if (expected.kind != got.kind) return false;
  if (expected.kind == SequenceValue::Kind::kHistogram) {
    return test_language::almost_equal(expected, *got.histogram);
  }
  return test_language::almost_equal(expected.value, got.value);
}

SequenceValue float_value(double value) {
  SequenceValue out;
  out.kind = SequenceValue::Kind::kFloat;
  out.value = value;
  return out;
}

SequenceValue histogram_value(HistogramPtr histogram) {
  SequenceValue out;
  out.kind = SequenceValue::Kind::kHistogram;
  out.histogram = std::move(histogram);
  return out;
}

std::optional<std::string> vector_difference(const EvalCommand& expected, const Vector& got) {
  std::map<Labels, std::size_t> positions;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (!positions.emplace(got[i].labels, i).second) {
      return "duplicate series in the result: " + print_labels(got[i].labels);
    }
  }
  for (std::size_t i = 0; i < expected.series.size(); ++i) {
    const SeriesLine& line = expected.series[i];
    const SequenceValue& wanted = line.values.front();
    const auto found = positions.find(line.labels);
    if (found == positions.end()) {
      return "expected " + print_labels(line.labels) + " " + print(wanted) + ", got no such series";
    }
    const VectorSample& sample = got[found->second];
    const SequenceValue value =
        sample.histogram ? histogram_value(sample.histogram) : float_value(sample.value);
    if (!equal(wanted, value)) {
      return "expected " + print(wanted) + " for " + print_labels(line.labels) + ", got " +
             print(value);
    }
    if (expected.ordered && found->second != i) {
      return "expected " + print_labels(line.labels) + " at position " + std::to_string(i + 1) +
             ", got it at " + std::to_string(found->second + 1);
    }
    positions.erase(found);
  }
  if (positions.empty()) return std::nullopt;
  return "unexpected series in the result: " + print_labels(positions.begin()->first);
}

std::vector<Point> points_of(const Series& series) {
  std::vector<Point> points;
  for (const Sample& sample : series.floats) {
    points.push_back({sample.timestamp_ms, float_value(sample.value)});
  }
  for (const HistogramPoint& point : series.histograms) {
    points.push_back({point.timestamp_ms, histogram_value(point.histogram)});
  }
  std::sort(points.begin(), points.end(),
            [](const Point& a, const Point& b) { return a.time_ms < b.time_ms; });
  return points;
}

std::vector<Point> points_of(const SeriesLine& line, const StepRange& range) {
  std::vector<Point> points;
  for (std::size_t i = 0; i < line.values.size(); ++i) {
    if (line.values[i].kind == SequenceValue::Kind::kOmitted) continue;
    points.push_back(
        {range.start_ms + static_cast<std::int64_t>(i) * range.step_ms, line.values[i]});
  }
  return points;
}

std::optional<std::string> matrix_difference(const EvalCommand& expected, const Matrix& got) {
  const StepRange& range = expected.is_range ? expected.range : *expected.range_vector;
  std::map<Labels, const Series*> found_series;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (!found_series.emplace(got[i].labels, &got[i]).second) {
      return "duplicate series in the result: " + print_labels(got[i].labels);
    }
    if (expected.is_range && i > 0 && !(got[i - 1].labels < got[i].labels)) {
      return "the series are not sorted: " + print_labels(got[i].labels);
    }
  }
  for (const SeriesLine& line : expected.series) {
    const std::vector<Point> wanted = points_of(line, range);
    const auto found = found_series.find(line.labels);
    if (found == found_series.end()) {
      return "expected " + print_labels(line.labels) + " " + print(wanted) +
             ", got no such series";
    }
    const std::vector<Point> points = points_of(*found->second);
    const bool same = std::equal(wanted.begin(), wanted.end(), points.begin(), points.end(),
                                 [](const Point& a, const Point& b) {
                                   return a.time_ms == b.time_ms && equal(a.value, b.value);
                                 });
    if (!same) {
      return "expected " + print(wanted) + " for " + print_labels(line.labels) + ", got " +
             print(points);
    }
    found_series.erase(found);
  }
  if (found_series.empty()) return std::nullopt;
  return "unexpected series in the result: " + print_labels(found_series.begin()->first);
}

std::string_view type_name(const QueryValue& value) {
  constexpr std::string_view kNames[] = {"a scalar", "a string", "a vector", "a matrix"};
  return kNames[value.index()];
}

bool matches(const MessagePattern& pattern, const std::string& message) {
  switch (pattern.kind) {
    case MessagePattern::Kind::kAny: return true;
    case MessagePattern::Kind::kExact: return pattern.text == message;
    case MessagePattern::Kind::kRegex: return RE2::PartialMatch(message, RE2(pattern.text));
  }
  return false;
}

std::string print(const MessagePattern& pattern) {
  return pattern.kind == MessagePattern::Kind::kAny ? "any message" : pattern.text;
}

}  // namespace

bool almost_equal(double expected, double got) {
  if (is_stale(expected) || is_stale(got)) return is_stale(expected) && is_stale(got);
  if (std::isnan(expected) && std::isnan(got)) return true;
  if (expected == got) return true;
  constexpr double kSmallest = std::numeric_limits<double>::min();
  const double difference = std::fabs(expected - got);
  const double magnitude = std::fabs(expected) + std::fabs(got);
  if (expected == 0 || got == 0 || magnitude < kSmallest) return difference < kEpsilon * kSmallest;
  return difference / std::min(magnitude, std::numeric_limits<double>::max()) < kEpsilon;
}

bool almost_equal(const SequenceValue& expected, const Histogram& got) {
  Histogram a = *expected.histogram;
  Histogram b = got;
  if (expected.hint_written && a.counter_reset_hint != b.counter_reset_hint) return false;
  model::compact(a);
  model::compact(b);
  return a.schema == b.schema && almost_equal(a.count, b.count) && almost_equal(a.sum, b.sum) &&
         a.zero_threshold == b.zero_threshold && almost_equal(a.zero_count, b.zero_count) &&
         a.custom_bounds == b.custom_bounds && a.positive_spans == b.positive_spans &&
         a.negative_spans == b.negative_spans &&
         almost_equal(a.positive_counts, b.positive_counts) &&
         almost_equal(a.negative_counts, b.negative_counts);
}

std::optional<std::string> difference(const EvalCommand& expected, const QueryValue& got) {
  if (expected.scalar) {
    const auto* scalar = std::get_if<ScalarValue>(&got);
    if (scalar == nullptr) return "expected a scalar, got " + std::string(type_name(got));
    if (almost_equal(*expected.scalar, scalar->value)) return std::nullopt;
    return "expected " + print(*expected.scalar) + ", got " + print(scalar->value);
  }
  if (expected.string) {
    const auto* string = std::get_if<StringValue>(&got);
    if (string == nullptr) return "expected a string, got " + std::string(type_name(got));
    if (*expected.string == string->value) return std::nullopt;
    return "expected the string " + *expected.string + ", got " + string->value;
  }
  if (expected.is_range || expected.range_vector) {
    const auto* matrix = std::get_if<Matrix>(&got);
    if (matrix == nullptr) return "expected a matrix, got " + std::string(type_name(got));
    return matrix_difference(expected, *matrix);
  }
  const auto* vector = std::get_if<Vector>(&got);
  if (vector == nullptr) return "expected a vector, got " + std::string(type_name(got));
  return vector_difference(expected, *vector);
}

std::optional<std::string> difference(const MessagePattern& expected, const std::string& message) {
  if (matches(expected, message)) return std::nullopt;
  return "expected the error " + print(expected) + ", got " + message;
}

std::optional<std::string> difference(const AnnotationExpectation& expected,
                                      const std::vector<std::string>& got, std::string_view kind) {
  if (expected.none && !got.empty()) {
    return "expected no " + std::string(kind) + ", got " + got.front();
  }
  if (expected.patterns.empty()) return std::nullopt;
  for (const MessagePattern& pattern : expected.patterns) {
    if (std::none_of(got.begin(), got.end(),
                     [&](const std::string& text) { return matches(pattern, text); })) {
      std::string all;
      for (const std::string& text : got) all += "; " + text;
      return "expected " + std::string(kind) + ": " + print(pattern) + ", got " +
             (all.empty() ? "none" : all.substr(2));
    }
  }
  for (const std::string& text : got) {
    if (std::none_of(expected.patterns.begin(), expected.patterns.end(),
                     [&](const MessagePattern& pattern) { return matches(pattern, text); })) {
      return "unexpected " + std::string(kind) + ": " + text;
    }
  }
  return std::nullopt;
}

}  // namespace varve::promql::test_language
