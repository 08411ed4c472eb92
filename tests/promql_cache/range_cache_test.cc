// SPDX-License-Identifier: Apache-2.0
// What is kept, for how long, and how much of a query it spares.
#include "promql/range_cache.h"

#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "base/clock.h"
#include "base/memory_account.h"
#include "base/metrics.h"
#include "promql/engine.h"
#include "promql/test_language/memory_storage.h"
#include "storage/version_stamps.h"

namespace varve::promql {
namespace {

constexpr Timestamp kMinute = 60'000;
constexpr Timestamp kHour = 60 * kMinute;

// Stamps that the test moves; the samples are of no interest to the cache itself.
class Stamps final : public storage::Queryable {
 public:
  Result<std::unique_ptr<storage::Querier>> querier(TimeRange range) const override {
    return samples.querier(range);
  }
  std::uint64_t stamp(TimeRange range) const override { return stamps.stamp(range); }
  Timestamp settled_before_ms() const override { return settled_before; }
  Timestamp expired_before_ms() const override { return expired_before; }
  storage::LevelReach level_reach(std::int64_t max_source_resolution_ms) const override {
    return samples.level_reach(max_source_resolution_ms);
  }

  test_language::MemoryStorage samples;
  storage::VersionStamps stamps;
  Timestamp settled_before = 0;
  Timestamp expired_before = TimeRange::all().min_ms;
};

RangeCache::Piece piece_of(std::int64_t first, std::size_t count, const Stamps& storage,
                           std::size_t series = 1) {
  RangeCache::Piece piece;
  piece.first = first;
  piece.count = count;
  for (std::size_t s = 0; s < series; ++s) {
    const std::string name = "i" + std::to_string(s);
    StepSeries points(Labels{{"instance", name}}, count);
    for (std::size_t i = 0; i < count; ++i)
      points.set(i, static_cast<double>(first) + static_cast<double>(i));
    piece.points.series.push_back(std::move(points));
  }
  piece.touched = {first * kMinute - 5 * kMinute, piece.last() * kMinute};
  piece.stamp = storage.stamp(piece.touched);
  return piece;
}

struct Rig {
  explicit Rig(std::int64_t bytes_max = 1 << 20) : cache(bytes_max, metrics) {}
  void store(std::int64_t first, std::size_t count, std::size_t series = 1) {
    cache.store("key", piece_of(first, count, storage, series), kMinute, storage);
  }
  auto find(std::int64_t first, std::int64_t last) {
    return cache.find("key", first, last, storage);
  }

  base::MetricsRegistry metrics;
  Stamps storage;
  RangeCache cache;
};

TEST_CASE("range cache: finds the pieces that overlap, in order of time", "[promql][cache]") {
  Rig rig;
  rig.store(240, 120);
  rig.store(0, 100);
  rig.store(120, 120);
  CHECK(rig.find(0, 400).size() == 3);
  const auto some = rig.find(99, 120);
  REQUIRE(some.size() == 2);
  CHECK(some[0]->first == 0);
  CHECK(some[1]->first == 120);
  CHECK(rig.find(100, 119).empty());
  CHECK(rig.cache.find("other", 0, 400, rig.storage).empty());
}

TEST_CASE("range cache: a change forgets the pieces that looked at its time, and no others",
          "[promql][cache]") {
  Rig rig;
  rig.store(0, 120);
  rig.store(240, 120);
  rig.storage.stamps.bump({5 * kHour, 5 * kHour});
  REQUIRE(rig.find(0, 400).size() == 1);
  CHECK(rig.find(0, 400)[0]->first == 0);
  rig.storage.expired_before = -5 * kMinute + 1;
  CHECK(rig.find(0, 400).empty());
  CHECK(rig.cache.bytes() == 0);
}

TEST_CASE("range cache: growing at the end copies little and leaves few pieces",
          "[promql][cache]") {
  Rig rig;
  for (std::int64_t minute = 0; minute < 120; ++minute) rig.store(minute, 1);
  CHECK(rig.cache.piece_count() < 8);
  const auto pieces = rig.find(0, 119);
  std::int64_t next = 0;
  for (const auto& piece : pieces) {
    CHECK(piece->first == next);
    REQUIRE(piece->points.series.size() == 1);
    for (std::size_t i = 0; i < piece->count; ++i) {
      CHECK(piece->points.series[0].values[i] ==
            static_cast<double>(next) + static_cast<double>(i));
    }
    next = piece->last() + 1;
  }
  CHECK(next == 120);
}

TEST_CASE("range cache: a piece is not joined with one that has changed meanwhile",
          "[promql][cache]") {
  Rig rig;
  rig.store(0, 4);
  auto late = piece_of(4, 4, rig.storage);
  rig.storage.stamps.bump({0, 0});
  rig.cache.store("key", std::move(late), kMinute, rig.storage);
  CHECK(rig.find(0, 10).empty());
}

TEST_CASE("range cache: keeps within its bytes, dropping what was used longest ago",
          "[promql][cache]") {
  Rig rig(20'000);
  for (std::int64_t slot = 0; slot < 30; ++slot) rig.store(slot * 120, 120);
  CHECK(rig.cache.bytes() <= 20'000);
  CHECK(rig.find(0, 119).empty());
  CHECK(rig.find(29 * 120, 29 * 120 + 119).size() == 1);
  // What is larger than a fair part is not kept at all.
  const auto before = rig.cache.piece_count();
  rig.store(4000 * 120, 120, 50);
  CHECK(rig.find(4000 * 120, 4000 * 120 + 119).empty());
  CHECK(rig.cache.piece_count() == before);
}

TEST_CASE("range cache: histograms count with the buckets they have", "[promql][cache]") {
  Rig rig;
  RangeCache::Piece piece = piece_of(0, 2, rig.storage);
  auto histogram = std::make_shared<Histogram>();
  histogram->positive_counts.assign(1000, 1);
  piece.points.series[0].set(0, PointValue::of(HistogramPtr(histogram)));
  rig.cache.store("key", std::move(piece), kMinute, rig.storage);
  CHECK(rig.cache.bytes() > 8000);
}

TEST_CASE("range cache: a sliding window computes its newest steps only", "[promql][cache]") {
  base::SystemClock clock;
  base::MemoryAccount memory{"test"};
  base::MetricsRegistry metrics;
  const Engine engine({}, clock, nullptr, &memory);
  RangeCache cache(1 << 20, metrics);
  Stamps storage;
  const Labels labels{{kMetricName, "x_total"}};
  Timestamp now = 0;
  const auto counted = [&](const std::string& name) {
    const std::string text = metrics.render();
    return std::stod(text.substr(text.find("\n" + name + " ") + name.size() + 2));
  };
  for (; now < 30 * kHour; now += 15'000) storage.samples.add(labels, now, 1);
  QueryParams params;
  params.cache = &cache;
  const auto load = [&] {
    storage.settled_before = now - 2 * kMinute;
    const Timestamp end = now / kMinute * kMinute;
    const auto before = counted("varve_query_cache_steps_computed_total");
    REQUIRE(
        engine.range(storage, "rate(x_total[5m])", end - 24 * kHour, end, kMinute, params).ok());
    return counted("varve_query_cache_steps_computed_total") - before;
  };
  CHECK(load() == 1441);
  for (int refresh = 0; refresh < 40; ++refresh) {
    now += 30'000;
    storage.samples.add(labels, now, 1);
    CHECK(load() <= 5);
  }
  // A late sample costs the two hours it fell into, and the slots that look back into them.
  storage.stamps.bump({now - 10 * kHour, now - 10 * kHour});
  CHECK(load() <= 3 * 120 + 5);
  CHECK(load() <= 5);
}

TEST_CASE("range cache: without a promise of storage nothing is kept", "[promql][cache]") {
  base::SystemClock clock;
  base::MemoryAccount memory{"test"};
  base::MetricsRegistry metrics;
  const Engine engine({}, clock, nullptr, &memory);
  RangeCache cache(1 << 20, metrics);
  test_language::MemoryStorage storage;
  for (Timestamp t = 0; t < kHour; t += kMinute) storage.add(Labels{{kMetricName, "x"}}, t, 1);
  QueryParams params;
  params.cache = &cache;
  REQUIRE(engine.range(storage, "x", 0, kHour, kMinute, params).ok());
  CHECK(cache.piece_count() == 0);
}

TEST_CASE("range cache: steps that buckets answered say so when they are answered again",
          "[promql][cache][levels]") {
  Rig rig(1 << 22);
  rig.storage.settled_before = 100 * kHour;
  for (Timestamp t = 0; t < 48 * kHour; t += kMinute) {
    rig.storage.samples.add(Labels{{kMetricName, "x_total"}}, t, static_cast<double>(t));
  }
  rig.storage.samples.keep_levels({{kHour, {TimeRange::all().min_ms, 24 * kHour}}});
  base::SystemClock clock;
  base::MemoryAccount memory("test");
  const Engine engine({}, clock, nullptr, &memory);
  const auto ask = [&](Timestamp start, std::int64_t resolution) {
    QueryParams params;
    params.cache = &rig.cache;
    params.max_source_resolution_ms = resolution;
    auto result = engine.range(rig.storage, "rate(x_total[5m])", start, 47 * kHour, kHour, params);
    REQUIRE(result.ok());
    return *std::move(result);
  };
  const auto reused = [&] {
    return rig.metrics.counter("varve_query_cache_steps_reused_total", "").value();
  };
  const QueryResult first = ask(kHour, storage::kSourceAuto);
  REQUIRE(first.annotations.infos.size() == 2);  // widened, and what answered
  const double before = reused();
  const QueryResult again = ask(kHour, storage::kSourceAuto);
  CHECK(reused() == before + 47);
  CHECK(again.annotations.infos == first.annotations.infos);
  // Those that samples answered bring nothing of the others.
  CHECK(ask(28 * kHour, storage::kSourceAuto).annotations.infos.empty());
  // What may answer is part of the question.
  CHECK(ask(kHour, storage::kSourceRaw).annotations.infos.empty());
  CHECK(std::get<Matrix>(again.value)[0].floats.size() == 47);
}

}  // namespace
}  // namespace varve::promql
