// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "world.h"

namespace varve::rules {
namespace {

const Labels kIn{{"__name__", "in"}, {"job", "a"}};
const Labels kForState{
    {"__name__", "ALERTS_FOR_STATE"}, {"alertname", "Slow"}, {"job", "a"}, {"severity", "page"}};

// A process that saw the alert active from `from_s` to `to_s`, then another one that starts.
struct Restarted {
  Restarted(Timestamp from_s, Timestamp to_s, Timestamp start_s, int hold_s) {
    world.environment.grace_period = std::chrono::minutes(10);
    for (Timestamp t = from_s; t <= start_s + 7200; t += 60) world.set(kIn, t * 1000, 1);
    for (Timestamp t = from_s; t <= to_s; t += 60) {
      world.set(kForState, t * 1000, static_cast<double>(from_s));
    }
    group = world.group(
        {alert("Slow", "in > 0", hold_s, 0, {{"severity", "{{ if true }}page{{ end }}"}})}, false);
    group->evaluate(start_s * 1000, world.shared);
    group->evaluate((start_s + 60) * 1000, world.shared);
    unrestored = world.written(kForState);
    group->restore((start_s + 60) * 1000);
  }
  Timestamp active_s() const { return group->status().rules[0].alerts.at(0).active_at_ms / 1000; }

  World world;
  std::unique_ptr<Group> group;
  std::string unrestored;
};

}  // namespace

TEST_CASE("restore: before it nothing overwrites what the last process wrote", "[rules]") {
  const Restarted restarted(0, 120, 180, 3600);
  CHECK(restarted.unrestored == "0:0 60:0 120:0");
}

TEST_CASE("restore: a wait goes on, without the time the server was down", "[rules]") {
  const Restarted restarted(0, 600, 900, 3600);  // restored at 960, last seen at 600
  CHECK(restarted.active_s() == 360);
}

TEST_CASE("restore: an alert that was about to fire gets the grace period", "[rules]") {
  const Restarted restarted(0, 3300, 3600, 3600);  // 300 s were left
  CHECK(restarted.active_s() == 3660 + 600 - 3600);
}

TEST_CASE("restore: an alert that was firing fires again at once", "[rules]") {
  Restarted restarted(0, 3700, 4000, 3600);
  CHECK(restarted.active_s() == 0);
  restarted.group->evaluate(4120 * 1000, restarted.world.shared);
  CHECK(restarted.group->status().rules[0].state == AlertState::kFiring);
}

TEST_CASE("restore: after too long an outage, or for a short wait, it begins anew", "[rules]") {
  CHECK(Restarted(0, 600, 4500, 3600).active_s() == 4500);
  CHECK(Restarted(0, 120, 180, 300).active_s() == 180);
}

TEST_CASE("restore: an alert that had ended begins anew", "[rules]") {
  World world;
  world.set(kForState, 0, 0);
  world.set(kForState, 60'000, stale_marker());
  for (Timestamp t = 0; t <= 600'000; t += 60'000) world.set(kIn, t, 1);
  const auto group = world.group({alert("Slow", "in > 0", 3600, 0, {{"severity", "page"}})}, false);
  group->evaluate(120'000, world.shared);
  group->restore(180'000);
  CHECK(group->status().rules[0].alerts.at(0).active_at_ms == 120'000);
}

}  // namespace varve::rules
