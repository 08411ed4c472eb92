// SPDX-License-Identifier: Apache-2.0
// Series that are kept for other times than the rest, with levels and without.
#include <iostream>

#include "levels_fixture.h"

namespace varve::storage::test {

TEST_CASE("levels: series with a retention of their own leave their blocks, names and all",
          "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(minutes(5))};
  const RetentionPolicy brief = policy("1", hours(4));
  ladder.policies = {brief};
  History history(ladder, hours(10));
  Maker maker(51, 3);
  maker.until(history, kBegin + 40 * kHourMs);
  auto querier = history.db->querier(TimeRange::all());
  SelectHints hints;
  hints.max_source_resolution_ms = kSourceAuto;
  auto selection = (*querier)->select(std::vector{equal("__name__", "m")}, TimeRange::all(), hints);
  REQUIRE((*selection)->size() == 3);
  SeriesSamples samples;
  for (std::size_t i = 0; i < 3; ++i) {
    const bool is_brief = (*selection)->labels(i).get("s") == "1";
    CHECK((*selection)->levels(i).empty() == is_brief);
    REQUIRE((*selection)->read(i, TimeRange::all(), samples).ok());
    REQUIRE_FALSE(samples.float_times.empty());
    if (is_brief) CHECK(samples.float_times.front() >= history.newest - 4 * kHourMs);
  }
  // Not only hidden: no block that is past its time has the name any more.
  const TimeRange old{kBegin, kBegin + 24 * kHourMs};
  auto names = (*querier)->label_values("s", {}, old);
  REQUIRE(names.ok());
  CHECK(names->names == std::vector<std::string>{"0", "2"});
}

TEST_CASE("levels: series that are kept in a coarse level only are in it", "[storage][levels]") {
  Ladder ladder = two_levels();
  const RetentionPolicy coarse = policy("1", hours(4), {{hours(1), hours(0)}});
  ladder.policies = {coarse};
  History history(ladder, hours(10));
  Maker maker(53, 3);
  maker.until(history, kBegin + 40 * kHourMs);
  CHECK(history.check() > 500);
  auto querier = history.db->querier(TimeRange::all());
  SelectHints hints;
  hints.max_source_resolution_ms = kSourceAuto;
  auto selection = (*querier)->select(std::vector{equal("s", "1")}, TimeRange::all(), hints);
  REQUIRE((*selection)->size() == 1);
  REQUIRE((*selection)->levels(0).size() == 1);
  CHECK((*selection)->levels(0)[0].resolution_ms == kHourMs);
  SeriesBuckets buckets;
  REQUIRE((*selection)->read_buckets(0, 0, TimeRange::all(), BucketColumns::kAll, buckets).ok());
  CHECK(buckets.ends_ms.size() > 20);
}

TEST_CASE("levels: series whose policy goes have the buckets of what they had as samples",
          "[storage][levels]") {
  Ladder ladder = two_levels();
  const RetentionPolicy exact = policy("1", hours(60));
  Ladder with = ladder;
  with.policies = {exact};
  History history(with, hours(10));
  Maker maker(93, 3);
  maker.until(history, kBegin + 40 * kHourMs);
  CHECK(history.check() > 500);
  REQUIRE(history.db->set_ladder(ladder).ok());
  history.options.ladder = ladder;
  CHECK(history.check() > 500);
  maker.until(history, kBegin + 44 * kHourMs);
  history.maintain();
  CHECK(history.check() > 1000);
  CHECK(history.check(kHourMs) > 50);
}

TEST_CASE("levels: samples that are kept longer again do not hide the buckets of what has gone",
          "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(minutes(5))};
  const RetentionPolicy brief = policy("1", hours(4), {{minutes(5), hours(0)}});
  ladder.policies = {brief};
  History history(ladder, hours(20));
  Maker maker(95, 3);
  maker.until(history, kBegin + 30 * kHourMs);
  ladder.policies[0].raw = hours(20);
  REQUIRE(history.db->set_ladder(ladder).ok());
  history.options.ladder = ladder;
  CHECK(history.check() > 100);
  // Nor is a bucket made anew of what is left.
  history.late(hours(24), [&] { history.add("0", kBegin + 15 * kHourMs + 55'555, 4); });
  maker.until(history, kBegin + 34 * kHourMs);
  history.reopen();
  CHECK(history.check() > 100);
  CHECK(history.check(5 * kMinuteMs) > 500);
}

TEST_CASE(
    "levels: repair without a MANIFEST knows of whom samples have gone, and keeps their buckets",
    "[storage][levels]") {
  Ladder ladder = two_levels();
  const RetentionPolicy brief =
      policy("1", hours(4), {{minutes(5), hours(0)}, {hours(1), hours(0)}});
  ladder.policies = {brief};
  History history(ladder, hours(20));
  Maker maker(97, 3);
  maker.until(history, kBegin + 30 * kHourMs);
  const std::size_t compared = history.check();
  REQUIRE(compared > 100);
  history.close();
  REQUIRE(history.world.files.remove("data/varve/MANIFEST").ok());
  history.repair();
  CHECK(history.check() == compared);
  CHECK(history.check(5 * kMinuteMs) > 500);
  maker.until(history, kBegin + 34 * kHourMs);
  history.reopen();
  CHECK(history.check() > compared);
}

TEST_CASE("levels: coarse buckets stay while finer ones do that the ladder has dropped",
          "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(minutes(20)), level(hours(1))};
  History history(ladder, hours(4));
  Maker maker(103, 3);
  maker.until(history, kBegin + 30 * kHourMs);
  // The hourly buckets of one series are not asked for, but there are its finer ones.
  const RetentionPolicy brief = policy("1", hours(4));
  Ladder without = ladder;
  without.levels = {level(hours(1))};
  without.policies = {brief};
  REQUIRE(history.db->set_ladder(without).ok());
  maker.until(history, kBegin + 60 * kHourMs);
  ladder.levels = {level(minutes(20), hours(10)), level(hours(1))};
  REQUIRE(history.db->set_ladder(ladder).ok());
  maker.until(history, kBegin + 62 * kHourMs);
  const auto querier = history.db->querier(TimeRange::all());
  SelectHints hints;
  hints.max_source_resolution_ms = kSourceAuto;
  const auto selection = (*querier)->select(std::vector{equal("s", "1")}, TimeRange::all(), hints);
  REQUIRE((*selection)->size() == 1);
  const std::span<const LevelSpan> spans = (*selection)->levels(0);
  REQUIRE(spans.size() > 0);
  CHECK(spans[0].resolution_ms == kHourMs);
  SeriesBuckets buckets;
  REQUIRE((*selection)
              ->read_buckets(0, 0, {kBegin, kBegin + 24 * kHourMs}, BucketColumns::kAll, buckets)
              .ok());
  CHECK(buckets.ends_ms.size() == 24);
}

TEST_CASE("levels: without any, series of shorter retention give their space back, names and all",
          "[storage][levels]") {
  // A database with them, and one that has never had them.
  const auto run = [](History& history, int briefs) {
    for (Timestamp t = kBegin; t < kBegin + 6 * kDayMs; t += 5 * kMinuteMs) {
      BatchBuilder batch;
      for (int s = 0; s < 5 + briefs; ++s) {
        const std::string name = (s < 5 ? "long-" : "brief-") + std::to_string(s);
        batch.add(Labels{{"__name__", "m"}, {"s", name}}, t + s,
                  static_cast<double>((t + s * s) % 1009));
      }
      history.newest = t + 100;
      history.world.clock.set(history.newest);
      REQUIRE(append(*history.db, batch.batch).first_error == "");
      if ((t - kBegin) % (2 * kHourMs) == 0) history.maintain(1);
    }
    history.maintain();
    std::uint64_t bytes = 0;
    for (const block::BlockMeta& meta : history.db->blocks()) bytes += meta.bytes;
    return bytes;
  };
  Ladder ladder;
  RetentionPolicy brief;
  brief.matchers = {
      std::move(model::Matcher::create(model::MatchType::kRegex, "s", "brief.*")).value()};
  brief.raw = hours(5);
  ladder.policies = {brief};
  History with(ladder, hours(24 * 30));
  History without({}, hours(24 * 30));
  const std::uint64_t bytes = run(with, 45);
  const std::uint64_t bytes_without = run(without, 0);
  CAPTURE(bytes, bytes_without);
  // What is not past its time yet, and the blocks that are not past as a whole, are a little.
  CHECK(bytes < bytes_without * 3 / 2);
  std::size_t clean = 0;
  for (const block::BlockMeta& meta : with.db->blocks()) {
    if (meta.range.max_ms >= with.newest - 5 * kHourMs) continue;
    CHECK(meta.series == 5);
    ++clean;
  }
  CHECK(clean > 5);
  // A block is written anew once, and one that it is merged into only if it has some that were not
  // past their time when it was.
  const double rewrites = with.world.metrics.counter("varve_retention_rewrites_total", "").value();
  CAPTURE(rewrites);
  CHECK(rewrites >= 6 * 3 - 2);  // blocks of 8 hours
  CHECK(rewrites <= 6 * 12);     // blocks of 2 hours
  // With nothing new there is nothing to do.
  with.maintain(3);
  CHECK(with.world.metrics.counter("varve_retention_rewrites_total", "").value() == rewrites);
  std::cout << "policies without levels: 50 series, 6 days: " << bytes << " B, of 5 series alone "
            << bytes_without << " B; " << rewrites << " blocks written anew, "
            << with.world.metrics.counter("varve_retention_rewritten_bytes_total", "").value()
            << " B\n";
}

TEST_CASE("levels: without any, policies may change as often as people like", "[storage][levels]") {
  History history({}, hours(24 * 30));
  Maker maker(101, 3);
  for (int change = 0; change < 50; ++change) {
    Ladder ladder;
    ladder.policies = {policy("1", hours(2) + minutes(change))};
    REQUIRE(history.db->set_ladder(ladder).ok());
    history.options.ladder = ladder;
    maker.until(history, kBegin + (change + 1) * 2 * kHourMs);
  }
  auto querier = history.db->querier(TimeRange::all());
  const auto names = (*querier)->label_values("s", {}, {kBegin, history.newest - 8 * kHourMs});
  REQUIRE(names.ok());
  CHECK(names->names == std::vector<std::string>{"0", "2"});
}

}  // namespace varve::storage::test
