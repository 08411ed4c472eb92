// SPDX-License-Identifier: Apache-2.0
// Which time samples answer and which levels do: pure arithmetic.
#include "storage/series_plan.h"

#include <catch2/catch.hpp>

#include "storage/source_resolution.h"

namespace varve::storage::test {
namespace {

constexpr Timestamp kMin = TimeRange::all().min_ms;
constexpr Timestamp kMax = TimeRange::all().max_ms;

PlanInput input_of(std::vector<KeptLevel> levels, Timestamp raw_from_ms,
                   std::int64_t source = kSourceAuto) {
  PlanInput input;
  input.levels = std::move(levels);
  input.raw_from_ms = raw_from_ms;
  input.max_source_resolution_ms = source;
  return input;
}

}  // namespace

TEST_CASE("plan: without levels samples answer from their retention on", "[storage][levels]") {
  const SeriesPlan plan = make_plan(input_of({}, 1234));
  CHECK(plan.spans.empty());
  CHECK(plan.raw == std::vector<TimeRange>{{1234, kMax}});
}

TEST_CASE("plan: samples, then the finest level left, without a gap", "[storage][levels]") {
  const SeriesPlan plan = make_plan(input_of({{5, 500, 2000}, {60, kMin, 1980}}, 1003));
  REQUIRE(plan.spans.size() == 2);
  // The fine one ends where whole buckets of it are past raw's retention, and begins where whole
  // ones of the coarse one end.
  CHECK(plan.spans[0] == LevelSpan{60, {kMin, 540}});
  CHECK(plan.spans[1] == LevelSpan{5, {545, 1000}});
  CHECK(plan.raw == std::vector<TimeRange>{{1001, kMax}});
}

TEST_CASE("plan: samples answer as long as no level has their time", "[storage][levels]") {
  const SeriesPlan plan = make_plan(input_of({{5, kMin, 700}}, 1003));
  CHECK(plan.spans == std::vector<LevelSpan>{{5, {kMin, 700}}});
  CHECK(plan.raw == std::vector<TimeRange>{{701, kMax}});
}

TEST_CASE("plan: a resolution that is asked for answers wherever it can", "[storage][levels]") {
  const PlanInput input = input_of({{5, 500, 2000}, {60, kMin, 1980}}, 1003, 60);
  const SeriesPlan plan = make_plan(input);
  REQUIRE(plan.spans.size() == 2);
  CHECK(plan.spans[0] == LevelSpan{60, {kMin, 1980}});
  CHECK(plan.spans[1] == LevelSpan{5, {1985, 2000}});
  CHECK(plan.raw == std::vector<TimeRange>{{2001, kMax}});
  const SeriesPlan fine = make_plan(input_of(input.levels, 1003, 59));
  CHECK(fine.spans == std::vector<LevelSpan>{{5, {505, 2000}}});
  CHECK(make_plan(input_of(input.levels, 1003, kSourceRaw)).spans.empty());
}

TEST_CASE("plan: for whole windows the coarser level answers, but not where samples do",
          "[storage][levels]") {
  const std::vector<KeptLevel> levels{{5, 500, 2000}, {60, kMin, 1980}};
  const SeriesPlan plan = make_plan(input_of(levels, 1003, auto_in_whole(60)));
  CHECK(plan.spans == std::vector<LevelSpan>{{60, {kMin, 960}}, {5, {965, 1000}}});
  CHECK(plan.raw == std::vector<TimeRange>{{1001, kMax}});
  const auto finest = make_plan(input_of(levels, 1003));
  for (const std::int64_t whole_ms : {0, 1, 5, 59, 75, 90}) {
    CHECK(make_plan(input_of(levels, 1003, auto_in_whole(whole_ms))).spans == finest.spans);
  }
  const SeriesPlan three = make_plan(
      input_of({{5, 500, 2000}, {60, kMin, 1980}, {360, kMin, 1800}}, 1003, auto_in_whole(120)));
  CHECK(three.spans == plan.spans);  // what is too coarse comes last
}

TEST_CASE("plan: what has gone is not waited for", "[storage][levels]") {
  PlanInput input = input_of({{5, kMin, 2000}}, kMin);
  input.raw_gone_ms = 1502;
  const SeriesPlan plan = make_plan(input);
  CHECK(plan.spans == std::vector<LevelSpan>{{5, {kMin, 1505}}});
  CHECK(plan.raw == std::vector<TimeRange>{{1506, kMax}});
}

TEST_CASE("plan: held samples answer between buckets", "[storage][levels]") {
  SeriesPlan plan = make_plan(input_of({{5, 500, 2000}, {60, kMin, 1980}}, 1003));
  give_back(plan, {601, 700});
  CHECK(plan.spans == std::vector<LevelSpan>{{60, {kMin, 540}}, {5, {545, 600}}, {5, {705, 1000}}});
  CHECK(plan.raw == std::vector<TimeRange>{{601, 700}, {1001, kMax}});
  give_back(plan, {121, 180});
  CHECK(plan.spans[0] == LevelSpan{60, {kMin, 120}});
  CHECK(plan.spans[1] == LevelSpan{60, {240, 540}});
  CHECK(plan.raw[0] == TimeRange{121, 180});
}

TEST_CASE("plan: a level that begins where the seam would be leaves it to the coarser one",
          "[storage][levels]") {
  PlanInput input = input_of({{5, 1000, 2000}, {60, kMin, 1980}}, 1003);
  input.raw_gone_ms = 1001;
  // Of the samples in (960, 1020] some have gone, and there is one bucket that has them all.
  const SeriesPlan plan = make_plan(input);
  CHECK(plan.spans == std::vector<LevelSpan>{{60, {kMin, 1020}}});
  CHECK(plan.raw == std::vector<TimeRange>{{1021, kMax}});
}

TEST_CASE("plan: lost time grows to the buckets that are there", "[storage][levels]") {
  const std::vector<KeptLevel> levels{{5, 500, 2000}, {60, kMin, 1980}};
  CHECK(to_whole_buckets({601, 703}, levels) == TimeRange{601, 705});
  CHECK(to_whole_buckets({301, 1999}, levels) == TimeRange{301, 2000});
  CHECK(to_whole_buckets({302, 2003}, levels) == TimeRange{301, 2003});
  CHECK(to_whole_buckets({kMin, 10}, levels) == TimeRange{kMin, 60});
}

}  // namespace varve::storage::test
