// SPDX-License-Identifier: Apache-2.0
// The engine as its callers see it: both modes of name removal, bounds, errors, and that neither
// threads nor the fast paths change a bit of a result. What expressions mean is tested by scripts.
#include <catch2/catch.hpp>

#include <bit>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <variant>

#include "base/clock.h"
#include "base/memory_account.h"
#include "base/thread_pool.h"
#include "promql/engine.h"
#include "promql/test_language/memory_storage.h"

namespace varve::promql {
namespace {

constexpr Timestamp kMinute = 60'000;

test_language::MemoryStorage counters(std::size_t series, std::size_t samples) {
  test_language::MemoryStorage storage;
  std::mt19937_64 random(7);
  for (std::size_t i = 0; i < series; ++i) {
    const std::string instance = "host-" + std::to_string(i);
    const std::string mode = "m" + std::to_string(i % 5);
    const Labels labels{{kMetricName, "x_total"}, {"instance", instance}, {"mode", mode}};
    double value = 0;
    for (std::size_t s = 0; s < samples; ++s) {
      value += static_cast<double>(random() % 10'000) / 997;
      if (random() % 40 == 0) value = 0;
      if (random() % 30 == 0) continue;
      storage.add(labels, static_cast<Timestamp>(s) * 15'000 + static_cast<Timestamp>(i % 7),
                  random() % 200 == 0 ? stale_marker() : value);
    }
  }
  return storage;
}

class Fixture {
 public:
  explicit Fixture(EngineOptions options = {}, base::ThreadPool* pool = nullptr)
      : engine_(std::move(options), clock_, pool, &memory_) {}
  const Engine& engine() const { return engine_; }
  std::int64_t held() const { return memory_.bytes(); }
  void others_hold(std::int64_t bytes) const { memory_.charge(bytes); }

 private:
  base::SystemClock clock_;
  mutable base::MemoryAccount memory_{"test"};
  Engine engine_;
};

Matrix matrix_of(const Result<QueryResult>& result) {
  if (!result.ok()) FAIL(result.error().message());
  return std::get<Matrix>(result->value);
}

void require_same_bits(const Matrix& a, const Matrix& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    REQUIRE(a[i].labels == b[i].labels);
    REQUIRE(a[i].floats.size() == b[i].floats.size());
    for (std::size_t p = 0; p < a[i].floats.size(); ++p) {
      REQUIRE(a[i].floats[p].timestamp_ms == b[i].floats[p].timestamp_ms);
      REQUIRE(std::bit_cast<std::uint64_t>(a[i].floats[p].value) ==
              std::bit_cast<std::uint64_t>(b[i].floats[p].value));
    }
  }
}

TEST_CASE("engine: a step counts the samples that it would as a query of its own",
          "[promql][engine]") {
  test_language::MemoryStorage storage = counters(130, 100);
  Histogram histogram;
  histogram.count = 3;
  histogram.positive_spans = {{0, 2}};
  histogram.positive_counts = {1, 2};
  for (Timestamp at = 0; at < 100; ++at) {
    storage.add(Labels{{kMetricName, "h"}}, at * 15'000,
                std::make_shared<const Histogram>(histogram));
  }
  base::ThreadPool pool("test", 3, 64);
  EngineOptions options;
  options.features.extended_range_selectors = true;
  const Fixture fixture(options, &pool);
  const auto query = GENERATE(Catch::Generators::as<std::string>{},
      "x_total", "h", "1", "vector(2)", "sum by (mode) (rate(x_total[2m]))", "rate(h[2m])",
      "x_total{mode=\"m1\"} / on (instance) x_total", "sum_over_time(x_total[5m:30s])",
      "max_over_time(sum(rate(x_total[1m]))[3m:20s])", "x_total @ 600", "rate(x_total[5m] @ 600)",
      "x_total + on (instance, mode) x_total @ 600", "scalar(sum(x_total @ 300)) + vector(1)",
      "topk(3, x_total offset 1m)", "absent(nothing)", "timestamp(x_total)",
      "sum_over_time((x_total @ 600)[2m:1m])", "rate(x_total[2m] smoothed)", "x_total smoothed",
      "histogram_count(h)", "predict_linear(x_total[3m], scalar(count(h)))");
  CAPTURE(query);
  constexpr Timestamp kStart = 5 * kMinute;
  constexpr std::int64_t kStep = 77'000;
  StepSamples steps;
  QueryParams params;
  params.samples_per_step = &steps;
  const Result<QueryResult> range =
      fixture.engine().range(storage, query, kStart, 25 * kMinute, kStep, params);
  if (!range.ok()) FAIL(range.error().message());
  CHECK(steps.start_ms == kStart);
  CHECK(steps.step_ms == kStep);
  REQUIRE(steps.counts.size() == 16);
  std::uint64_t total = 0;
  for (std::size_t step = 0; step < steps.counts.size(); ++step) {
    const Timestamp at = kStart + static_cast<std::int64_t>(step) * kStep;
    StepSamples alone;
    params.samples_per_step = &alone;
    const Result<QueryResult> instant = fixture.engine().instant(storage, query, at, params);
    if (!instant.ok()) FAIL(instant.error().message());
    CAPTURE(step);
    REQUIRE(alone.counts.size() == 1);
    CHECK(alone.counts[0] == instant->stats.samples_total);
    CHECK(steps.counts[step] == alone.counts[0]);
    total += steps.counts[step];
  }
  CHECK(total == range->stats.samples_total);
}

TEST_CASE("engine: results have the same bits with and without threads", "[promql][engine]") {
  const auto storage = counters(700, 120);
  const std::string query = GENERATE(
      "sum by (mode) (rate(x_total[5m]))", "avg(x_total)", "stddev without (instance) (x_total)",
      "max by (mode) (max_over_time(x_total[3m]))", "rate(x_total[2m]) * 2 > 1",
      "topk(3, x_total)", "x_total / on(instance) x_total", "sum(x_total offset 1m) - 1");
  CAPTURE(query);
  base::ThreadPool pool("test", 4, 256);
  const Fixture alone;
  const Fixture threaded({}, &pool);
  const auto run = [&](const Fixture& fixture) {
    return matrix_of(fixture.engine().range(storage, query, 5 * kMinute, 25 * kMinute, 30'000));
  };
  const Matrix expected = run(alone);
  REQUIRE_FALSE(expected.empty());
  for (int round = 0; round < 3; ++round) require_same_bits(expected, run(threaded));
}

TEST_CASE("engine: every step of a range query equals the instant query at it",
          "[promql][engine]") {
  const auto storage = counters(40, 80);
  const std::string query = GENERATE(
      "sum by (mode) (rate(x_total[5m]))", "x_total", "increase(x_total[90s])", "-x_total",
      "x_total and on(mode) x_total{instance=\"host-3\"}", "count by (mode) (x_total > 100)",
      "max_over_time(rate(x_total[1m])[5m:30s])", "avg_over_time(x_total[4m] offset 2m)",
      "x_total @ 600", "sum(x_total) / scalar(count(x_total))", "changes(x_total[5m])",
      "timestamp(x_total)", "quantile by (mode) (0.3, x_total)", "x_total > bool 50",
      "absent(x_total{instance=\"none\"})", "vector(time())", "x_total or vector(1)");
  CAPTURE(query);
  const Fixture fixture;
  const Timestamp start = 4 * kMinute;
  const Timestamp end = 19 * kMinute;
  const std::int64_t step = 45'000;
  const Matrix range = matrix_of(fixture.engine().range(storage, query, start, end, step));
  std::size_t points = 0;
  for (Timestamp t = start; t <= end; t += step) {
    const Result<QueryResult> instant = fixture.engine().instant(storage, query, t);
    REQUIRE(instant.ok());
    for (const VectorSample& sample : std::get<Vector>(instant->value)) {
      const auto series = std::find_if(range.begin(), range.end(), [&](const Series& candidate) {
        return candidate.labels == sample.labels;
      });
      REQUIRE(series != range.end());
      const auto point =
          std::find_if(series->floats.begin(), series->floats.end(),
                       [t](const Sample& candidate) { return candidate.timestamp_ms == t; });
      REQUIRE(point != series->floats.end());
      REQUIRE(std::bit_cast<std::uint64_t>(point->value) ==
              std::bit_cast<std::uint64_t>(sample.value));
      ++points;
    }
  }
  std::size_t range_points = 0;
  for (const Series& series : range) range_points += series.floats.size();
  REQUIRE(range_points == points);
}

TEST_CASE("engine: a sum of few series has the same bits in a long range as at an instant",
          "[promql][engine]") {
  const auto storage = counters(40, 3000);
  const std::string query = GENERATE("sum(rate(x_total[5m]))", "stddev(rate(x_total[5m]))",
                                     "avg by (mode) (avg_over_time(x_total[10m]))");
  CAPTURE(query);
  const Fixture fixture;
  const Timestamp end = 3000 * 15'000;
  const Matrix range = matrix_of(fixture.engine().range(storage, query, 0, end, 15'000));
  for (Timestamp at = 20 * kMinute; at <= end; at += 37 * kMinute) {
    const Result<QueryResult> instant = fixture.engine().instant(storage, query, at);
    REQUIRE(instant.ok());
    const auto& vector = std::get<Vector>(instant->value);
    REQUIRE(vector.size() == range.size());
    for (const VectorSample& sample : vector) {
      const auto series = std::find_if(range.begin(), range.end(), [&](const Series& candidate) {
        return candidate.labels == sample.labels;
      });
      REQUIRE(series != range.end());
      const auto point = std::lower_bound(
          series->floats.begin(), series->floats.end(), at,
          [](const Sample& candidate, Timestamp time) { return candidate.timestamp_ms < time; });
      REQUIRE(point != series->floats.end());
      CHECK(std::bit_cast<std::uint64_t>(point->value) ==
            std::bit_cast<std::uint64_t>(sample.value));
    }
  }
}

TEST_CASE("engine: names go at each step by default and at the end with the feature",
          "[promql][engine]") {
  test_language::MemoryStorage storage;
  storage.add({{kMetricName, "a_total"}, {"k", "1"}}, 0, 1);
  storage.add({{kMetricName, "a_total"}, {"k", "1"}}, kMinute, 2);
  storage.add({{kMetricName, "b_total"}, {"k", "1"}}, 0, 1);
  storage.add({{kMetricName, "b_total"}, {"k", "1"}}, kMinute, 3);
  const std::string query = "sum by (__name__) (increase({k=\"1\"}[5m]))";

  const Result<QueryResult> at_once = Fixture().engine().instant(storage, query, kMinute);
  REQUIRE_FALSE(at_once.ok());
  REQUIRE(at_once.error().code() == ErrorCode::kExecution);
  REQUIRE(at_once.error().message() ==
          "vector cannot contain metrics with the same labelset");

  EngineOptions options;
  options.features.delayed_name_removal = true;
  // Two groups by name while it is there; at the end both are {}.
  REQUIRE_FALSE(Fixture(options).engine().instant(storage, query, kMinute).ok());
  const Result<QueryResult> counted =
      Fixture(options).engine().instant(storage, "count(" + query + ")", kMinute);
  REQUIRE(counted.ok());
  REQUIRE(std::get<Vector>(counted->value).at(0).value == 2);
}

TEST_CASE("engine: with types as labels these say what is a counter, names do not",
          "[promql][engine]") {
  test_language::MemoryStorage storage;
  const auto add = [&](const std::string& name, const std::string& type) {
    Labels labels{{kMetricName, name}};
    if (!type.empty()) labels = Labels{{kMetricName, name}, {"__type__", type}};
    storage.add(labels, 0, 1);
    storage.add(labels, kMinute, 2);
  };
  add("named_total", "gauge");
  add("bare_total", "");
  add("counted", "counter");
  add("spread", "histogram");
  EngineOptions options;
  options.features.type_and_unit_labels = true;
  const auto infos = [&](const Fixture& fixture, const std::string& query) {
    return fixture.engine().instant(storage, query, kMinute)->annotations.infos;
  };
  const std::string remark = "PromQL info: metric might not be a counter, ";
  const Fixture typed(options);
  REQUIRE(infos(typed, "rate(counted[5m])").empty());
  REQUIRE(infos(typed, "increase(spread[5m])").empty());
  const std::string by_type =
      remark + "__type__ label is not set to \"counter\" or \"histogram\", got ";
  REQUIRE(infos(typed, "rate(named_total[5m])") ==
          std::vector<std::string>{by_type + "\"gauge\": \"named_total\" (1:6)"});
  REQUIRE(infos(typed, "rate(bare_total[5m])") ==
          std::vector<std::string>{by_type + "\"\": \"bare_total\" (1:6)"});

  REQUIRE(infos(Fixture(), "rate(named_total[5m])").empty());
  REQUIRE(infos(Fixture(), "rate(counted[5m])").size() == 1);
}

TEST_CASE("engine: a lookback window excludes its left end", "[promql][engine]") {
  test_language::MemoryStorage storage;
  storage.add({{kMetricName, "a"}}, 0, 1);
  const Fixture fixture;
  const auto size_at = [&](Timestamp t) {
    return std::get<Vector>(fixture.engine().instant(storage, "a", t)->value).size();
  };
  REQUIRE(size_at(5 * kMinute - 1) == 1);
  REQUIRE(size_at(5 * kMinute) == 0);
  REQUIRE(size_at(0) == 1);
  REQUIRE(size_at(-1) == 0);
}

TEST_CASE("engine: limits, cancellation and timeout end a query with their own codes",
          "[promql][engine]") {
  const auto storage = counters(50, 100);
  EngineOptions options;

  SECTION("samples") {
    options.samples_max = 1000;
    const Fixture fixture(options);
    const auto result = fixture.engine().range(storage, "x_total", 0, 20 * kMinute, 15'000);
    REQUIRE_FALSE(result.ok());
    REQUIRE(result.error().code() == ErrorCode::kLimitExceeded);
    REQUIRE(result.error().message().find("too many samples") != std::string::npos);
    REQUIRE(result.error().message().find("--query.max-samples=1000") != std::string::npos);
    REQUIRE(fixture.held() == 0);
  }
  SECTION("memory of all queries") {
    options.memory_max_bytes = 9'000;
    const Fixture fixture(options);
    const auto alone = fixture.engine().range(storage, "x_total", 0, 20 * kMinute, 15'000);
    REQUIRE_FALSE(alone.ok());
    REQUIRE(alone.error().code() == ErrorCode::kLimitExceeded);
    REQUIRE(alone.error().message().find("--query.memory-max=9000B") != std::string::npos);
    REQUIRE(fixture.held() == 0);

    fixture.others_hold(8'999);
    const auto beside = fixture.engine().instant(storage, "x_total", 10 * kMinute);
    REQUIRE_FALSE(beside.ok());
    REQUIRE(beside.error().code() == ErrorCode::kUnavailable);
    REQUIRE(beside.error().message().find("--query.memory-max=9000B") != std::string::npos);
    REQUIRE(fixture.held() == 8'999);
    fixture.others_hold(-8'999);
    REQUIRE(fixture.engine().instant(storage, "x_total", 10 * kMinute).ok());
    REQUIRE(fixture.held() == 0);
  }
  SECTION("the time a query waited") {
    QueryParams params;
    params.timeout = std::chrono::seconds(5);
    params.queued = std::chrono::seconds(6);
    const auto result = Fixture().engine().instant(storage, "x_total", 10 * kMinute, params);
    REQUIRE_FALSE(result.ok());
    REQUIRE(result.error().code() == ErrorCode::kTimeout);
  }
  SECTION("steps of a subquery") {
    const auto result =
        Fixture().engine().instant(storage, "sum_over_time(x_total[10y:1ms])", kMinute);
    REQUIRE_FALSE(result.ok());
    REQUIRE(result.error().code() == ErrorCode::kLimitExceeded);
  }
  SECTION("cancel") {
    QueryParams params;
    params.canceled = [] { return true; };
    const auto result = Fixture().engine().instant(storage, "x_total", kMinute, params);
    REQUIRE_FALSE(result.ok());
    REQUIRE(result.error().code() == ErrorCode::kCanceled);
    REQUIRE(result.error().message() == "query was canceled in expression evaluation");
  }
  SECTION("timeout") {
    options.timeout = std::chrono::milliseconds(0);
    const auto result = Fixture(options).engine().instant(storage, "x_total", kMinute);
    REQUIRE_FALSE(result.ok());
    REQUIRE(result.error().code() == ErrorCode::kTimeout);
  }
  SECTION("a range query of a string") {
    const auto result = Fixture().engine().range(storage, "\"x\"", 0, kMinute, 1000);
    REQUIRE_FALSE(result.ok());
    REQUIRE(result.error().code() == ErrorCode::kInvalidArgument);
    REQUIRE(result.error().message() ==
            "invalid expression type \"string\" for range query, must be Scalar or instant "
            "Vector");
  }
}

TEST_CASE("engine: absurd times neither overflow nor crash", "[promql][engine]") {
  const auto storage = counters(3, 10);
  const Fixture fixture;
  const Timestamp t = GENERATE(std::numeric_limits<Timestamp>::min(),
                               std::numeric_limits<Timestamp>::max(), Timestamp{-1});
  for (const char* query : {"x_total", "rate(x_total[5m])", "x_total offset 290y",
                            "x_total offset -290y", "sum_over_time(x_total[5m:1m])",
                            "x_total @ 9223372036854"}) {
    CAPTURE(t, query);
    const auto result = fixture.engine().instant(storage, query, t);
    REQUIRE((result.ok() || !result.error().message().empty()));
  }
}

TEST_CASE("engine: sums are compensated and their order does not show", "[promql][engine]") {
  test_language::MemoryStorage storage;
  const double values[] = {1e100, 1, -1e100, 3.5};
  for (std::size_t i = 0; i < 4; ++i) {
    storage.add({{kMetricName, "a"}, {"i", std::to_string(i)}}, 0, values[i]);
  }
  const auto value = [&](const char* query) {
    return std::get<Vector>(Fixture().engine().instant(storage, query, 0)->value).at(0).value;
  };
  REQUIRE(value("sum(a)") == 4.5);
  REQUIRE(value("avg(a)") == 1.125);
}

TEST_CASE("engine: a query ends while its regular expressions are still being matched",
          "[promql][engine]") {
  test_language::MemoryStorage storage;
  for (int i = 0; i < 2000; ++i) {
    const std::string value = std::string(4000, 'x') + std::to_string(i);
    storage.add(Labels{{kMetricName, "x"}, {"v", value}}, 1000, 1);
  }
  const Fixture fixture;
  int polls = 0;
  QueryParams params;
  params.canceled = [&polls] { return ++polls > 3; };
  const auto result =
      fixture.engine().instant(storage, "count({v=~\"(x+x+)+y|(x+x+)+z\"})", 1000, params);
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code() == ErrorCode::kCanceled);
  CHECK(polls < 10);
  CHECK(fixture.held() == 0);
}

TEST_CASE("engine: labels that are made count as the query's memory", "[promql][engine]") {
  const auto storage = counters(400, 2);
  EngineOptions options;
  options.memory_max_bytes = 1 << 20;
  const Fixture fixture(options);
  const auto replace = [](const std::string& inner, int label) {
    return "label_replace(" + inner + ", 'l" + std::to_string(label) + "', '" +
           std::string(400, 'x') + "$1', 'instance', '(.*)')";
  };
  std::string query = replace("x_total", 0);
  CHECK(fixture.engine().instant(storage, query, 15'000).ok());
  for (int label = 1; label < 8; ++label) query = replace(query, label);
  const auto result = fixture.engine().instant(storage, query, 15'000);
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code() == ErrorCode::kLimitExceeded);
  CHECK_THAT(result.error().message(), Catch::Contains("--query.memory-max=1048576B"));
  CHECK(fixture.held() == 0);
}

TEST_CASE("engine: the step of subqueries that name none can change", "[promql][engine]") {
  const auto storage = counters(1, 120);
  base::SystemClock clock;
  base::MemoryAccount memory{"test"};
  Engine engine({}, clock, nullptr, &memory);
  const auto points = [&] {
    return matrix_of(engine.instant(storage, "vector(1)[10m:]", 20 * kMinute))[0].floats.size();
  };
  CHECK(points() == 10);
  engine.set_default_subquery_step(std::chrono::seconds(15));
  CHECK(points() == 40);
}

TEST_CASE("engine: anchored and smoothed ranges have points on both ends", "[promql][engine]") {
  test_language::MemoryStorage storage;
  const Labels labels{{kMetricName, "m"}};
  for (const auto& [time, value] : std::vector<std::pair<Timestamp, double>>{
           {10'000, 1}, {20'000, 3}, {30'000, 2}, {40'000, 8}}) {
    storage.add(labels, time, value);
  }
  EngineOptions options;
  options.features.extended_range_selectors = true;
  const Fixture fixture(options);
  const auto points = [&](const std::string& query, Timestamp at) {
    std::vector<std::pair<Timestamp, double>> out;
    const Matrix matrix = matrix_of(fixture.engine().instant(storage, query, at));
    if (matrix.empty()) return out;
    for (const Sample& point : matrix[0].floats) out.emplace_back(point.timestamp_ms, point.value);
    return out;
  };
  using Points = std::vector<std::pair<Timestamp, double>>;
  CHECK(points("m[20s] anchored", 35'000) ==
        Points{{15'000, 1}, {20'000, 3}, {30'000, 2}, {35'000, 2}});
  CHECK(points("m[20s] smoothed", 35'000) ==
        Points{{15'000, 2}, {20'000, 3}, {30'000, 2}, {35'000, 5}});
  // What lies on an end is the point there.
  CHECK(points("m[20s] anchored", 40'000) == Points{{20'000, 3}, {30'000, 2}, {40'000, 8}});
  CHECK(points("m[5s] anchored", 100'000).empty());
}

TEST_CASE("engine: a timeout below zero is over before anything is read, after the syntax",
          "[promql][engine]") {
  const auto storage = counters(3, 3);
  const Fixture fixture;
  QueryParams params;
  params.timeout = std::chrono::milliseconds(-1);
  CHECK(fixture.engine().instant(storage, "x_total", 0, params).error().code() ==
        ErrorCode::kTimeout);
  CHECK(fixture.engine().instant(storage, "x_total{", 0, params).error().code() ==
        ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace varve::promql
