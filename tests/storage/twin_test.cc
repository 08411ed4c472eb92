// SPDX-License-Identifier: Apache-2.0
// Random operations on the database and on a plain map that does the same the obvious way; after
// every reopening and now and then in between the two must agree.
#include <algorithm>
#include <random>

#include "db_fixture.h"

namespace varve::storage::test {
namespace {

// The rules without any storage: what is newer than its series and not an hour behind the newest of
// all is in order; of the rest, what lies in the window behind the newest is late. First word wins,
// and of a time that has both the one in order is shown.
class Twin {
 public:
  explicit Twin(std::int64_t window_ms) : window_ms_(window_ms) {}

  // Both bounds are measured from the newest sample before the batch, or from its first.
  void begin_batch(Timestamp first) {
    const Timestamp newest = max_ == TimeRange::all().min_ms ? first : max_;
    oldest_late_ = newest - window_ms_;
    in_order_from_ = newest - 3'600'000;
  }
  bool add(const std::string& name, Timestamp t, double value) {
    Series& series = series_[name];
    if (t >= in_order_from_) {
      const auto last = series.in_order.rbegin();
      if (last == series.in_order.rend() || t > last->first) {
        series.in_order[t] = bits(value);
        max_ = std::max(max_, t);
        return true;
      }
      if (t == last->first) return last->second == bits(value);
    }
    if (window_ms_ == 0 || t < oldest_late_) return false;
    return series.late.emplace(t, bits(value)).first->second == bits(value);
  }

  Contents contents(TimeRange range) const {
    Contents result;
    for (const auto& [name, series] : series_) {
      auto all = series.in_order;
      all.insert(series.late.begin(), series.late.end());
      for (const auto& [t, value] : all) {
        if (range.contains(t)) result[name].emplace_back(t, value);
      }
    }
    return result;
  }

 private:
  struct Series {
    std::map<Timestamp, std::uint64_t> in_order, late;
  };
  std::int64_t window_ms_;
  Timestamp max_ = TimeRange::all().min_ms;
  Timestamp oldest_late_ = 0;
  Timestamp in_order_from_ = 0;
  std::map<std::string, Series> series_;
};

// Series without samples in the range may be selected; they are no difference.
Contents without_empty(Contents contents) {
  std::erase_if(contents, [](const auto& entry) { return entry.second.empty(); });
  return contents;
}

double random_value(std::mt19937_64& random) {
  switch (random() % 8) {
    case 0:
      return stale_marker();
    case 1:
      return normal_nan();
    case 2:
      return -0.0;
    case 3:
      return static_cast<double>(random() % 10);
    case 4:
      return std::bit_cast<double>(random());
    case 5:
      return 1e300;
    default:
      return static_cast<double>(random() % 100'000) / 100;
  }
}

TEST_CASE("db: does what a plain map does", "[storage]") {
  const auto seed = GENERATE(1U, 2U, 3U, 4U, 5U, 6U);
  const auto window_ms = GENERATE(0, 600'000);
  // Snapshots all the time, or none.
  const bool snapshots = GENERATE(true, false);
  CAPTURE(seed, window_ms, snapshots);
  std::mt19937_64 random(seed);
  World world;
  Options options = world.options();
  options.out_of_order_window = std::chrono::milliseconds(window_ms);
  if (snapshots) options.snapshot_log_bytes = 0;
  auto db = world.open(options);
  Twin twin(window_ms);
  Timestamp now = kStart;
  Ticket newest{};
  const auto series_count = static_cast<unsigned>(1 + random() % 40);
  for (int step = 0; step < 400; ++step) {
    const auto action = random() % 100;
    if (action < 3) {
      if (action == 0) {
        REQUIRE(db->close().ok());
      } else {
        // A crash after everything so far became durable.
        auto outcome = append(*db, BatchBuilder().add(Labels{{"sync", "x"}}, now, step).batch);
        // A frame takes the shards one by one, so the last batch's may be before another's.
        REQUIRE(wait(*db, std::max(outcome.ticket, newest)).ok());
        db.reset();
        world.files.reboot(fs::FaultFs::Keep::kNothing);
      }
      db.reset();
      db = world.open(options);
      REQUIRE(db->recovery().samples_lost == 0);
      REQUIRE(without_empty(read_all(*db, {equal("__name__", "m")})) ==
              twin.contents(TimeRange::all()));
    } else if (action < 7) {
      REQUIRE(db->maintain().ok());
    } else if (action < 12) {
      TimeRange range{kStart + static_cast<Timestamp>(random() % 20'000'000), 0};
      range.max_ms = range.min_ms + static_cast<Timestamp>(random() % 5'000'000);
      REQUIRE(without_empty(read_all(*db, {equal("__name__", "m")}, range)) ==
              twin.contents(range));
    } else {
      now += static_cast<Timestamp>(random() % (action == 12 ? 8'000'000 : 60'000));
      BatchBuilder builder;
      std::uint64_t accepted = 0;
      for (unsigned i = 0; i < 1 + random() % 60; ++i) {
        const Labels labels{{"__name__", "m"}, {"s", std::to_string(random() % series_count)}};
        Timestamp t = now + static_cast<Timestamp>(i);
        if (random() % 10 == 0) t -= static_cast<Timestamp>(random() % 900'000);
        const double value = random_value(random);
        builder.add(labels, t, value);
      }
      const WriteOutcome outcome = append(*db, builder.batch);
      newest = std::max(newest, outcome.ticket);
      twin.begin_batch(builder.batch.samples[0].timestamp_ms);
      // The head takes the entries shard by shard; within a series the order is the batch's.
      for (const SeriesEntry& entry : builder.batch.series) {
        const Sample& sample = builder.batch.samples[entry.samples_begin];
        accepted += twin.add(entry.labels->to_string(), sample.timestamp_ms, sample.value);
      }
      REQUIRE(outcome.samples_appended == accepted);
    }
  }
  REQUIRE(without_empty(read_all(*db, {equal("__name__", "m")})) ==
          twin.contents(TimeRange::all()));
}

}  // namespace
}  // namespace varve::storage::test
