// SPDX-License-Identifier: Apache-2.0
// With the cache and without it a query has one answer, whatever was written, written late, deleted
// or forgotten in between: random writes and random queries, compared bit by bit.
#include <catch2/catch.hpp>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory_account.h"
#include "base/metrics.h"
#include "fs/fault_fs.h"
#include "model/histogram.h"
#include "promql/engine.h"
#include "promql/range_cache.h"
#include "promql/test_language/memory_storage.h"
#include "storage/db.h"
#include "storage/version_stamps.h"

namespace varve::promql {
namespace {

constexpr Timestamp kMinute = 60'000;
constexpr Timestamp kHour = 60 * kMinute;
constexpr Timestamp kStart = 1'790'000'000'000 / (2 * kHour) * (2 * kHour);

// A storage that keeps the promises of Queryable in the plainest way.
class StampedStorage final : public storage::Queryable {
 public:
  Result<std::unique_ptr<storage::Querier>> querier(TimeRange range) const override {
    range.min_ms = std::max(range.min_ms, expired_before_ms());
    return samples_.querier(range);
  }
  std::uint64_t stamp(TimeRange range) const override { return stamps_.stamp(range); }
  Timestamp settled_before_ms() const override { return stamps_.settle(newest_ms_ - settle_ms_); }
  Timestamp expired_before_ms() const override { return expired_before_ms_; }

  template <typename Value>
  void add(const Labels& labels, Timestamp time_ms, Value value) {
    samples_.add(labels, time_ms, value);
    newest_ms_ = std::max(newest_ms_, time_ms);
    stamps_.applied({time_ms, time_ms});
  }
  void erase(TimeRange range) {
    test_language::MemoryStorage kept;
    for (const auto& [labels, series] : samples_.series()) {
      for (const auto& [time, value] : series.floats) {
        if (!range.contains(time)) kept.add(labels, time, value);
      }
      for (const auto& [time, histogram] : series.histograms) {
        if (!range.contains(time)) kept.add(labels, time, histogram.loaded);
      }
    }
    samples_ = std::move(kept);
    stamps_.applied(range);
  }
  void expire(Timestamp before_ms) { expired_before_ms_ = before_ms; }

 private:
  test_language::MemoryStorage samples_;
  mutable storage::VersionStamps stamps_;
  Timestamp newest_ms_ = kStart;
  Timestamp expired_before_ms_ = 0;
  static constexpr Timestamp settle_ms_ = 2 * kMinute;
};

const std::vector<std::string>& queries() {
  static const std::vector<std::string> all{
      "x_total", "rate(x_total[5m])", "sum by (job) (rate(x_total[3m]))",
      "sum(x_total) by (job) / count(x_total) by (job)", "topk(2, x_total)",
      "bottomk(1, x_total) by (job)", "x_total offset 10m", "x_total offset -3m",
      "x_total - x_total offset 1h", "max_over_time(x_total[20m])",
      "avg_over_time(sum by (job) (x_total)[10m:1m])", "x_total @ 1790000000",
      "quantile by (job) (0.5, x_total)", "count_values(\"v\", x_total % 3)",
      "absent(x_total{instance=\"i3\"})", "absent_over_time(x_total{instance=\"i2\"}[4m])",
      "x_total > 50 and on(instance) y", "y * on(instance) group_left x_total", "y or x_total",
      "changes(y[10m]) + resets(y[10m])", "label_replace(y, \"z\", \"$1\", \"job\", \"(.)\")",
      "timestamp(y)", "hour() + time() % 7", "scalar(sum(y)) + 1", "h", "sum(h)",
      "histogram_count(rate(h[5m]))", "histogram_quantile(0.5, sum(increase(h[10m])))",
      "{__name__=~\"x_total|y\"} * 2", "delta(y[7m])", "deriv(y[9m])", "irate(x_total[2m])",
      "last_over_time({job=\"a\"}[3m])", "sum_over_time({job=\"a\"}[3m])", "x_total @ end()",
      "predict_linear(y[10m], 60)", "stddev_over_time(y[5m])", "group(y) by (job) unless y",
      "sgn(y) == bool 1", "vector(1) + on() sum(y)", "sum_over_time(y[step()])",
      "max_over_time((x_total > 20)[15m:30s] offset 2m)", "y{job=\"none\"}", "1 + 1"};
  return all;
}

bool same(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

void require_same(const Result<QueryResult>& cached, const Result<QueryResult>& fresh) {
  if (!fresh.ok()) {
    REQUIRE_FALSE(cached.ok());
    REQUIRE(cached.error().message() == fresh.error().message());
    return;
  }
  if (!cached.ok()) FAIL(cached.error().message());
  REQUIRE(cached->annotations.warnings == fresh->annotations.warnings);
  REQUIRE(cached->annotations.infos == fresh->annotations.infos);
  const auto& a = std::get<Matrix>(cached->value);
  const auto& b = std::get<Matrix>(fresh->value);
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    REQUIRE(a[i].labels == b[i].labels);
    REQUIRE(a[i].floats.size() == b[i].floats.size());
    for (std::size_t p = 0; p < a[i].floats.size(); ++p) {
      REQUIRE(a[i].floats[p].timestamp_ms == b[i].floats[p].timestamp_ms);
      if (!same(a[i].floats[p].value, b[i].floats[p].value)) {
        CAPTURE(i, p, b[i].labels.to_string());
        REQUIRE(a[i].floats[p].value == b[i].floats[p].value);
      }
    }
    REQUIRE(a[i].histograms.size() == b[i].histograms.size());
    for (std::size_t p = 0; p < a[i].histograms.size(); ++p) {
      REQUIRE(a[i].histograms[p].timestamp_ms == b[i].histograms[p].timestamp_ms);
      REQUIRE(same(a[i].histograms[p].histogram->sum, b[i].histograms[p].histogram->sum));
      REQUIRE(same(a[i].histograms[p].histogram->count, b[i].histograms[p].histogram->count));
      REQUIRE(a[i].histograms[p].histogram->positive_counts ==
              b[i].histograms[p].histogram->positive_counts);
    }
  }
}

class Panels {
 public:
  explicit Panels(std::int64_t bytes_max = 64 << 20, Features features = {})
      : engine_(options(features), clock_, nullptr, &memory_), cache_(bytes_max, metrics_) {}

  void compare(const storage::Queryable& storage, const std::string& query, Timestamp start,
               Timestamp end, std::int64_t step) {
    CAPTURE(query, start, end, step);
    QueryParams params;
    const auto fresh = engine_.range(storage, query, start, end, step, params);
    params.cache = &cache_;
    require_same(engine_.range(storage, query, start, end, step, params), fresh);
    REQUIRE(memory_.bytes() == 0);
  }
  RangeCache& cache() { return cache_; }
  double counted(std::string_view name) const {
    const std::string text = metrics_.render();
    const std::size_t at = text.find("\n" + std::string(name) + " ");
    REQUIRE(at != std::string::npos);
    return std::stod(text.substr(at + name.size() + 2));
  }

 private:
  static EngineOptions options(Features features) {
    EngineOptions options;
    options.features = features;
    return options;
  }
  base::SystemClock clock_;
  base::MemoryAccount memory_{"test"};
  base::MetricsRegistry metrics_;
  Engine engine_;
  RangeCache cache_;
};

Labels labels_of(std::string_view name, int instance) {
  const std::string text = "i" + std::to_string(instance);
  return Labels{{kMetricName, name}, {"instance", text}, {"job", instance % 2 == 0 ? "a" : "b"}};
}

HistogramPtr histogram_of(double count) {
  auto histogram = std::make_shared<Histogram>();
  histogram->schema = 0;
  histogram->count = count + 2;
  histogram->sum = count;
  histogram->positive_spans = {{0, 2}};
  histogram->positive_counts = {2, count};
  return histogram;
}

// One time of scraping: values are whole, so that sums have one value in any order.
template <typename Storage>
void scrape(Storage& storage, std::mt19937_64& random, Timestamp now) {
  for (int i = 0; i < 6; ++i) {
    if (random() % 12 == 0) continue;
    const Timestamp time = now - static_cast<Timestamp>(random() % 5'000);
    storage.add(labels_of("x_total", i), time, static_cast<double>(random() % 100));
    if (random() % 25 == 0) storage.add(labels_of("y", i), time, stale_marker());
    else storage.add(labels_of("y", i), time, static_cast<double>(random() % 7));
    if (i < 2)
      storage.add(labels_of("h", i), time, histogram_of(static_cast<double>(random() % 9)));
  }
}

TEST_CASE("range cache: on or off, a query has one answer over random writes", "[promql][cache]") {
  const auto seed = GENERATE(1u, 2u, 3u, 4u);
  const bool delayed = seed % 2 == 0;
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  StampedStorage storage;
  Features features;
  features.delayed_name_removal = delayed;
  // One run with little room, so that pieces are evicted all the time.
  Panels panels(seed == 3 ? 40'000 : 64 << 20, features);
  Timestamp now = kStart;
  for (; now < kStart + 5 * kHour; now += 30'000) scrape(storage, random, now);
  const std::vector<std::int64_t> steps{15'000, 30'000, kMinute, 5 * kMinute, 7'000};
  for (int round = 0; round < 250; ++round) {
    now += static_cast<Timestamp>(random() % 4) * 15'000;
    scrape(storage, random, now);
    const auto any_time = [&] {
      return kStart + static_cast<Timestamp>(random() % static_cast<std::uint64_t>(now - kStart));
    };
    if (random() % 6 == 0) storage.add(labels_of("x_total", 1), any_time(), 33.0);
    if (random() % 9 == 0) storage.add(labels_of("y", 3), now - kMinute - 1, 5.0);
    if (random() % 15 == 0) {
      const Timestamp from = any_time();
      storage.erase({from, from + static_cast<Timestamp>(random() % kHour)});
    }
    if (round > 200 && random() % 5 == 0) storage.expire(any_time() - kHour);
    for (int panel = 0; panel < 6; ++panel) {
      const std::string& query = queries()[random() % queries().size()];
      const std::int64_t step = steps[random() % steps.size()];
      // Few phases and lengths, so that queries meet again.
      const Timestamp end = now / step * step + (random() % 4 == 0 ? 1'000 : 0);
      const auto count = static_cast<Timestamp>(1 + random() % 300);
      panels.compare(storage, query, end - count * step, end, step);
    }
  }
  // It must have been the cache that answered.
  CHECK(panels.counted("varve_query_cache_steps_reused_total") > 1000);
  if (seed == 3) {
    CHECK(panels.cache().bytes() <= 40'000);
    CHECK(panels.counted("varve_query_cache_evicted_total") > 10);
  }
}

TEST_CASE("range cache: a range function over two names fails as it does without the cache",
          "[promql][cache]") {
  // The names never share a step, but the error is about the whole range.
  StampedStorage storage;
  for (int minute = 0; minute < 600; ++minute) {
    const auto name = minute < 300 ? "old_total" : "new_total";
    storage.add(Labels{{kMetricName, name}, {"i", "1"}}, kStart + minute * kMinute, minute);
  }
  Panels panels;
  const std::string query = "sum(rate({__name__=~\"old_total|new_total\"}[3m]))";
  panels.compare(storage, query, kStart, kStart + 200 * kMinute, kMinute);
  panels.compare(storage, query, kStart, kStart + 590 * kMinute, kMinute);
  panels.compare(storage, query, kStart + 400 * kMinute, kStart + 590 * kMinute, kMinute);
}

// The same against the database: whatever it accepts late must show in the answers.
class DbStorage {
 public:
  explicit DbStorage(std::chrono::milliseconds out_of_order_window) {
    storage::Options options;
    options.path = "data";
    options.sync = storage::SyncMode::kOff;
    options.retention = std::chrono::hours(24 * 365);
    options.out_of_order_window = out_of_order_window;
    auto db = storage::Db::open(options, files_, clock_, log_, metrics_);
    if (!db.ok()) FAIL(db.error().message());
    db_ = std::move(db).value();
  }
  ~DbStorage() { static_cast<void>(db_->close()); }

  void add(const Labels& labels, Timestamp time_ms, double value) {
    storage::WriteBatch batch;
    storage::SeriesEntry entry;
    entry.labels = &labels;
    entry.samples_count = 1;
    batch.samples.push_back({time_ms, value});
    batch.series.push_back(entry);
    REQUIRE(db_->append(batch).ok());
  }
  void add(const Labels& labels, Timestamp time_ms, const HistogramPtr& histogram) {
    storage::WriteBatch batch;
    storage::SeriesEntry entry;
    entry.labels = &labels;
    entry.histograms_count = 1;
    batch.histograms.push_back({time_ms, *histogram});
    batch.series.push_back(entry);
    REQUIRE(db_->append(batch).ok());
  }
  void set_now(Timestamp now) { clock_.set(now); }
  const storage::Db& db() const { return *db_; }

 private:
  fs::FaultFs files_;
  base::FakeClock clock_;
  base::Logger log_{base::LogLevel::kError, base::LogFormat::kLogfmt, clock_,
                    [](std::string_view) {}};
  base::MetricsRegistry metrics_;
  std::unique_ptr<storage::Db> db_;
};

TEST_CASE("range cache: the database tells of everything that comes late", "[promql][cache]") {
  const auto window_hours = GENERATE(0, 3);
  CAPTURE(window_hours);
  std::mt19937_64 random(11);
  DbStorage storage{std::chrono::hours(window_hours)};
  Panels panels;
  Timestamp now = kStart;
  for (; now < kStart + 4 * kHour; now += 30'000) {
    storage.set_now(now);
    scrape(storage, random, now);
  }
  for (int round = 0; round < 120; ++round) {
    now += 15'000;
    storage.set_now(now);
    scrape(storage, random, now);
    const Timestamp back = static_cast<Timestamp>(random() % (2 * kHour));
    if (random() % 4 == 0) storage.add(labels_of("x_total", 1), now - back, 33.0);
    // A series that began late and is in order for itself, far behind the others.
    const std::string late = "late" + std::to_string(round);
    if (random() % 4 == 0) {
      storage.add(Labels{{kMetricName, "x_total"}, {"instance", late}, {"job", "a"}},
                  now - static_cast<Timestamp>(random() % (50 * kMinute)), 7.0);
    }
    for (int panel = 0; panel < 5; ++panel) {
      const std::string& query = queries()[random() % queries().size()];
      const std::int64_t step = random() % 2 == 0 ? kMinute : 30'000;
      const Timestamp end = now / step * step;
      panels.compare(storage.db(), query, end - static_cast<Timestamp>(random() % 240) * step, end,
                     step);
    }
  }
  CHECK(panels.counted("varve_query_cache_steps_reused_total") > 1000);
}

}  // namespace
}  // namespace varve::promql
