// SPDX-License-Identifier: Apache-2.0
// A database with levels whose samples are known, and what its buckets must say, the obvious way.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>
#include <set>

#include "db_fixture.h"

namespace varve::storage::test {

inline constexpr std::int64_t kMinuteMs = 60'000;
inline constexpr std::int64_t kHourMs = 60 * kMinuteMs;
inline constexpr std::int64_t kDayMs = 24 * kHourMs;
inline constexpr Timestamp kBegin = kStart - kStart % kDayMs;

using std::chrono::hours;
using std::chrono::minutes;

inline LevelOptions level(std::chrono::milliseconds resolution,
                          std::chrono::milliseconds retention = {}) {
  LevelOptions options;
  options.resolution = resolution;
  options.retention = retention;
  return options;
}

// The usual one: of five minutes and of an hour.
inline Ladder two_levels() {
  Ladder ladder;
  ladder.levels = {level(minutes(5)), level(hours(1))};
  return ladder;
}

// What a bucket must say, the obvious way.
struct Expected {
  double count = 0, sum = 0, min = 0, max = 0, first = 0, last = 0;
  double resets = 0, reset_sum = 0, changes = 0;
  Timestamp first_ms = 0, last_ms = 0;
};
using Series = std::map<Timestamp, double>;

inline Timestamp end_of(Timestamp t, std::int64_t resolution_ms) {
  return (t + resolution_ms - 1) / resolution_ms * resolution_ms;
}

inline std::map<Timestamp, Expected> expected(const Series& samples, std::int64_t resolution_ms) {
  std::map<Timestamp, Expected> buckets;
  for (const auto& [t, value] : samples) {
    if (is_stale(value)) continue;
    const auto [at, is_new] = buckets.try_emplace(end_of(t, resolution_ms));
    Expected& b = at->second;
    if (is_new) {
      b.min = b.max = b.first = value;
      b.first_ms = t;
    } else {
      if (value < b.last) {
        ++b.resets;
        b.reset_sum += b.last;
      }
      if (value != b.last && !(std::isnan(value) && std::isnan(b.last))) ++b.changes;
      if (value < b.min || std::isnan(b.min)) b.min = value;
      if (value > b.max || std::isnan(b.max)) b.max = value;
    }
    ++b.count;
    b.sum += value;
    b.last = value;
    b.last_ms = t;
  }
  return buckets;
}

// The newest stale marker of each bucket that nothing comes after.
inline std::vector<Timestamp> expected_stale(const Series& samples, std::int64_t resolution_ms) {
  std::map<Timestamp, std::optional<Timestamp>> last;
  for (const auto& [t, value] : samples) {
    last[end_of(t, resolution_ms)] = is_stale(value) ? std::optional(t) : std::nullopt;
  }
  std::vector<Timestamp> times;
  for (const auto& [end, t] : last) {
    if (t) times.push_back(*t);
  }
  return times;
}

inline void compare(const SeriesBuckets& got, const Series& samples, std::int64_t resolution_ms,
             TimeRange ends) {
  std::map<Timestamp, Expected> want = expected(samples, resolution_ms);
  std::erase_if(want, [&](const auto& one) { return !ends.contains(one.first); });
  REQUIRE(got.ends_ms.size() == want.size());
  std::size_t i = 0;
  for (const auto& [end, b] : want) {
    CAPTURE(end, resolution_ms, i);
    REQUIRE(got.ends_ms[i] == end);
    CHECK(got.counts[i] == b.count);
    if (std::isfinite(b.sum)) {
      CHECK(got.sums[i] == Approx(b.sum).epsilon(1e-12).margin(1e-9));
    }
    CHECK(bits(got.mins[i]) == bits(b.min));
    CHECK(bits(got.maxs[i]) == bits(b.max));
    CHECK(bits(got.firsts[i]) == bits(b.first));
    CHECK(bits(got.lasts[i]) == bits(b.last));
    CHECK(got.first_times[i] == b.first_ms);
    CHECK(got.last_times[i] == b.last_ms);
    CHECK(got.resets[i] == b.resets);
    if (std::isfinite(b.reset_sum)) {
      CHECK(got.reset_sums[i] == Approx(b.reset_sum).epsilon(1e-12).margin(1e-9));
    }
    CHECK(got.changes[i] == b.changes);
    ++i;
  }
  std::vector<Timestamp> stale = expected_stale(samples, resolution_ms);
  std::erase_if(stale, [&](Timestamp t) { return !ends.contains(end_of(t, resolution_ms)); });
  CHECK(got.stale_times == stale);
}

// A database whose samples are known, on a clock that follows them.
class History {
 public:
  explicit History(Ladder ladder, hours raw = hours(0)) : options(world.options()) {
    // A cut then leaves nothing to wait for, and levels follow it closely.
    options.ladder = std::move(ladder);
    options.retention = raw;
    options.out_of_order_window = hours(1);
    options.future_max = hours(24 * 365);
    db = world.open(options);
  }

  // Whether it was acknowledged; what was not may be there all the same.
  bool try_add(const std::string& name, Timestamp t, double value) {
    BatchBuilder batch;
    batch.add(Labels{{"__name__", "m"}, {"s", name}}, t, value);
    const auto outcome = db->append(batch.batch);
    if (!outcome.ok() || !outcome->first_error.empty()) return false;
    if (!wait(*db, outcome->ticket).ok()) return false;
    truth[name].emplace(t, value);
    newest = std::max(newest, t);
    return true;
  }
  void add(const std::string& name, Timestamp t, double value) {
    REQUIRE(try_add(name, t, value));
  }
  void maintain(int rounds = 2) {
    world.clock.set(newest + 1);
    for (int i = 0; i < rounds; ++i) {
      const Status done = db->maintain();
      if (!done.ok()) FAIL(done.error().message());
    }
  }
  // What `changes` add may come as late as `window`.
  template <typename Changes>
  void late(hours window, const Changes& changes) {
    db->set_out_of_order_window(window);
    changes();
    db->set_out_of_order_window(hours(1));
  }
  // What is on the disk is the test's to change, until it is opened again.
  fs::FaultFs& close() {
    REQUIRE(db->close().ok());
    db.reset();
    return world.files;
  }
  // As somebody does who has found that it does not open.
  void repair() {
    options.repair = true;
    reopen();
    options.repair = false;
    maintain();
  }
  void reopen() {
    db.reset();
    db = world.open(options);
  }

  // Buckets and samples together are what was written: where a span answers, its buckets; else the
  // samples. The buckets compared.
  std::size_t check(std::int64_t source = kSourceAuto, Timestamp raw_begin = 0) {
    auto querier = db->querier(TimeRange::all());
    REQUIRE(querier.ok());
    SelectHints hints;
    hints.max_source_resolution_ms = source;
    auto selection =
        (*querier)->select(std::vector{equal("__name__", "m")}, TimeRange::all(), hints);
    REQUIRE(selection.ok());
    std::size_t compared = 0;
    SeriesBuckets buckets;
    SeriesSamples samples;
    CHECK((*selection)->size() == truth.size());
    for (std::size_t i = 0; i < (*selection)->size(); ++i) {
      const std::string name((*selection)->labels(i).get("s"));
      CAPTURE(name);
      Series left = truth[name];
      const std::span<const LevelSpan> spans = (*selection)->levels(i);
      Timestamp covered = TimeRange::all().min_ms;
      for (std::size_t s = 0; s < spans.size(); ++s) {
        const std::int64_t resolution_ms = spans[s].resolution_ms;
        CHECK((s == 0 || spans[s].ends.min_ms > covered));
        covered = spans[s].ends.max_ms;
        REQUIRE((*selection)
                    ->read_buckets(i, s, TimeRange::all(), BucketColumns::kAll, buckets)
                    .ok());
        compare(buckets, truth[name], resolution_ms, spans[s].ends);
        compared += buckets.ends_ms.size();
        std::erase_if(left, [&](const auto& sample) {
          return spans[s].ends.contains(end_of(sample.first, resolution_ms));
        });
      }
      std::erase_if(left, [&](const auto& sample) { return sample.first < raw_begin; });
      REQUIRE((*selection)->read(i, TimeRange::all(), samples).ok());
      REQUIRE(samples.float_times.size() == left.size());
      std::size_t at = 0;
      for (const auto& [t, value] : left) {
        CHECK(samples.float_times[at] == t);
        CHECK(bits(samples.float_values[at]) == bits(value));
        ++at;
      }
    }
    CHECK((*querier)->warnings().empty());
    return compared;
  }
  std::vector<LevelSpan> spans(std::int64_t source = kSourceAuto) {
    auto querier = db->querier(TimeRange::all());
    REQUIRE(querier.ok());
    SelectHints hints;
    hints.max_source_resolution_ms = source;
    auto selection =
        (*querier)->select(std::vector{equal("__name__", "m")}, TimeRange::all(), hints);
    REQUIRE(selection.ok());
    REQUIRE((*selection)->size() > 0);
    const auto spans = (*selection)->levels(0);
    return {spans.begin(), spans.end()};
  }

  World world{kBegin};
  Options options;
  std::unique_ptr<Db> db;
  std::map<std::string, Series> truth;
  Timestamp newest = kBegin;
};

// Counters with resets, gauges with all kinds of values, gaps and stale markers.
class Maker {
 public:
  Maker(unsigned seed, int series) : random_(seed), values_(static_cast<std::size_t>(series)) {}

  void until(History& history, Timestamp end) {
    for (; at_ < end; at_ += kMinuteMs) {
      for (std::size_t s = 0; s < values_.size(); ++s) {
        if (random_() % 8 == 0) continue;
        const std::string name = std::to_string(s);
        const Timestamp t = at_ + static_cast<Timestamp>(random_() % 50'000) + 1;
        double& value = values_[s];
        if (s % 3 == 0) {
          value = random_() % 200 == 0 ? 0 : value + static_cast<double>(random_() % 50);
        } else if (s % 3 == 1) {
          value = static_cast<double>(random_() % 10'000) / 100 - 30;
        } else {
          static constexpr double kOdd[] = {0.0, -0.0, 1e300, -1e-300};
          value = random_() % 5 == 0 ? kOdd[random_() % 4]
                                     : std::ldexp(1.0, static_cast<int>(random_() % 60));
        }
        if (s % 3 == 2 && random_() % 20 == 0) {
          history.add(name, t, normal_nan());
        } else if (random_() % 60 == 0) {
          history.add(name, t, stale_marker());
          gap_ = random_() % 2 == 0 ? 15 : 0;
        } else {
          history.add(name, t, value);
        }
      }
      at_ += gap_ * kMinuteMs;
      gap_ = 0;
      if (at_ / (2 * kHourMs) != last_) {
        last_ = at_ / (2 * kHourMs);
        history.maintain(1);
      }
    }
    history.maintain();
  }

 private:
  std::mt19937 random_;
  std::vector<double> values_;
  Timestamp at_ = kBegin;
  std::int64_t gap_ = 0;
  Timestamp last_ = 0;
};

// Of the series "s".
inline RetentionPolicy policy(const char* s, std::chrono::milliseconds raw,
                              std::vector<RetentionPolicy::OfLevel> levels = {}) {
  RetentionPolicy policy;
  policy.matchers = {equal("s", s)};
  policy.raw = raw;
  policy.levels = std::move(levels);
  return policy;
}

}  // namespace varve::storage::test
