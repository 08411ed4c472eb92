// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "world.h"

namespace varve::rules {
namespace {

const Labels kIn{{"__name__", "in"}, {"job", "a"}};

std::string states(World& world, Group& group, Timestamp from_s, Timestamp to_s, Timestamp step_s) {
  std::string out;
  for (Timestamp t = from_s; t <= to_s; t += step_s) {
    group.evaluate(t * 1000, world.shared);
    if (!out.empty()) out += ' ';
    out += to_string(group.status().rules[0].state);
  }
  return out;
}

void values(World& world, Timestamp from_s, Timestamp step_s, const std::vector<double>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    world.set(kIn, (from_s + static_cast<Timestamp>(i) * step_s) * 1000, values[i]);
  }
}

}  // namespace

TEST_CASE("alert: pending until it has held for its `for`, then firing, then gone", "[rules]") {
  World world;
  values(world, 0, 10, {0, 1, 1, 1, 1, 0});
  const auto group = world.group({alert("High", "in > 0", 20, 0, {{"team", "core"}})});
  CHECK(group->status().rules[0].state == AlertState::kUnknown);
  CHECK(states(world, *group, 0, 50, 10) == "inactive pending pending firing firing inactive");
  CHECK(world.written({{"__name__", "ALERTS"},
                       {"alertname", "High"},
                       {"alertstate", "pending"},
                       {"job", "a"},
                       {"team", "core"}}) == "10:1 20:1 30:stale");
  CHECK(world.written({{"__name__", "ALERTS"},
                       {"alertname", "High"},
                       {"alertstate", "firing"},
                       {"job", "a"},
                       {"team", "core"}}) == "30:1 40:1 50:stale");
  CHECK(world.written({{"__name__", "ALERTS_FOR_STATE"},
                       {"alertname", "High"},
                       {"job", "a"},
                       {"team", "core"}}) == "10:10 20:10 30:10 40:10 50:stale");
}

TEST_CASE("alert: a pending one that ends is never sent", "[rules]") {
  World world;
  values(world, 0, 10, {1, 0, 1});
  const auto group = world.group({alert("High", "in > 0", 20)});
  CHECK(states(world, *group, 0, 20, 10) == "pending inactive pending");
  CHECK(world.sent.empty());
}

TEST_CASE("alert: keep_firing_for holds it past its end, and a new start forgets that", "[rules]") {
  World world;
  values(world, 0, 10, {1, 0, 1, 0, 0, 0, 0});
  const auto group = world.group({alert("High", "in > 0", 0, 25)});
  CHECK(states(world, *group, 0, 60, 10) == "firing firing firing firing firing firing inactive");
}

TEST_CASE("alert: sent when it fires, again after the resend delay, and when it resolves",
          "[rules]") {
  World world;
  world.environment.resend_delay = std::chrono::seconds(25);
  values(world, 0, 10, {1, 1, 1, 1, 1, 0, 0});
  const auto group = world.group({alert("High", "in > 0")});
  std::vector<std::size_t> counts;
  for (Timestamp t = 0; t <= 60; t += 10) {
    group->evaluate(t * 1000, world.shared);
    counts.push_back(world.sent.size());
  }
  CHECK(counts == std::vector<std::size_t>{1, 1, 1, 2, 2, 3, 3});
  CHECK(world.sent[0].fired_at_ms == 0);
  // Four times the longer of the group's interval (one minute here) and the resend delay.
  CHECK(world.sent[0].valid_until_ms == 240'000);
  CHECK(world.sent[2].resolved_at_ms == 50'000);
  CHECK(world.sent_expressions[0] == "in > 0");
}

TEST_CASE("alert: a resolved one is repeated for a quarter of an hour, then forgotten", "[rules]") {
  World world;
  world.set(kIn, 0, 1);
  world.set(kIn, 60'000, 0);
  const auto group = world.group({alert("High", "in > 0")});
  for (Timestamp minute = 0; minute <= 30; ++minute) group->evaluate(minute * 60'000, world.shared);
  REQUIRE_FALSE(world.sent.empty());
  // The last time it is known is the first evaluation more than 15 minutes after minute 1.
  CHECK(world.sent.back().resolved_at_ms == 60'000);
  CHECK(world.sent.back().last_sent_at_ms <= 16 * 60'000);
  CHECK(world.sent.back().last_sent_at_ms >= 14 * 60'000);
}

TEST_CASE("alert: one that comes back after it resolved begins anew", "[rules]") {
  World world;
  values(world, 0, 10, {1, 0, 1});
  const auto group = world.group({alert("High", "in > 0")});
  CHECK(states(world, *group, 0, 20, 10) == "firing inactive firing");
  const RuleStatus status = group->status().rules[0];
  REQUIRE(status.alerts.size() == 1);
  CHECK(status.alerts[0].active_at_ms == 20'000);
  CHECK(status.alerts[0].resolved_at_ms == kNever);
}

TEST_CASE("alert: labels and annotations are templates", "[rules]") {
  World world;
  world.shared.external_labels = Labels{{"cluster", "c1"}};
  values(world, 0, 10, {150, 50});
  const auto group = world.group(
      {alert("High", "in > 0", 0, 0,
             {{"severity", "{{ if gt $value 100.0 }}page{{ else }}ticket{{ end }}"}, {"job", ""}},
             {{"summary", "{{ $labels.job }} of {{ $externalLabels.cluster }} at {{ $value }}"},
              {"asked", "{{ with query \"in\" }}{{ . | first | value }}{{ end }}"},
              {"plain", "as it is"}})});
  group->evaluate(0, world.shared);
  RuleStatus status = group->status().rules[0];
  REQUIRE(status.alerts.size() == 1);
  CHECK(status.alerts[0].labels == Labels{{"alertname", "High"}, {"severity", "page"}});
  CHECK(status.alerts[0].annotations ==
        TextMap{{"summary", "a of c1 at 150"}, {"asked", "150"}, {"plain", "as it is"}});
  CHECK(status.alerts[0].value == 150);
  // Another label makes another alert.
  group->evaluate(10'000, world.shared);
  status = group->status().rules[0];
  REQUIRE(status.alerts.size() == 1);
  CHECK(status.alerts[0].labels.get("severity") == "ticket");
  CHECK(world.sent.size() == 3);  // page firing, page resolved, ticket firing
}

TEST_CASE("alert: type and unit of the metric go with its name", "[rules]") {
  World world;
  world.set(Labels{{"__name__", "in"}, {"__type__", "gauge"}, {"__unit__", "s"}, {"job", "a"}}, 0,
            1);
  const auto group =
      world.group({alert("High", "in > 0", 0, 0, {}, {{"type", "{{ $labels.__type__ }}"}})});
  group->evaluate(0, world.shared);
  const RuleStatus status = group->status().rules[0];
  REQUIRE(status.alerts.size() == 1);
  CHECK(status.alerts[0].labels == Labels{{"alertname", "High"}, {"job", "a"}});
  CHECK(status.alerts[0].annotations.at("type") == "gauge");
}

TEST_CASE("alert: an error in a template shows in the annotation and stops nothing", "[rules]") {
  World world;
  values(world, 0, 10, {1});
  const auto group =
      world.group({alert("High", "in > 0", 0, 0, {},
                         {{"summary", "{{ $labels.job | nothing }}"}, {"other", "{{ $value }}"}})});
  group->evaluate(0, world.shared);
  const RuleStatus status = group->status().rules[0];
  CHECK(status.health == RuleHealth::kGood);
  REQUIRE(status.alerts.size() == 1);
  CHECK(status.alerts[0].annotations.at("summary").find("<error expanding template: ") == 0);
  CHECK(status.alerts[0].annotations.at("other") == "1");
  CHECK(world.sent.size() == 1);
}

TEST_CASE("alert: two elements that end with the same labels are an error of the rule", "[rules]") {
  World world;
  world.set(kIn, 0, 1);
  world.set(Labels{{"__name__", "in"}, {"job", "b"}}, 0, 1);
  const auto group = world.group({alert("High", "in > 0", 0, 0, {{"job", "same"}})});
  group->evaluate(0, world.shared);
  CHECK(group->status().rules[0].last_error ==
        "vector contains metrics with the same labelset after applying alert labels");
  CHECK(world.sent.empty());
}

TEST_CASE("alert: more than the limit are an error and all are forgotten", "[rules]") {
  World world;
  world.set(kIn, 0, 1);
  world.set(Labels{{"__name__", "in"}, {"job", "b"}}, 10'000, 1);
  const auto group = world.group({alert("High", "in > 0")}, true, 1);
  group->evaluate(0, world.shared);
  CHECK(group->status().rules[0].alerts.size() == 1);
  group->evaluate(10'000, world.shared);
  CHECK(group->status().rules[0].last_error == "exceeded limit of 1 with 2 alerts");
  CHECK(group->status().rules[0].alerts.empty());
}

TEST_CASE("alert: absent() carries the labels of its matchers", "[rules]") {
  World world;
  const auto group = world.group({alert("Gone", "absent(missing{job=\"x\"})")});
  group->evaluate(0, world.shared);
  REQUIRE(world.sent.size() == 1);
  CHECK(world.sent[0].labels == Labels{{"alertname", "Gone"}, {"job", "x"}});
}

}  // namespace varve::rules
