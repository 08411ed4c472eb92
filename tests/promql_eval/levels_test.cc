// SPDX-License-Identifier: Apache-2.0
// Older time answered from buckets: every query is asked of a storage that has all its samples and
// of one that has folded the older part of them into buckets.
#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/memory_account.h"
#include "base/thread_pool.h"
#include "model/histogram.h"
#include "promql/engine.h"
#include "promql/parse/function_table.h"
#include "promql/test_language/memory_storage.h"
#include "promql/value/level_windows.h"

namespace varve::promql {
namespace {

using storage::LevelSpan;
using test_language::MemoryStorage;

constexpr Timestamp kMinute = 60'000;
constexpr Timestamp kHour = 60 * kMinute;
constexpr Timestamp kBase = 1'000 * kHour;  // a multiple of all resolutions
constexpr Timestamp kFar = TimeRange::all().min_ms;

// Series with resets, gaps, ends and NaN; values are eighths, so that sums of them are exact.
MemoryStorage random_series(std::uint64_t seed, std::size_t count, std::int64_t hours) {
  MemoryStorage storage;
  std::mt19937_64 random(seed);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string instance = "host-" + std::to_string(i);
    const std::string job = "job-" + std::to_string(i % 3);
    const Labels counter{{kMetricName, "x_total"}, {"instance", instance}, {"job", job}};
    const Labels gauge{{kMetricName, "g"}, {"instance", instance}, {"job", job}};
    double value = 0;
    const auto jitter = static_cast<std::int64_t>(random() % 15'000);
    for (Timestamp t = kBase; t < kBase + hours * kHour; t += 15'000) {
      value += static_cast<double>(random() % 800) / 8;
      if (random() % 60 == 0) value = 0;
      if (random() % 25 == 0) continue;
      if (random() % 300 == 0) {
        storage.add(counter, t + jitter, stale_marker());
        t += static_cast<Timestamp>(random() % 40) * kMinute;
        continue;
      }
      storage.add(counter, t + jitter, value);
      const double level = static_cast<double>(random() % 2000) / 8 - 100;
      storage.add(gauge, t + jitter, random() % 500 == 0 ? normal_nan() : level);
    }
  }
  return storage;
}

MemoryStorage with_levels(const MemoryStorage& raw, std::vector<LevelSpan> spans,
                          bool sketches = false) {
  MemoryStorage storage = raw;
  storage.keep_levels(std::move(spans), sketches);
  return storage;
}

// 1h buckets, then 5m buckets, then samples.
std::vector<LevelSpan> ladder(std::int64_t hours_of_1h, std::int64_t hours_of_5m) {
  const Timestamp first = kBase + hours_of_1h * kHour;
  return {{kHour, {kFar, first}},
          {5 * kMinute, {first + 5 * kMinute, first + hours_of_5m * kHour}}};
}

class Fixture {
 public:
  explicit Fixture(base::ThreadPool* pool = nullptr) : engine_({}, clock_, pool, &memory_) {}

  QueryResult range(const MemoryStorage& storage, const std::string& query, Timestamp start,
                    Timestamp end, std::int64_t step,
                    std::int64_t resolution = storage::kSourceAuto) const {
    QueryParams params;
    params.max_source_resolution_ms = resolution;
    auto result = engine_.range(storage, query, start, end, step, params);
    if (!result.ok()) FAIL(query + ": " + result.error().message());
    return *std::move(result);
  }
  QueryResult instant(const MemoryStorage& storage, const std::string& query, Timestamp time,
                      std::int64_t resolution = storage::kSourceAuto) const {
    QueryParams params;
    params.max_source_resolution_ms = resolution;
    auto result = engine_.instant(storage, query, time, params);
    if (!result.ok()) FAIL(query + ": " + result.error().message());
    return *std::move(result);
  }

 private:
  base::SystemClock clock_;
  mutable base::MemoryAccount memory_{"test"};
  Engine engine_;
};

const Matrix& matrix_of(const QueryResult& result) { return std::get<Matrix>(result.value); }

std::size_t points_of(const Matrix& matrix) {
  std::size_t points = 0;
  for (const Series& series : matrix) points += series.floats.size() + series.histograms.size();
  return points;
}

bool same_value(double a, double b, double tolerance) {
  if (std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b)) return true;
  if (std::isnan(a) && std::isnan(b)) return true;
  return std::fabs(a - b) <= tolerance * std::max({std::fabs(a), std::fabs(b), 1e-3});
}

// tolerance 0: to the last bit.
void require_same(const Matrix& a, const Matrix& b, double tolerance = 0) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CAPTURE(a[i].labels.get("instance"));
    REQUIRE(a[i].labels == b[i].labels);
    REQUIRE(a[i].floats.size() == b[i].floats.size());
    for (std::size_t p = 0; p < a[i].floats.size(); ++p) {
      const Sample& x = a[i].floats[p];
      const Sample& y = b[i].floats[p];
      if (x.timestamp_ms == y.timestamp_ms && same_value(x.value, y.value, tolerance)) continue;
      CAPTURE(x.timestamp_ms - kBase, y.timestamp_ms - kBase, x.value, y.value);
      REQUIRE(false);
    }
    REQUIRE(a[i].histograms.size() == b[i].histograms.size());
    for (std::size_t p = 0; p < a[i].histograms.size(); ++p) {
      CAPTURE(a[i].histograms[p].timestamp_ms - kBase);
      REQUIRE(a[i].histograms[p].timestamp_ms == b[i].histograms[p].timestamp_ms);
      CAPTURE(model::to_string(*a[i].histograms[p].histogram),
              model::to_string(*b[i].histograms[p].histogram));
      REQUIRE(model::same_data(*a[i].histograms[p].histogram, *b[i].histograms[p].histogram));
    }
  }
}

bool mentions(const std::vector<std::string>& texts, const std::string& part) {
  return std::any_of(texts.begin(), texts.end(), [&part](const std::string& text) {
    return text.find(part) != std::string::npos;
  });
}

}  // namespace

TEST_CASE("levels: functions over whole buckets answer as over samples, to the last bit",
          "[promql][levels]") {
  const auto seed = GENERATE(range(std::uint64_t{1}, std::uint64_t{7}));
  CAPTURE(seed);
  const MemoryStorage raw = random_series(seed, 6, 30);
  const Fixture fixture;
  const MemoryStorage levels = with_levels(raw, ladder(10, 10));
  for (const std::string function :
       {"count_over_time", "min_over_time", "max_over_time", "first_over_time", "last_over_time",
        "present_over_time", "rate", "increase", "delta", "resets", "changes",
        "absent_over_time"}) {
    for (const std::string metric : {"x_total", "g"}) {
      for (const auto& [window, step] : {std::pair<std::string, std::int64_t>{"1h", kHour},
                                         {"4h", kHour},
                                         {"2h", 2 * kHour},
                                         {"12h", 3 * kHour}}) {
        const std::string query = function + "(" + metric + "[" + window + "])";
        CAPTURE(query);
        const QueryResult expected =
            fixture.range(raw, query, kBase - 2 * kHour, kBase + 32 * kHour, step);
        const QueryResult found =
            fixture.range(levels, query, kBase - 2 * kHour, kBase + 32 * kHour, step);
        require_same(matrix_of(expected), matrix_of(found));
        if (function != "absent_over_time") REQUIRE(points_of(matrix_of(found)) > 20);
        REQUIRE(found.stats.resolutions_ms == std::vector<std::int64_t>{0, 5 * kMinute, kHour});
      }
    }
  }
}

TEST_CASE("levels: what stands on top of windows and selectors answers as over samples",
          "[promql][levels]") {
  const std::string query = GENERATE(
      "x_total", "sum by (job) (x_total)", "sum by (job) (rate(x_total[1h]))", "count(g)",
      "topk(2, x_total)", "limitk(2, g)", "absent(x_total)", "x_total offset 2h",
      "x_total > bool 100", "x_total / on (instance, job) g", "timestamp(x_total)",
      "max_over_time(rate(x_total[1h])[6h:1h])", "x_total @ 3614400", "rate(x_total[1h] @ 3614400)",
      "rate(x_total[2h] offset 3h)", "g and x_total", "g unless x_total", "scalar(count(x_total))",
      "quantile(0.5, g)", "increase(x_total[1h]) or g", "-g", "abs(g)",
      "label_replace(g, \"a\", \"$1\", \"job\", \"(.*)\")", "sort(g)",
      "ts_of_last_over_time(g[1h])", "ts_of_first_over_time(g[1h])",
      "count_values(\"v\", floor(g / 100))");
  CAPTURE(query);
  const MemoryStorage raw = random_series(11, 8, 26);
  const MemoryStorage levels = with_levels(raw, ladder(8, 8));
  EngineOptions options;
  options.features.experimental_functions = true;
  base::SystemClock clock;
  base::MemoryAccount memory("test");
  const Engine engine(options, clock, nullptr, &memory);
  QueryParams params;
  params.max_source_resolution_ms = storage::kSourceAuto;
  const auto run = [&](const MemoryStorage& storage) {
    auto result = engine.range(storage, query, kBase - kHour, kBase + 26 * kHour, kHour, params);
    if (!result.ok()) FAIL(result.error().message());
    return *std::move(result);
  };
  require_same(matrix_of(run(raw)), matrix_of(run(levels)));
  for (Timestamp t = kBase + kHour; t < kBase + 26 * kHour; t += 5 * kHour) {
    const auto one = [&](const MemoryStorage& storage) {
      auto result = engine.instant(storage, query, t, params);
      REQUIRE(result.ok());
      std::map<std::string, double> values;
      if (const auto* vector = std::get_if<Vector>(&result->value)) {
        for (const VectorSample& sample : *vector) {
          values[std::string(sample.labels.bytes())] = sample.value;
        }
      }
      return values;
    };
    const auto expected = one(raw);
    const auto found = one(levels);
    REQUIRE(expected.size() == found.size());
    for (const auto& [labels, value] : expected) {
      REQUIRE(found.contains(labels));
      REQUIRE(same_value(value, found.at(labels), 0));
    }
  }
}

TEST_CASE("levels: sums and means are those of samples within summation error",
          "[promql][levels]") {
  MemoryStorage raw;
  std::mt19937_64 random(3);
  const Labels labels{{kMetricName, "g"}};
  for (Timestamp t = kBase; t < kBase + 24 * kHour; t += 15'000) {
    raw.add(
        labels, t,
        std::ldexp(static_cast<double>(random() % 1'000'003) / 7, static_cast<int>(random() % 20)));
  }
  const MemoryStorage levels = with_levels(raw, ladder(8, 8));
  const Fixture fixture;
  for (const std::string query :
       {"sum_over_time(g[1h])", "avg_over_time(g[6h])", "sum_over_time(g[12h])"}) {
    CAPTURE(query);
    require_same(matrix_of(fixture.range(raw, query, kBase, kBase + 24 * kHour, kHour)),
                 matrix_of(fixture.range(levels, query, kBase, kBase + 24 * kHour, kHour)), 1e-14);
  }
}

TEST_CASE("levels: a steady counter has one rate on every step across the seams",
          "[promql][levels]") {
  MemoryStorage raw;
  const Labels labels{{kMetricName, "x_total"}};
  for (Timestamp t = kBase; t < kBase + 30 * kHour; t += 15'000) {
    raw.add(labels, t + 7'000, static_cast<double>(t - kBase) / 1000 * 4);
  }
  const MemoryStorage levels = with_levels(raw, ladder(10, 10));
  const Fixture fixture;
  const auto step = GENERATE(kMinute, 97 * kMinute / 60, 5 * kMinute, 13 * kMinute);
  const std::string window = GENERATE("1m", "5m", "7m", "30m", "1h", "90m", "3h");
  CAPTURE(step, window);
  const Timestamp start = kBase + 4 * kHour + 11'000;
  const Timestamp end = kBase + 29 * kHour;
  const auto steps = static_cast<std::size_t>((end - start) / step) + 1;
  const QueryResult rate = fixture.range(levels, "rate(x_total[" + window + "])", start, end, step);
  REQUIRE(points_of(matrix_of(rate)) == steps);
  for (const Sample& sample : matrix_of(rate)[0].floats) {
    CAPTURE((sample.timestamp_ms - kBase) / kMinute);
    REQUIRE(sample.value == Approx(4).epsilon(1e-9));
  }
  // increase is rate times the range asked for, whatever buckets it came from.
  const QueryResult increase =
      fixture.range(levels, "increase(x_total[" + window + "]) / rate(x_total[" + window + "])",
                    start, end, step);
  REQUIRE(points_of(matrix_of(increase)) == steps);
  const double first = matrix_of(increase)[0].floats[0].value;
  for (const Sample& sample : matrix_of(increase)[0].floats) {
    REQUIRE(sample.value == Approx(first).epsilon(1e-9));
  }
  // The newest known sample is never missing, never of the future and at most a bucket old.
  const QueryResult value = fixture.range(levels, "time() - timestamp(x_total)", start, end, step);
  REQUIRE(points_of(matrix_of(value)) == steps);
  for (const Sample& sample : matrix_of(value)[0].floats) {
    REQUIRE(sample.value >= 0);
    REQUIRE(sample.value <= 3600);
  }
}

TEST_CASE("levels: sums and counts of a steady series are the same on every step across the seams",
          "[promql][levels]") {
  MemoryStorage raw;
  const Labels gauge{{kMetricName, "g"}};
  const Labels saw{{kMetricName, "saw_total"}};
  for (Timestamp t = kBase; t < kBase + 30 * kHour; t += 15'000) {
    raw.add(gauge, t + 7'000, 3);
    raw.add(saw, t + 7'000, static_cast<double>((t - kBase) / 15'000 % 20));
  }
  const MemoryStorage levels = with_levels(raw, ladder(10, 10));
  const Fixture fixture;
  const std::int64_t step = 1000 * GENERATE(60, 97, 780);
  const int minutes = GENERATE(60, 90, 180, 400);
  CAPTURE(step, minutes);
  const Timestamp start = kBase + 8 * kHour + 11'000;
  const Timestamp end = kBase + 29 * kHour;
  const auto all_are = [&](const std::string& function, const std::string& series, double value,
                           double error) {
    CAPTURE(function);
    const std::string query = function + "(" + series + "[" + std::to_string(minutes) + "m])";
    const QueryResult result = fixture.range(levels, query, start, end, step);
    REQUIRE(points_of(matrix_of(result)) == static_cast<std::size_t>((end - start) / step) + 1);
    for (const Sample& sample : matrix_of(result)[0].floats) {
      CAPTURE((sample.timestamp_ms - kBase) / kMinute, sample.value);
      REQUIRE(std::fabs(sample.value - value) <= error);
    }
  };
  const auto length = static_cast<double>(minutes);
  all_are("count_over_time", "g", 4 * length, 1);
  all_are("sum_over_time", "g", 12 * length, 3.5);
  all_are("resets", "saw_total", length / 5, 1.5);
  all_are("changes", "saw_total", 4 * length, 3);
}

TEST_CASE("levels: a series that ended is gone as soon as it would be in samples",
          "[promql][levels]") {
  MemoryStorage raw;
  const Labels labels{{kMetricName, "up"}};
  for (Timestamp t = kBase + 10 * kMinute; t <= kBase + 20 * kMinute; t += 15'000) {
    raw.add(labels, t, 1);
  }
  const bool stale = GENERATE(true, false);
  if (stale) raw.add(labels, kBase + 20 * kMinute + 15'000, stale_marker());
  const MemoryStorage levels = with_levels(raw, {{kHour, {kFar, kBase + 6 * kHour}}});
  const Fixture fixture;
  require_same(matrix_of(fixture.range(raw, "up", kBase, kBase + 6 * kHour, kMinute)),
               matrix_of(fixture.range(levels, "up", kBase, kBase + 6 * kHour, kMinute)));
}

TEST_CASE("levels: what buckets cannot tell gives nothing and says so", "[promql][levels]") {
  MemoryStorage raw;
  std::mt19937_64 random(6);
  for (Timestamp t = kBase; t <= kBase + 24 * kHour; t += 15'000) {
    raw.add({{kMetricName, "g"}}, t, static_cast<double>(random() % 1000));
    raw.add({{kMetricName, "x_total"}}, t, static_cast<double>(t - kBase));
  }
  const MemoryStorage levels = with_levels(raw, ladder(6, 6));
  EngineOptions options;
  options.features.experimental_functions = true;
  base::SystemClock clock;
  base::MemoryAccount memory("test");
  const Engine engine(options, clock, nullptr, &memory);
  QueryParams params;
  params.max_source_resolution_ms = storage::kSourceAuto;
  const auto& [function, arguments] =
      GENERATE(table<std::string, std::string>({{"irate", "x_total[1h]"},
                                                {"idelta", "g[1h]"},
                                                {"deriv", "g[1h]"},
                                                {"predict_linear", "g[1h], 60"},
                                                {"stddev_over_time", "g[1h]"},
                                                {"stdvar_over_time", "g[1h]"},
                                                {"mad_over_time", "g[1h]"},
                                                {"double_exponential_smoothing", "g[1h], 0.5, 0.5"},
                                                {"ts_of_min_over_time", "g[1h]"},
                                                {"ts_of_max_over_time", "g[1h]"}}));
  const std::string query = function + "(" + arguments + ")";
  CAPTURE(query);
  const auto run = [&](const MemoryStorage& storage, Timestamp start) {
    auto result = engine.range(storage, query, start, kBase + 24 * kHour, 10 * kMinute, params);
    REQUIRE(result.ok());
    return *std::move(result);
  };
  // Windows reach back an hour: those after that have samples only.
  const Timestamp first_raw = kBase + 13 * kHour;
  const QueryResult partly = run(levels, kBase);
  require_same(matrix_of(run(raw, first_raw)), matrix_of(partly));
  REQUIRE(mentions(partly.annotations.warnings, function + "() cannot be told from buckets of 1h"));
  REQUIRE(mentions(partly.annotations.warnings, "1970-02-11T22:00:00Z"));
  const QueryResult fully = run(levels, first_raw);
  REQUIRE(fully.annotations.warnings.empty());
}

TEST_CASE("levels: quantiles come from sketches within one percent, or not at all",
          "[promql][levels]") {
  MemoryStorage raw;
  std::mt19937_64 random(9);
  const Labels labels{{kMetricName, "g"}};
  for (Timestamp t = kBase; t < kBase + 24 * kHour; t += 15'000) {
    raw.add(labels, t, std::exp(static_cast<double>(random() % 10'000) / 1000));
  }
  const Fixture fixture;
  const MemoryStorage sketched = with_levels(raw, ladder(8, 8), true);
  for (const std::string q : {"0", "0.01", "0.5", "0.9", "0.99", "1"}) {
    const std::string query = "quantile_over_time(" + q + ", g[2h])";
    CAPTURE(query);
    const QueryResult found = fixture.range(sketched, query, kBase, kBase + 24 * kHour, kHour);
    require_same(matrix_of(fixture.range(raw, query, kBase, kBase + 24 * kHour, kHour)),
                 matrix_of(found), q == "0" || q == "1" ? 0 : 0.01);
    REQUIRE(found.annotations.warnings.empty());
  }
  const QueryResult without =
      fixture.range(with_levels(raw, ladder(8, 8)), "quantile_over_time(0.5, g[2h])", kBase,
                    kBase + 24 * kHour, kHour);
  REQUIRE(points_of(matrix_of(without)) == 7);  // 18h to 24h
  REQUIRE(mentions(without.annotations.warnings, "without sketches"));
}

TEST_CASE("levels: native histograms answer as over samples", "[promql][levels]") {
  MemoryStorage raw;
  std::mt19937_64 random(4);
  const Labels labels{{kMetricName, "h"}};
  Histogram histogram;
  histogram.schema = 2;
  histogram.positive_spans = {{0, 6}};
  histogram.positive_counts.assign(6, 0);
  for (Timestamp t = kBase; t < kBase + 24 * kHour; t += 60'000) {
    if (random() % 90 == 0) {
      histogram.positive_counts.assign(6, 0);
      histogram.count = histogram.sum = 0;
    }
    const std::size_t bucket = random() % 6;
    histogram.positive_counts[bucket] += 3;
    histogram.count += 3;
    histogram.sum += 3 * static_cast<double>(bucket);
    if (random() % 20 == 0) continue;
    raw.add(labels, t + 1'000, std::make_shared<const Histogram>(histogram));
  }
  raw.detect_resets();
  const MemoryStorage levels = with_levels(raw, ladder(8, 8));
  const Fixture fixture;
  for (const std::string query :
       {"rate(h[1h])", "increase(h[3h])", "sum_over_time(h[2h])", "count_over_time(h[2h])",
        "last_over_time(h[1h])", "resets(h[4h])", "h", "histogram_quantile(0.9, rate(h[1h]))",
        "histogram_count(increase(h[2h]))", "present_over_time(h[1h])"}) {
    CAPTURE(query);
    const QueryResult found = fixture.range(levels, query, kBase, kBase + 24 * kHour, kHour);
    require_same(matrix_of(fixture.range(raw, query, kBase, kBase + 24 * kHour, kHour)),
                 matrix_of(found));
    REQUIRE(points_of(matrix_of(found)) > 20);
  }
  const QueryResult changes =
      fixture.range(levels, "changes(h[1h])", kBase, kBase + 15 * kHour, kHour);
  REQUIRE(points_of(matrix_of(changes)) == 0);
  REQUIRE(mentions(changes.annotations.warnings, "changes() cannot be told"));
}

TEST_CASE("levels: exponential and custom buckets in one bucket have no sum",
          "[promql][levels]") {
  MemoryStorage raw;
  const Labels labels{{kMetricName, "h"}};
  bool custom = false;
  for (Timestamp t = kBase; t < kBase + 8 * kHour; t += 60'000, custom = !custom) {
    Histogram histogram;
    histogram.schema = custom ? kCustomBucketsSchema : 2;
    if (custom) histogram.custom_bounds = {1, 2, 3};
    histogram.positive_spans = {{0, 3}};
    histogram.positive_counts.assign(3, 2);
    histogram.count = 6;
    histogram.sum = 9;
    raw.add(labels, t + 1'000, std::make_shared<const Histogram>(histogram));
  }
  const MemoryStorage levels = with_levels(raw, ladder(8, 8));
  const Fixture fixture;
  for (const std::string query : {"rate(h[1h])", "increase(h[3h])", "delta(h[1h])",
                                  "sum_over_time(h[2h])", "avg_over_time(h[2h])"}) {
    CAPTURE(query);
    const QueryResult found = fixture.range(levels, query, kBase, kBase + 8 * kHour, kHour);
    REQUIRE(points_of(matrix_of(found)) == 0);
    REQUIRE(mentions(found.annotations.warnings, "mix"));
  }
}

TEST_CASE("levels: a query names what answered it", "[promql][levels]") {
  const MemoryStorage raw = random_series(5, 2, 24);
  const MemoryStorage levels = with_levels(raw, ladder(6, 6));
  const Fixture fixture;
  const auto infos = [&](const std::string& query, std::int64_t resolution, Timestamp start) {
    return fixture.range(levels, query, start, kBase + 24 * kHour, kHour, resolution)
        .annotations.infos;
  };
  const std::string both =
      "answered from buckets of 1h up to 1970-02-11T22:00:00Z, buckets of 5m up to "
      "1970-02-12T04:00:00Z, samples";
  REQUIRE(mentions(infos("rate(x_total[1h])", storage::kSourceAuto, kBase), both));
  REQUIRE(mentions(infos("x_total", storage::kSourceAuto, kBase), both));
  REQUIRE(infos("x_total", storage::kSourceAuto, kBase + 13 * kHour).empty());
  REQUIRE(infos("x_total", storage::kSourceRaw, kBase).empty());
  REQUIRE(mentions(infos("rate(x_total[5m])", storage::kSourceAuto, kBase),
                   "window of 5m widened to 1h, the resolution of the data up to"));
  REQUIRE(mentions(infos("rate(x_total[90m])", storage::kSourceAuto, kBase),
                   "window of 1h30m is taken as the buckets of 1h that end in it"));
  REQUIRE_FALSE(mentions(infos("rate(x_total[90m])", storage::kSourceAuto, kBase), "of 5m that"));

  const QueryResult thinned = fixture.instant(levels, "g[3h]", kBase + 13 * kHour);
  REQUIRE(mentions(thinned.annotations.infos, "the last sample of each is shown"));
  const Matrix& matrix = matrix_of(thinned);
  REQUIRE(matrix.size() == 2);
  REQUIRE(matrix[0].floats.size() > 24);  // 24 buckets and an hour of samples
  REQUIRE(matrix[0].floats.size() < 24 + 241);
}

TEST_CASE("levels: max_source_resolution leaves coarser data out", "[promql][levels]") {
  const MemoryStorage raw = random_series(5, 2, 24);
  const MemoryStorage levels = with_levels(raw, ladder(6, 6));
  const Fixture fixture;
  const auto first = [&](std::int64_t resolution) {
    const QueryResult result = fixture.range(levels, "count(count_over_time(x_total[1h]))", kBase,
                                             kBase + 24 * kHour, kHour, resolution);
    return (matrix_of(result)[0].floats[0].timestamp_ms - kBase) / kHour;
  };
  // The test storage has all samples that the spans allowed do not hide.
  REQUIRE(first(storage::kSourceAuto) == 1);
  const QueryResult fine =
      fixture.range(levels, "rate(x_total[1h])", kBase, kBase + 24 * kHour, kHour, 5 * kMinute);
  REQUIRE(fine.stats.resolutions_ms == std::vector<std::int64_t>{0, 5 * kMinute});
  const QueryResult samples =
      fixture.range(levels, "rate(x_total[1h])", kBase, kBase + 24 * kHour, kHour, 0);
  REQUIRE(samples.stats.resolutions_ms == std::vector<std::int64_t>{0});
}

TEST_CASE("levels: held samples between buckets take part in windows", "[promql][levels]") {
  const MemoryStorage raw = random_series(8, 4, 30);
  const MemoryStorage levels = with_levels(
      raw, {{kHour, {kFar, kBase + 8 * kHour}}, {kHour, {kBase + 12 * kHour, kBase + 20 * kHour}}});
  const Fixture fixture;
  for (const std::string query :
       {"rate(x_total[2h])", "count_over_time(g[6h])", "max_over_time(g[1h])", "x_total",
        "changes(g[5h])", "increase(x_total[12h])"}) {
    CAPTURE(query);
    require_same(matrix_of(fixture.range(raw, query, kBase, kBase + 30 * kHour, kHour)),
                 matrix_of(fixture.range(levels, query, kBase, kBase + 30 * kHour, kHour)));
  }
}

TEST_CASE("levels: results have the same bits with and without threads", "[promql][levels]") {
  const MemoryStorage levels = with_levels(random_series(2, 150, 8), ladder(3, 3));
  base::ThreadPool pool("test", 4, 256);
  const Fixture alone;
  const Fixture threaded(&pool);
  for (const std::string query :
       {"sum by (job) (rate(x_total[7m]))", "g", "stddev_over_time(g[20m])"}) {
    const QueryResult a = alone.range(levels, query, kBase, kBase + 8 * kHour, 7 * kMinute);
    const QueryResult b = threaded.range(levels, query, kBase, kBase + 8 * kHour, 7 * kMinute);
    require_same(matrix_of(a), matrix_of(b));
    REQUIRE(a.annotations.infos == b.annotations.infos);
    REQUIRE(a.annotations.warnings == b.annotations.warnings);
    REQUIRE(a.stats.samples_total == b.stats.samples_total);
  }
}

TEST_CASE("levels: the table of answers is complete, and LEVELS.md has it", "[promql][levels]") {
  std::ifstream file(std::string(VARVE_SOURCE_DIR) + "/src/storage/LEVELS.md");
  std::ostringstream text;
  text << file.rdbuf();
  std::map<LevelAnswer, std::string> rows;
  std::istringstream lines(text.str());
  for (std::string line; std::getline(lines, line);) {
    if (line.find("| the same, to the last bit |") != std::string::npos)
      rows[LevelAnswer::kExact] = line;
    if (line.find("| the same, within summation error |") != std::string::npos)
      rows[LevelAnswer::kSum] = line;
    if (line.find("| within the sketch's error") != std::string::npos)
      rows[LevelAnswer::kSketch] = line;
    if (line.find("| no result, and a warning |") != std::string::npos)
      rows[LevelAnswer::kNone] = line;
  }
  REQUIRE(rows.size() == 4);
  std::size_t ranges = 0;
  for (const Function& function : functions()) {
    CAPTURE(function.name);
    const bool range = std::find(function.arg_types.begin(), function.arg_types.end(),
                                 ValueType::kMatrix) != function.arg_types.end();
    const LevelAnswer answer = level_answer(function.id);
    REQUIRE((answer != LevelAnswer::kOnTop) == range);
    const bool answered = answer != LevelAnswer::kOnTop && answer != LevelAnswer::kNone;
    REQUIRE((find_level_rule(function.id) != nullptr) == answered);
    if (!range) continue;
    ++ranges;
    const std::string name = "`" + std::string(function.name) + "`";
    for (const auto& [row_answer, row] : rows) {
      REQUIRE((row.find(name) != std::string::npos) == (row_answer == answer));
    }
  }
  REQUIRE(ranges == 27);
}

}  // namespace varve::promql
