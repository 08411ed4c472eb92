// SPDX-License-Identifier: Apache-2.0
// Kernels over all windows of a series against the function of a single window, its slow twin, and
// the range functions against values worked out by hand.
#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>

#include "call_fixture.h"

using namespace varve;
using namespace varve::promql;

namespace {

struct RandomSeries {
  std::vector<Timestamp> times;
  std::vector<double> values;
};

RandomSeries random_series(std::mt19937_64& random) {
  RandomSeries series;
  const std::size_t count = random() % 200;
  const bool regular = random() % 2 == 0;
  const bool special = random() % 4 == 0;
  Timestamp time = static_cast<Timestamp>(random() % 5000);
  double value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    time += regular ? 15'000 : 1 + static_cast<Timestamp>(random() % 40'000);
    switch (random() % (special ? 12 : 9)) {
      case 0: value = 0; break;  // a counter reset
      case 1: break;             // no change
      case 9: value = std::numeric_limits<double>::quiet_NaN(); break;
      case 10: value = std::numeric_limits<double>::infinity(); break;
      case 11: value = -0.0; break;
      default: value += static_cast<double>(random() % 1000) / 8; break;
    }
    series.times.push_back(time);
    series.values.push_back(value);
  }
  return series;
}

bool same_bits(double a, double b) {
  if (std::isnan(a) && std::isnan(b)) return true;  // which NaN is nobody's business
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

// One window as the evaluator would cut it.
Window window_at(const RandomSeries& series, const StepGrid& grid, std::size_t step,
                 std::int64_t range_ms, const SeriesRef& ref) {
  Window window;
  window.range_end_ms = grid.at(step);
  window.range_start_ms = window.range_end_ms - range_ms;
  window.eval_ms = grid.at(step);
  window.step = step;
  window.series = &ref;
  const auto lo = std::upper_bound(series.times.begin(), series.times.end(), window.range_start_ms);
  const auto hi = std::upper_bound(lo, series.times.end(), window.range_end_ms);
  const auto offset = static_cast<std::size_t>(lo - series.times.begin());
  const auto count = static_cast<std::size_t>(hi - lo);
  window.float_times = std::span(series.times).subspan(offset, count);
  window.float_values = std::span(series.values).subspan(offset, count);
  return window;
}

double evaluate(std::string_view expression, const RandomSeries& series, Timestamp end_ms,
                std::int64_t range_ms) {
  CallFixture call(expression, {end_ms, 1000, 1});
  const Labels labels{{"__name__", "x_total"}};
  const SeriesRef ref(labels);
  const Window window = window_at(series, call.grid, 0, range_ms, ref);
  REQUIRE_FALSE(window.float_values.empty());
  const PointValue result = call.impl().window(window, call.args(), call.context);
  REQUIRE(result.kind == PointKind::kFloat);
  return result.value;
}

// The kernel of all windows against the function of each.
void check_kernel(std::string_view expression, const RandomSeries& series, const StepGrid& grid,
                  std::int64_t range_ms) {
  const Labels labels{{"__name__", "x_total"}};
  const SeriesRef ref(labels);
  CallFixture call(expression, grid);
  REQUIRE(call.impl().series_kernel != nullptr);

  std::vector<std::uint32_t> lo(grid.count);
  std::vector<std::uint32_t> hi(grid.count);
  for (std::size_t step = 0; step < grid.count; ++step) {
    const auto bound = [&](Timestamp at) {
      return static_cast<std::uint32_t>(
          std::upper_bound(series.times.begin(), series.times.end(), at) - series.times.begin());
    };
    lo[step] = bound(grid.at(step) - range_ms);
    hi[step] = bound(grid.at(step));
  }
  const WindowMemo memo;
  const SeriesWindows windows{series.times, series.values, lo,   hi,   grid.start_ms,
                              grid.step_ms, range_ms,      &ref, &memo};
  std::vector<double> values(grid.count);
  std::vector<PointKind> kinds(grid.count, PointKind::kNone);
  call.impl().series_kernel(windows, call.args(), call.context, values, kinds);

  for (std::size_t step = 0; step < grid.count; ++step) {
    CAPTURE(step, lo[step], hi[step]);
    const Window window = window_at(series, grid, step, range_ms, ref);
    PointValue expected = PointValue::none();
    if (!window.float_values.empty()) {
      expected = call.impl().window(window, call.args(), call.context);
    }
    REQUIRE(kinds[step] == expected.kind);
    if (expected.kind == PointKind::kFloat) {
      CAPTURE(values[step], expected.value);
      REQUIRE(same_bits(values[step], expected.value));
    }
  }
}

}  // namespace

TEST_CASE("kernels: every window kernel agrees with the function of one window", "[promql]") {
  const auto expression = GENERATE(Catch::Generators::as<std::string>{},
      "rate(x[5m])", "increase(x[5m])", "delta(x[5m])", "irate(x[5m])", "idelta(x[5m])",
      "sum_over_time(x[5m])", "avg_over_time(x[5m])", "min_over_time(x[5m])",
      "max_over_time(x[5m])", "count_over_time(x[5m])", "present_over_time(x[5m])",
      "first_over_time(x[5m])", "last_over_time(x[5m])", "stddev_over_time(x[5m])",
      "stdvar_over_time(x[5m])", "quantile_over_time(0.9, x[5m])", "mad_over_time(x[5m])",
      "deriv(x[5m])", "predict_linear(x[5m], 600)", "changes(x[5m])", "resets(x[5m])",
      "double_exponential_smoothing(x[5m], 0.5, 0.3)", "ts_of_first_over_time(x[5m])",
      "ts_of_last_over_time(x[5m])", "ts_of_min_over_time(x[5m])", "ts_of_max_over_time(x[5m])");
  const auto seed = std::random_device{}();
  CAPTURE(expression, seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 60; ++round) {
    const RandomSeries series = random_series(random);
    const StepGrid grid{static_cast<Timestamp>(random() % 100'000) - 50'000,
                        1 + static_cast<std::int64_t>(random() % 60'000), 1 + random() % 100};
    const std::int64_t range_ms = 1000 + static_cast<std::int64_t>(random() % 600'000);
    CAPTURE(round);
    check_kernel(expression, series, grid, range_ms);
  }
}

TEST_CASE("kernels: windows of thousands of samples agree with the function of one window",
          "[promql]") {
  const auto expression = GENERATE(Catch::Generators::as<std::string>{}, "sum_over_time(x[5m])",
                                   "avg_over_time(x[5m])", "min_over_time(x[5m])",
                                   "max_over_time(x[5m])", "ts_of_max_over_time(x[5m])");
  enum class Values { kWhole, kTooLarge, kFractions, kZeros, kSomeNan, kMostlyNan, kInfinite };
  const auto kind = GENERATE(Values::kWhole, Values::kTooLarge, Values::kFractions, Values::kZeros,
                             Values::kSomeNan, Values::kMostlyNan, Values::kInfinite);
  const auto seed = std::random_device{}();
  CAPTURE(expression, static_cast<int>(kind), seed);
  std::mt19937_64 random(seed);
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  RandomSeries series;
  for (std::size_t i = 0; i < 6000; ++i) {
    const auto whole = static_cast<double>(random() % 2'000'000) - 1'000'000;
    double value = whole;
    switch (kind) {
      case Values::kWhole: break;
      case Values::kTooLarge: value = whole * 4e9; break;  // whole, with sums that are not exact
      case Values::kFractions: value = whole / 100; break;
      case Values::kZeros: value = random() % 3 == 0 ? -0.0 : 0.0; break;
      case Values::kSomeNan: value = random() % 20 == 0 ? kNan : whole; break;
      case Values::kMostlyNan: value = random() % 2000 == 0 ? whole : kNan; break;
      case Values::kInfinite: value = random() % 2 == 0 ? -kInfinity : kInfinity; break;
    }
    series.times.push_back(static_cast<Timestamp>(i) * 15'000);
    series.values.push_back(value);
  }
  const Timestamp end_ms = series.times.back();
  for (const std::size_t samples : {3u, 16u, 31u, 240u, 4097u, 10'000u}) {
    CAPTURE(samples);
    const auto range_ms = static_cast<std::int64_t>(samples) * 15'000;
    check_kernel(expression, series, {end_ms / 2 + 7, 1'115'000, 40}, range_ms);
    check_kernel(expression, series, {end_ms, 1000, 1}, range_ms);
  }
}

TEST_CASE("double_exponential_smoothing: factors lie between 0 and 1", "[promql]") {
  const auto refusal = [](std::string_view expression) {
    CallFixture call(expression, {0, 1000, 2});
    const Status status = call.impl().check(call.args(), 2);
    return status.ok() ? std::string() : status.error().message();
  };
  CHECK(refusal("double_exponential_smoothing(x[5m], 0.5, 0.3)").empty());
  CHECK(refusal("double_exponential_smoothing(x[5m], 1, 0.3)") ==
        "invalid smoothing factor. Expected: 0 < sf < 1, got: 1.000000");
  CHECK(refusal("double_exponential_smoothing(x[5m], 0.5, NaN)") ==
        "invalid trend factor. Expected: 0 < tf < 1, got: NaN");
}

TEST_CASE("rate: extrapolates to borders that are covered, not beyond half an interval",
          "[promql]") {
  // Every 10 s from 10 s to 100 s, rising by 10, at first far from zero.
  RandomSeries series;
  for (int i = 1; i <= 10; ++i) {
    series.times.push_back(i * 10'000);
    series.values.push_back(1000 + i * 10);
  }
  CHECK(evaluate("increase(x[5m])", series, 100'000, 95'000) == Approx(95));
  // The window reaches 50 s further back than the series: half an interval is added.
  CHECK(evaluate("increase(x[5m])", series, 100'000, 150'000) == Approx(95));
  CHECK(evaluate("rate(x[5m])", series, 100'000, 150'000) == Approx(95.0 / 150));
  // And the same at the end.
  CHECK(evaluate("increase(x[5m])", series, 150'000, 200'000) == Approx(100));
  // A counter is not extrapolated below zero.
  for (double& value : series.values) value -= 1009;
  CHECK(evaluate("increase(x[5m])", series, 100'000, 100'000) == Approx(91));
  CHECK(evaluate("delta(x[5m])", series, 100'000, 100'000) == Approx(100));
}

TEST_CASE("rate: what a counter had before a reset is added", "[promql]") {
  const RandomSeries series{{0, 10'000, 20'000, 30'000}, {100, 110, 5, 15}};
  CHECK(evaluate("increase(x[5m])", series, 30'000, 30'001) == Approx(25 * 30.001 / 30));
  CHECK(evaluate("delta(x[5m])", series, 30'000, 30'001) == Approx(-85 * 30.001 / 30));
  CHECK(evaluate("irate(x[5m])", series, 20'000, 30'001) == Approx(0.5));
  CHECK(evaluate("resets(x[5m])", series, 30'000, 30'001) == 1);
  CHECK(evaluate("changes(x[5m])", series, 30'000, 30'001) == 3);
}

TEST_CASE("over_time: sums are compensated, means survive overflow", "[promql]") {
  const RandomSeries tiny{{0, 1, 2, 3}, {1, 1e100, 1, -1e100}};
  CHECK(evaluate("sum_over_time(x[5m])", tiny, 3, 10) == 2);
  CHECK(evaluate("avg_over_time(x[5m])", tiny, 3, 10) == 0.5);
  const double max = std::numeric_limits<double>::max();
  const RandomSeries huge{{0, 1, 2}, {max, max, max}};
  CHECK(evaluate("avg_over_time(x[5m])", huge, 2, 10) == Approx(max));
  CHECK(std::isinf(evaluate("sum_over_time(x[5m])", huge, 2, 10)));
}

TEST_CASE("over_time: NaN is ignored by extremes and lowest in quantiles", "[promql]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const RandomSeries series{{0, 1, 2, 3}, {nan, 3, 1, nan}};
  CHECK(evaluate("min_over_time(x[5m])", series, 3, 10) == 1);
  CHECK(evaluate("max_over_time(x[5m])", series, 3, 10) == 3);
  CHECK(evaluate("quantile_over_time(1, x[5m])", series, 3, 10) == 3);
  CHECK(std::isnan(evaluate("quantile_over_time(0, x[5m])", series, 3, 10)));
  CHECK(std::isnan(evaluate("mad_over_time(x[5m])", series, 3, 10)));
  const RandomSeries all{{0, 1}, {nan, nan}};
  CHECK(std::isnan(evaluate("max_over_time(x[5m])", all, 3, 10)));
}

TEST_CASE("over_time: floats and histograms in one window are remarked on", "[promql]") {
  CallFixture call("rate(x[5m])", {10'000, 1000, 1});
  const Labels labels{{"__name__", "x_total"}};
  const SeriesRef ref(labels);
  const RandomSeries series{{1000, 2000}, {1, 2}};
  Window window = window_at(series, call.grid, 0, 300'000, ref);
  const std::vector<Timestamp> histogram_times{3000};
  const std::vector<HistogramPtr> histograms{std::make_shared<const Histogram>()};
  window.histogram_times = histogram_times;
  window.histograms = histograms;
  CHECK(call.impl().window(window, call.args(), call.context).kind == PointKind::kNone);
  CHECK(call.annotations.render("rate(x[5m])").warnings ==
        std::vector<std::string>{"PromQL warning: encountered a mix of histograms and floats for "
                                 "metric name \"x_total\" (1:6)"});
}
