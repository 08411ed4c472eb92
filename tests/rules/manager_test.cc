// SPDX-License-Identifier: Apache-2.0
#include "rules/manager.h"

#include <catch2/catch.hpp>
#include <limits>

#include "world.h"

namespace varve::rules {
namespace {

const Labels kIn{{"__name__", "in"}, {"job", "a"}};
constexpr Timestamp kStart = 1'700'000'000'000;

RuleGroupOptions group(std::string name, std::vector<RuleOptions> rules, int interval_s = 10) {
  RuleGroupOptions options;
  options.name = std::move(name);
  options.file = "rules.yml";
  options.interval = std::chrono::seconds(interval_s);
  options.rules = std::move(rules);
  return options;
}

struct Rig {
  Rig() {
    world.clock.set(kStart);
    for (Timestamp t = kStart - 600'000; t < kStart + 3'600'000; t += 5000) world.set(kIn, t, 1);
    restart();
  }
  void restart() {
    manager.reset();
    manager = Manager::create(options, {world.engine, world.source, world.sink, nullptr,
                                        world.clock, world.log, world.metrics});
  }
  // Steps from slot to slot.
  void run_for(int seconds) {
    const Timestamp end = world.clock.now_ms() + seconds * 1000;
    for (;;) {
      const Timestamp next = manager->evaluate_due();
      if (next > end) break;
      world.clock.set(next);
    }
    world.clock.set(end);
  }
  std::size_t samples(const std::string& metric) const {
    const auto found = world.storage.series().find(Labels{{"__name__", metric}, {"job", "a"}});
    return found == world.storage.series().end() ? 0 : found->second.floats.size();
  }
  bool ends_stale(const std::string& metric) const {
    const auto found = world.storage.series().find(Labels{{"__name__", metric}, {"job", "a"}});
    return found != world.storage.series().end() && is_stale(found->second.floats.rbegin()->second);
  }
  bool shows(const std::string& line) const {
    return world.metrics.render().find(line) != std::string::npos;
  }

  World world;
  ManagerOptions options;
  std::unique_ptr<Manager> manager;
};

}  // namespace

TEST_CASE("rule manager: each group at its own interval", "[rules]") {
  Rig rig;
  REQUIRE(rig.manager
              ->apply({group("fast", {record("fast", "in")}),
                       group("slow", {record("slow", "in")}, 60)},
                      {})
              .ok());
  rig.run_for(600);
  CHECK(rig.samples("fast") == 60);
  CHECK(rig.samples("slow") == 10);
  const auto groups = rig.manager->groups();
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].name == "fast");
  CHECK(groups[0].last_evaluation_ms > kStart + 580'000);
  CHECK(rig.shows("prometheus_rule_group_iterations_total{rule_group=\"rules.yml;fast\"} 60\n"));
  CHECK(rig.shows("prometheus_rule_evaluations_total{rule_group=\"rules.yml;slow\"} 10\n"));
  CHECK(rig.shows("prometheus_rule_group_interval_seconds{rule_group=\"rules.yml;slow\"} 60\n"));
}

TEST_CASE("rule manager: iterations that went by are counted as missed", "[rules]") {
  Rig rig;
  REQUIRE(rig.manager->apply({group("g", {record("out", "in")})}, {}).ok());
  rig.run_for(20);
  rig.world.clock.advance(std::chrono::seconds(45));
  rig.manager->evaluate_due();
  CHECK(rig.samples("out") == 3);
  CHECK(
      rig.shows("prometheus_rule_group_iterations_missed_total{rule_group=\"rules.yml;g\"} 3\n") !=
      rig.shows("prometheus_rule_group_iterations_missed_total{rule_group=\"rules.yml;g\"} 4\n"));
}

TEST_CASE("rule manager: a reload keeps unchanged groups and the alerts of rules that stay",
          "[rules]") {
  Rig rig;
  const RuleGroupOptions same = group("same", {alert("Kept", "in > 0", 300)});
  REQUIRE(rig.manager->apply({same, group("other", {alert("Moved", "in > 0", 300)})}, {}).ok());
  rig.run_for(60);
  const auto before = rig.manager->groups();
  const Timestamp kept = before[1].rules[0].alerts.at(0).active_at_ms;
  const Timestamp moved = before[0].rules[0].alerts.at(0).active_at_ms;
  REQUIRE(
      rig.manager
          ->apply({same, group("other", {record("new", "in"), alert("Moved", "in > 0", 600)})}, {})
          .ok());
  rig.run_for(60);
  const auto after = rig.manager->groups();
  CHECK(after[1].rules[0].alerts.at(0).active_at_ms == kept);
  CHECK(after[0].rules[1].alerts.at(0).active_at_ms == moved);
  CHECK(rig.samples("new") > 0);
}

TEST_CASE("rule manager: series of a removed rule become stale at the next evaluation", "[rules]") {
  Rig rig;
  REQUIRE(rig.manager->apply({group("g", {record("gone", "in"), record("stays", "in")})}, {}).ok());
  rig.run_for(60);
  REQUIRE(rig.manager->apply({group("g", {record("stays", "in")})}, {}).ok());
  CHECK_FALSE(rig.ends_stale("gone"));
  rig.run_for(30);
  CHECK(rig.ends_stale("gone"));
  CHECK_FALSE(rig.ends_stale("stays"));
}

TEST_CASE("rule manager: series of a removed group become stale two intervals later", "[rules]") {
  Rig rig;
  REQUIRE(rig.manager->apply({group("g", {record("gone", "in")})}, {}).ok());
  rig.run_for(60);
  const Timestamp removed = rig.world.clock.now_ms();
  REQUIRE(rig.manager->apply({}, {}).ok());
  CHECK(rig.manager->groups().empty());
  CHECK_FALSE(rig.shows("rule_group=\"rules.yml;g\""));
  rig.run_for(15);
  CHECK_FALSE(rig.ends_stale("gone"));
  rig.run_for(10);
  CHECK(rig.ends_stale("gone"));
  const auto& floats =
      rig.world.storage.series().at(Labels{{"__name__", "gone"}, {"job", "a"}}).floats;
  CHECK(floats.rbegin()->first == removed);
}

TEST_CASE("rule manager: a renamed group goes on with its series", "[rules]") {
  Rig rig;
  REQUIRE(rig.manager->apply({group("old", {record("out", "in")})}, {}).ok());
  rig.run_for(60);
  REQUIRE(rig.manager->apply({group("new", {record("out", "in")})}, {}).ok());
  rig.run_for(60);
  const auto& floats =
      rig.world.storage.series().at(Labels{{"__name__", "out"}, {"job", "a"}}).floats;
  for (const auto& [time_ms, value] : floats) CHECK_FALSE(is_stale(value));
}

TEST_CASE("rule manager: a reload that cannot be is refused as a whole", "[rules]") {
  Rig rig;
  REQUIRE(rig.manager->apply({group("g", {record("out", "in")})}, {}).ok());
  rig.run_for(20);
  const std::size_t before = rig.samples("out");
  CHECK_FALSE(
      rig.manager->apply({group("x", {record("x", "in")}), group("y", {record("y", "in +")})}, {})
          .ok());
  CHECK(rig.manager->groups().at(0).name == "g");
  rig.run_for(20);
  CHECK(rig.samples("out") == before + 2);
}

TEST_CASE("rule manager: after a restart the second evaluation restores alerts", "[rules]") {
  Rig rig;
  const RuleGroupOptions options = group("g", {alert("Slow", "in > 0", 1800)});
  REQUIRE(rig.manager->apply({options}, {}).ok());
  rig.run_for(900);
  const Timestamp began = rig.manager->groups()[0].rules[0].alerts.at(0).active_at_ms;
  rig.restart();
  REQUIRE(rig.manager->apply({options}, {}).ok());
  rig.run_for(25);
  const Timestamp restored = rig.manager->groups()[0].rules[0].alerts.at(0).active_at_ms;
  CHECK(restored >= began - 1000);
  CHECK(restored <= began + 30'000);
  CHECK(rig.shows("prometheus_rule_group_last_restore_duration_seconds"));
}

TEST_CASE("rule manager: independent rules may run side by side with the same results", "[rules]") {
  Rig rig;
  rig.options.concurrent_evals = true;
  rig.restart();
  std::vector<RuleOptions> rules{record("base", "in * 2")};
  for (int i = 0; i < 20; ++i) rules.push_back(record("r" + std::to_string(i), "in + 1"));
  rules.push_back(record("last", "base + 1"));
  REQUIRE(rig.manager->apply({group("g", rules)}, {}).ok());
  rig.run_for(25);
  for (int i = 0; i < 20; ++i) CHECK(rig.samples("r" + std::to_string(i)) == 2);
  CHECK(rig.samples("last") == 2);
}

TEST_CASE("rule manager: with its threads running, it stops at once", "[rules]") {
  Rig rig;
  std::vector<RuleGroupOptions> groups;
  for (int i = 0; i < 50; ++i) {
    groups.push_back(group("g" + std::to_string(i), {record("out", "in")}));
  }
  REQUIRE(rig.manager->apply(groups, {}).ok());
  rig.manager->start();
  rig.world.clock.advance(std::chrono::seconds(20));
  REQUIRE(rig.manager->apply(groups, {}).ok());  // wakes the timer
  rig.manager->stop();
  rig.manager->stop();
  CHECK(rig.manager->groups().size() == 50);
}

}  // namespace varve::rules
