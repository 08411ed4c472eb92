// SPDX-License-Identifier: Apache-2.0
// Which time samples answer and which levels do: pure arithmetic.
#include <catch2/catch.hpp>

#include "storage/keeping.h"
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

LevelOptions level(std::int64_t resolution_ms, std::int64_t retention_ms, std::int64_t after_ms = 0) {
  LevelOptions options;
  options.resolution = std::chrono::milliseconds(resolution_ms);
  options.retention = std::chrono::milliseconds(retention_ms);
  options.after = std::chrono::milliseconds(after_ms);
  return options;
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
  // The fine one ends where whole buckets of it are past raw's retention, and begins where whole ones
  // of the coarse one end.
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
  const SeriesPlan three =
      make_plan(input_of({{5, 500, 2000}, {60, kMin, 1980}, {360, kMin, 1800}}, 1003, auto_in_whole(120)));
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

TEST_CASE("ladder: what cannot be is refused with the reason", "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(5, 100), level(60, 1000)};
  CHECK(check_ladder(ladder).ok());
  ladder.levels[1].resolution = std::chrono::milliseconds(61);
  CHECK_FALSE(check_ladder(ladder).ok());
  ladder.levels[1] = level(60, 99);
  CHECK_FALSE(check_ladder(ladder).ok());
  ladder.levels[1] = level(60, 1000, 100);
  CHECK_FALSE(check_ladder(ladder).ok());
  ladder.levels[0] = level(5, 0);
  CHECK_FALSE(check_ladder(ladder).ok());  // the coarser one must then be kept for ever too
  ladder.levels[1] = level(60, 0);
  CHECK(check_ladder(ladder).ok());
}

TEST_CASE("expiry: samples stay until a level has them, and while it is out of date",
          "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(5, 0)};
  const Keeping keeping(ladder, {});
  LadderState state;
  CHECK(keeping.raw_expired_ms(0, state, 2000, 1000) == kMin);
  state.levels.push_back({5, 700, kMin, 0, {}});
  CHECK(keeping.raw_expired_ms(0, state, 2000, 1000) == 700);
  state.levels[0].covered_ms = 1500;
  CHECK(keeping.raw_expired_ms(0, state, 2000, 1000) == 995);
  state.mark_dirty({612, 613});
  CHECK(keeping.raw_expired_ms(0, state, 2000, 1000) == 610);
}

TEST_CASE("ladder state: dirty stretches join, and leave in parts", "[storage][levels]") {
  LadderState state;
  state.levels.push_back({10, 1000, kMin, 0, {}});
  LevelState& level = state.levels[0];
  state.mark_dirty({101, 110});
  state.mark_dirty({111, 115});
  state.mark_dirty({500, 500});
  state.mark_dirty({995, 5000});
  state.mark_dirty({1001, 5000});
  CHECK(level.dirty == std::vector<TimeRange>{{110, 120}, {500, 500}, {1000, 1000}});
  remove_dirty(level, {120, 500});
  CHECK(level.dirty == std::vector<TimeRange>{{110, 110}, {1000, 1000}});
  CHECK(is_dirty(level, {101, 101}));
  CHECK_FALSE(is_dirty(level, {100, 100}));
}

}  // namespace varve::storage::test
