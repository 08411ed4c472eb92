// SPDX-License-Identifier: Apache-2.0
#include "scrape/schedule.h"

#include <catch2/catch.hpp>

using namespace varve::scrape;
using namespace std::chrono_literals;

TEST_CASE("pace: the first tick is at the offset into the interval, whenever asked", "[scrape]") {
  for (const std::int64_t now : {100'000, 103'000, 103'001, 109'999}) {
    const Pace pace(10s, 3s, now, 5s);
    CHECK(pace.due_wall() % 10'000 == 3'000);
    CHECK(pace.due_wall() >= now);
    CHECK(pace.due_wall() < now + 10'000);
    CHECK((pace.due() - 5s).count() == pace.due_wall() - now);
  }
}

TEST_CASE("pace: timestamps are aligned within 2 ms, else the truth", "[scrape]") {
  Pace pace(10s, 0s, 100'000, 0ms);
  CHECK(pace.tick(100'000, 0ms) == 100'000);
  CHECK(pace.tick(110'002, 10'002ms) == 110'000);
  CHECK(pace.tick(120'007, 20'007ms) == 120'007);
  CHECK(pace.tick(130'001, 30'001ms) == 130'000);
  Pace quick(100ms, 0s, 100'000, 0ms);  // 1 % of the interval is less than 2 ms
  CHECK(quick.tick(100'001, 1ms) == 100'000);
  CHECK(quick.tick(100'102, 102ms) == 100'102);
}

TEST_CASE("pace: missed ticks are left out, the grid stays", "[scrape]") {
  Pace pace(10s, 0s, 100'000, 0ms);
  CHECK(pace.tick(134'000, 34'000ms) == 134'000);
  CHECK(pace.due() == 40s);
  CHECK(pace.tick(140'000, 40'000ms) == 140'000);
}

TEST_CASE("pace: a wall clock that is set neither stops nor hurries scrapes", "[scrape]") {
  Pace pace(10s, 0s, 100'000, 0ms);
  CHECK(pace.tick(100'000, 0ms) == 100'000);
  CHECK(pace.tick(50'000, 10s) == 50'000);  // set back by a minute
  CHECK(pace.due() == 20s);
  CHECK(pace.tick(60'001, 20'001ms) == 60'000);
  CHECK(pace.tick(1'000'000, 30s) == 1'000'000);
  CHECK(pace.tick(1'010'000, 40s) == 1'010'000);
}

TEST_CASE("pace: a tick is ripe a millisecond early, and stays on the grid", "[scrape]") {
  Pace pace(10s, 0s, 100'001, 5ms);  // due at 10,004 ms
  CHECK_FALSE(pace.ripe(10'002ms));
  CHECK(pace.ripe(10'003ms));
  CHECK(pace.tick(109'999, 10'003ms) == 110'000);
  CHECK(pace.due() == 20'004ms);
  CHECK_FALSE(pace.ripe(10'004ms));
  // Where a millisecond is much of the interval it is not early.
  const Pace quick(50ms, 0s, 100'001, 5ms);
  CHECK_FALSE(quick.ripe(quick.due() - 1ms));
  CHECK(quick.ripe(quick.due()));
}
