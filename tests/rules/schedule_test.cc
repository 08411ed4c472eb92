// SPDX-License-Identifier: Apache-2.0
#include "rules/schedule.h"

#include <catch2/catch.hpp>
#include <set>

namespace varve::rules {
namespace {

using std::chrono::seconds;
constexpr Timestamp kNow = 1'700'000'000'000;

}  // namespace

TEST_CASE("rule schedule: slots are an interval apart and the same after a restart", "[rules]") {
  const Schedule first("f;g", seconds(60), kNow);
  const Schedule later("f;g", seconds(60), kNow + 7 * 60'000);
  CHECK(first.next() > kNow);
  CHECK(first.next() <= kNow + 60'000);
  CHECK((later.next() - first.next()) % 60'000 == 0);
}

TEST_CASE("rule schedule: groups are spread over the interval", "[rules]") {
  std::set<Timestamp> tenths;
  for (int i = 0; i < 200; ++i) {
    tenths.insert((Schedule("f;" + std::to_string(i), seconds(60), kNow).next() - kNow) / 6000);
  }
  CHECK(tenths.size() == 10);
}

TEST_CASE("rule schedule: slots that went by are counted, and the newest is taken", "[rules]") {
  Schedule schedule("f;g", seconds(10), kNow);
  const Timestamp start = schedule.next();
  CHECK_FALSE(schedule.due(start - 1));
  CHECK(schedule.due(start));
  const Schedule::Slot on_time = schedule.take(start + 3);
  CHECK(on_time.time_ms == start);
  CHECK(on_time.missed == 0);
  const Schedule::Slot late = schedule.take(start + 35'000);
  CHECK(late.time_ms == start + 30'000);
  CHECK(late.missed == 2);
  CHECK(schedule.next() == start + 40'000);
}

TEST_CASE("rule schedule: a clock that is set back does not stop evaluation", "[rules]") {
  Schedule schedule("f;g", seconds(10), kNow);
  const Timestamp start = schedule.next();
  static_cast<void>(schedule.take(start));
  const Timestamp back = start - 3'600'000;
  REQUIRE(schedule.due(back));
  const Schedule::Slot slot = schedule.take(back);
  CHECK(slot.time_ms <= back);
  CHECK(slot.missed == 0);
  CHECK(schedule.next() > back);
  CHECK(schedule.next() <= back + 10'000);
}

}  // namespace varve::rules
