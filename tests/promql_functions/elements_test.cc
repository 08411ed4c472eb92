// SPDX-License-Identifier: Apache-2.0
// Functions of one value, of dates and of whole vectors.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <memory>

#include "call_fixture.h"

using namespace varve;
using namespace varve::promql;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

PointValue element(std::string_view expression, PointValue point) {
  CallFixture call(expression, {0, 1000, 1});
  return call.impl().element(point, 0, call.args(), call.context);
}

double element(std::string_view expression, double value) {
  const PointValue result = element(expression, PointValue::of(value));
  REQUIRE(result.kind == PointKind::kFloat);
  return result.value;
}

StepSeries at_one_step(Labels labels, double value) {
  StepSeries series(std::move(labels), 1);
  series.set(0, value);
  return series;
}

}  // namespace

TEST_CASE("round: halves go up, to any multiple", "[promql]") {
  CHECK(element("round(x)", 2.5) == 3);
  CHECK(element("round(x)", -2.5) == -2);
  CHECK(element("round(x, 5)", 12.5) == 15);
  CHECK(element("round(x, 0.1)", 0.25) == Approx(0.3));
}

TEST_CASE("clamp: empty if the bounds are crossed, NaN if one is", "[promql]") {
  CHECK(element("clamp(x, 1, 3)", 5) == 3);
  CHECK(element("clamp(x, 1, 3)", -5) == 1);
  CHECK(element("clamp(x, 3, 1)", PointValue::of(2.0)).kind == PointKind::kNone);
  CHECK(std::isnan(element("clamp(x, NaN, 3)", 2)));
  CHECK(std::isnan(element("clamp_min(x, 3)", kNan)));
  CHECK(element("clamp_min(x, 3)", 1) == 3);
  CHECK(element("clamp_max(x, 3)", kInfinity) == 3);
}

TEST_CASE("sgn: keeps zeros and NaN", "[promql]") {
  CHECK(element("sgn(x)", -7) == -1);
  CHECK(std::signbit(element("sgn(x)", -0.0)));
  CHECK(std::isnan(element("sgn(x)", kNan)));
}

TEST_CASE("elements: histograms are dropped by maths, floats by histogram statistics", "[promql]") {
  auto histogram = std::make_shared<Histogram>();
  histogram->count = 4;
  histogram->sum = 10;
  const PointValue point = PointValue::of(HistogramPtr(histogram));
  CHECK(element("abs(x)", point).kind == PointKind::kNone);
  CHECK(element("hour(x)", point).kind == PointKind::kNone);
  CHECK(element("histogram_count(x)", point).value == 4);
  CHECK(element("histogram_avg(x)", point).value == 2.5);
  CHECK(element("histogram_sum(x)", PointValue::of(1.0)).kind == PointKind::kNone);
}

TEST_CASE("dates: fields in UTC, before the epoch and in leap years", "[promql]") {
  struct Row {
    double seconds;
    double year, month, day, day_of_year, weekday, hour, minute, days;
  };
  const Row rows[] = {
      {0, 1970, 1, 1, 1, 4, 0, 0, 31},
      {951'782'400, 2000, 2, 29, 60, 2, 0, 0, 29},        // 2000-02-29
      {4'107'542'399, 2100, 2, 28, 59, 0, 23, 59, 28},    // no leap day in 2100
      {-1, 1969, 12, 31, 365, 3, 23, 59, 31},
      {-62'135'596'800, 1, 1, 1, 1, 1, 0, 0, 31},
      {1'735'689'599.9, 2024, 12, 31, 366, 2, 23, 59, 31},
  };
  for (const Row& row : rows) {
    CAPTURE(row.seconds);
    CHECK(element("year(x)", row.seconds) == row.year);
    CHECK(element("month(x)", row.seconds) == row.month);
    CHECK(element("day_of_month(x)", row.seconds) == row.day);
    CHECK(element("day_of_year(x)", row.seconds) == row.day_of_year);
    CHECK(element("day_of_week(x)", row.seconds) == row.weekday);
    CHECK(element("hour(x)", row.seconds) == row.hour);
    CHECK(element("minute(x)", row.seconds) == row.minute);
    CHECK(element("days_in_month(x)", row.seconds) == row.days);
  }
  // What is no time at all still gives some number, and no trap.
  for (const double seconds : {kNan, kInfinity, -1e300, 1e300}) {
    const double day = element("day_of_month(x)", seconds);
    CHECK(day >= 1);
    CHECK(day <= 31);
  }
}

TEST_CASE("sort: NaN last in both directions", "[promql]") {
  for (const bool descending : {false, true}) {
    CallFixture call(descending ? "sort_desc(x)" : "sort(x)", {0, 1000, 1});
    StepMatrix matrix;
    matrix.series.push_back(at_one_step({{"a", "nan"}}, kNan));
    matrix.series.push_back(at_one_step({{"a", "2"}}, 2));
    matrix.series.push_back(at_one_step({{"a", "1"}}, 1));
    call.set_vector(0, matrix);
    const Result<StepMatrix> sorted = call.impl().matrix(call.args(), call.context);
    REQUIRE(sorted.ok());
    CHECK(sorted->series[0].labels.get("a") == (descending ? "2" : "1"));
    CHECK(sorted->series[2].labels.get("a") == "nan");
  }
}

TEST_CASE("label_replace: groups by number and name, dollars, no match", "[promql]") {
  struct Row {
    std::string expression;
    std::string expected;  // of label "to"
  };
  const Row rows[] = {
      {R"q(label_replace(x, "to", "$1-${2}", "from", "(.*):(.*)"))q", "host-9090"},
      {R"q(label_replace(x, "to", "$port", "from", "(.*):(?P<port>.*)"))q", "9090"},
      {R"q(label_replace(x, "to", "$$1", "from", ".*"))q", "$1"},
      {R"q(label_replace(x, "to", "$1x$3", "from", "(.*):.*"))q", ""},  // groups 1x and 3: none
      {R"q(label_replace(x, "to", "a$", "from", ".*"))q", "a$"},
      {R"q(label_replace(x, "to", "new", "from", "host"))q", "old"},  // anchored: no match
      {R"q(label_replace(x, "to", "", "from", ".*"))q", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.expression);
    CallFixture call(row.expression, {0, 1000, 1});
    StepMatrix matrix;
    matrix.series.push_back(at_one_step({{"from", "host:9090"}, {"to", "old"}}, 1));
    call.set_vector(0, matrix);
    const Result<StepMatrix> result = call.impl().matrix(call.args(), call.context);
    REQUIRE(result.ok());
    CHECK(result->series[0].labels.get("to") == row.expected);
  }
  CallFixture broken(R"q(label_replace(x, "to", "", "from", "(.*"))q", {0, 1000, 1});
  StepMatrix matrix;
  broken.set_vector(0, matrix);
  const Result<StepMatrix> result = broken.impl().matrix(broken.args(), broken.context);
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().message() == "invalid regular expression in label_replace(): (.*");
}

TEST_CASE("label_replace, label_join: a bomb is refused before it takes memory", "[promql]") {
  std::string references;
  for (int i = 0; i < 10'000; ++i) references.append("$1");
  std::string names;
  for (int i = 0; i < 10'000; ++i) names.append(R"(,"from")");
  const auto function = GENERATE(std::string("label_replace"), std::string("label_join"));
  CAPTURE(function);
  CallFixture call(function == "label_replace"
                       ? "label_replace(x,\"to\",\"" + references + "\",\"from\",\"(.*)\")"
                       : "label_join(x,\"to\",\"\"" + names + ")",
                   {0, 1000, 1});
  StepMatrix matrix;
  for (int i = 0; i < 3; ++i) {
    matrix.series.push_back(at_one_step({{"from", std::string(10'000, 'a')}}, 1));
  }
  call.set_vector(0, matrix);  // 3 times 100 MB
  const Result<StepMatrix> result = call.impl().matrix(call.args(), call.context);
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().message() ==
        "label values made by " + function + "() take more than 268435456 bytes");
}

TEST_CASE("absent: one series of the equal matchers where there is nothing", "[promql]") {
  CallFixture call(R"(absent(x{a="1",b=~"2",c="3",c="4"}))", {0, 1000, 2});
  StepMatrix matrix;
  StepSeries present({{"__name__", "x"}}, 2);
  present.set(1, 7.0);
  matrix.series.push_back(present);
  call.set_vector(0, matrix);
  const Result<StepMatrix> result = call.impl().matrix(call.args(), call.context);
  REQUIRE(result.ok());
  REQUIRE(result->series.size() == 1);
  CHECK(result->series[0].labels == Labels{{"a", "1"}});
  CHECK(result->series[0].kinds == std::vector{PointKind::kFloat, PointKind::kNone});
}

TEST_CASE("registry: every function but those of the evaluator is there", "[promql]") {
  for (const Function& function : functions()) {
    CAPTURE(function.name);
    switch (function.id) {
      case FunctionId::kTimestamp:
      case FunctionId::kStartTimestamp:
      case FunctionId::kInfo:
      case FunctionId::kStart:
      case FunctionId::kEnd:
      case FunctionId::kStep:
      case FunctionId::kRange:
        CHECK(find_function_impl(function.id) == nullptr);
        break;
      default:
        CHECK(find_function_impl(function.id) != nullptr);
    }
  }
}
