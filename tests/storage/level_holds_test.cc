// SPDX-License-Identifier: Apache-2.0
// Holds and levels: what is held stays and answers, as samples and as buckets.
#include "levels_fixture.h"

namespace varve::storage::test {

TEST_CASE("levels: held samples stay and answer, whatever is past its retention around them",
          "[storage][levels]") {
  History history(two_levels(), hours(8));
  Hold hold;
  hold.id = "1";
  hold.range = {kBegin + 10 * kHourMs + 1, kBegin + 12 * kHourMs};
  hold.selectors = {{equal("s", "1")}};
  history.db->set_holds({hold});
  Maker maker(61, 3);
  maker.until(history, kBegin + 40 * kHourMs);
  auto querier = history.db->querier(TimeRange::all());
  SelectHints hints;
  hints.max_source_resolution_ms = kSourceAuto;
  auto selection = (*querier)->select(std::vector{equal("__name__", "m")}, TimeRange::all(), hints);
  SeriesSamples samples;
  for (std::size_t i = 0; i < (*selection)->size(); ++i) {
    const std::string name((*selection)->labels(i).get("s"));
    REQUIRE((*selection)->read(i, hold.range, samples).ok());
    std::size_t want = 0;
    for (const auto& [t, value] : history.truth[name]) want += hold.range.contains(t) ? 1 : 0;
    CHECK(samples.float_times.size() == (name == "1" ? want : 0));
  }
  CHECK(history.check() > 500);
  history.db->set_holds({});
  history.maintain();
  for (const block::BlockMeta& meta : history.db->blocks()) {
    if (meta.resolution_ms == 0) CHECK(meta.range.max_ms > kBegin + 20 * kHourMs);
  }
  CHECK(history.check() > 500);
}

TEST_CASE("levels: a hold on what has gone holds its buckets", "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(minutes(5), hours(24)), level(hours(1), hours(24))};
  History history(ladder, hours(4));
  Maker maker(97, 3);
  maker.until(history, kBegin + 20 * kHourMs);
  const TimeRange range{kBegin + 5 * kHourMs + 1, kBegin + 7 * kHourMs};
  const std::vector<model::Matchers> selectors{{equal("s", "1")}};
  const auto held = history.db->add_hold(range, selectors, "");
  REQUIRE(held.ok());
  CHECK(history.check() > 100);
  maker.until(history, kBegin + 60 * kHourMs);
  history.reopen();
  const auto count = [&](const char* name) {
    auto querier = history.db->querier(TimeRange::all());
    SelectHints hints;
    hints.max_source_resolution_ms = kSourceAuto;
    auto selection = (*querier)->select(std::vector{equal("s", name)}, TimeRange::all(), hints);
    double sum = 0;
    SeriesBuckets buckets;
    for (std::size_t k = 0; (*selection)->size() > 0 && k < (*selection)->levels(0).size(); ++k) {
      REQUIRE((*selection)->read_buckets(0, k, range, BucketColumns::kAll, buckets).ok());
      for (const double one : buckets.counts) sum += one;
    }
    return sum;
  };
  CHECK(count("1") > 40);
  CHECK(count("0") == 0);
  REQUIRE(history.db->release_hold(held->hold.id).ok());
  history.maintain();
  CHECK(count("1") == 0);
}

TEST_CASE("levels: a hold goes on with what an older one of the same series has kept",
          "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(minutes(5), hours(24)), level(hours(1), hours(24))};
  const RetentionPolicy longer =
      policy("1", hours(8), {{minutes(5), hours(24)}, {hours(1), hours(24)}});
  ladder.policies = {longer};
  History history(ladder, hours(2));
  Maker maker(101, 3);
  maker.until(history, kBegin + 20 * kHourMs);
  const std::vector<model::Matchers> selectors{{equal("s", "1")}};
  const auto at = [](int from, int until) {
    return TimeRange{kBegin + from * kHourMs + 1, kBegin + until * kHourMs};
  };
  // Of its series the first holds buckets, the second samples; of the others these have gone.
  const auto buckets = history.db->add_hold(at(5, 7), selectors, "");
  const auto samples = history.db->add_hold(at(14, 16), selectors, "");
  REQUIRE((buckets.ok() && samples.ok()));
  maker.until(history, kBegin + 60 * kHourMs);
  const auto both = history.db->add_hold(at(4, 18), selectors, "");
  REQUIRE(both.ok());
  REQUIRE(history.db->release_hold(buckets->hold.id).ok());
  REQUIRE(history.db->release_hold(samples->hold.id).ok());
  maker.until(history, kBegin + 64 * kHourMs);
  history.reopen();

  auto querier = history.db->querier(TimeRange::all());
  SelectHints hints;
  hints.max_source_resolution_ms = kSourceAuto;
  auto selection = (*querier)->select(std::vector{equal("s", "1")}, TimeRange::all(), hints);
  REQUIRE((*selection)->size() == 1);
  const Series& truth = history.truth["1"];
  const auto written = [&](TimeRange range) {
    return static_cast<double>(
        std::distance(truth.lower_bound(range.min_ms), truth.upper_bound(range.max_ms)));
  };
  double sum = 0;
  SeriesBuckets read;
  for (std::size_t k = 0; k < (*selection)->levels(0).size(); ++k) {
    REQUIRE((*selection)->read_buckets(0, k, at(5, 7), BucketColumns::kAll, read).ok());
    for (const double one : read.counts) sum += one;
  }
  CHECK(sum > 40);
  CHECK(sum <= written(at(5, 7)));
  SeriesSamples raw;
  REQUIRE((*selection)->read(0, at(14, 16), raw).ok());
  CHECK(static_cast<double>(raw.float_times.size()) == written(at(14, 16)));
}

}  // namespace varve::storage::test
