// SPDX-License-Identifier: Apache-2.0
// What may be kept, and what of it has expired: pure arithmetic.
#include <catch2/catch.hpp>

#include "storage/keeping.h"

namespace varve::storage::test {
namespace {

constexpr Timestamp kMin = TimeRange::all().min_ms;

LevelOptions level(std::int64_t resolution_ms, std::int64_t retention_ms,
                   std::int64_t after_ms = 0) {
  LevelOptions options;
  options.resolution = std::chrono::milliseconds(resolution_ms);
  options.retention = std::chrono::milliseconds(retention_ms);
  options.after = std::chrono::milliseconds(after_ms);
  return options;
}

}  // namespace

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
  state.levels.push_back({5, 700, kMin, 0, {}, {}});
  CHECK(keeping.raw_expired_ms(0, state, 2000, 1000) == 700);
  state.levels[0].covered_ms = 1500;
  CHECK(keeping.raw_expired_ms(0, state, 2000, 1000) == 995);
  state.mark_dirty({612, 613});
  CHECK(keeping.raw_expired_ms(0, state, 2000, 1000) == 610);
}

TEST_CASE("ladder state: dirty stretches join, and leave in parts", "[storage][levels]") {
  LadderState state;
  state.levels.push_back({10, 1000, kMin, 0, {}, {}});
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
