// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "fakes.h"

using namespace varve;
using namespace varve::scrape;

namespace {
const std::string kUrl = "http://a:1/metrics";
const std::string kTail = "{instance=\"a:1\", job=\"j\"}";

void run_for(Bench& b, std::chrono::seconds time) {
  const Timestamp end = b.clock.now_ms() + time.count() * 1000;
  for (Timestamp next = b.manager->run_due(); next <= end; next = b.manager->run_due()) {
    b.clock.set(next);
    b.manager->run_due();
    b.settle();
  }
  b.clock.set(end);
}
}  // namespace

TEST_CASE("reload: a target that stays keeps its state and its pace", "[scrape]") {
  Bench b;
  b.client.answer(kUrl, "m 1\n");
  b.client.answer("http://b:1/metrics", "m 1\n");
  b.manager->apply({pool({"a:1"})});
  run_for(b, std::chrono::seconds(20));
  const std::size_t resolved = b.storage.resolved;
  b.manager->apply({pool({"a:1"})});
  CHECK(b.target().health == Health::kUp);
  run_for(b, std::chrono::seconds(10));
  CHECK(b.storage.resolved == resolved);
  PoolOptions changed = pool({"a:1", "b:1"});
  changed.timeout = std::chrono::seconds(4);
  b.manager->apply({changed});
  run_for(b, std::chrono::seconds(10));
  CHECK(b.storage.values("m" + kTail) == "1 1 1 1");
  const auto& points = b.storage.series.at("m" + kTail);
  for (std::size_t i = 1; i < points.size(); ++i) {
    CHECK(points[i].time_ms - points[i - 1].time_ms == 10'000);
  }
  CHECK(b.target().timeout == std::chrono::seconds(4));
}

TEST_CASE("reload: what goes, alone or with its job, ends with stale markers", "[scrape]") {
  Bench b;
  b.client.answer(kUrl, "m 1\n");
  b.client.answer("http://b:1/metrics", "m 1\n");
  b.manager->apply({pool({"a:1", "b:1"})});
  run_for(b, std::chrono::seconds(10));
  const bool whole_job = GENERATE(true, false);
  CAPTURE(whole_job);
  if (whole_job) {
    b.manager->apply({});
    CHECK(b.manager->targets().empty());
    CHECK(b.manager->pools().empty());
  } else {
    b.manager->apply({pool({"b:1"})});
  }
  run_for(b, std::chrono::seconds(10));
  CHECK(b.storage.values("m" + kTail) == "1");  // it may still come back
  run_for(b, std::chrono::seconds(15));
  CHECK(b.storage.values("m" + kTail) == "1 stale");
  CHECK(b.storage.values("up" + kTail) == "1 stale");
  CHECK(b.storage.values("scrape_series_added" + kTail) == "1 stale");
  const auto& points = b.storage.series.at("m" + kTail);
  CHECK(points[1].time_ms - points[0].time_ms == 10'000);
}

TEST_CASE("reload: a target that comes back before its end goes on", "[scrape]") {
  Bench b;
  b.client.answer(kUrl, "m 1\n");
  b.manager->apply({pool({"a:1"})});
  run_for(b, std::chrono::seconds(10));
  const std::size_t resolved = b.storage.resolved;
  b.manager->apply({});
  run_for(b, std::chrono::seconds(5));
  b.manager->apply({pool({"a:1"})});
  run_for(b, std::chrono::seconds(40));
  CHECK(b.storage.values("m" + kTail) == "1 1 1 1 1");
  CHECK(b.storage.resolved == resolved);
}

TEST_CASE("reload: a target that moves to another job with its labels does not end", "[scrape]") {
  Bench b;
  b.client.answer(kUrl, "m 1\n");
  b.manager->apply({pool({"a:1"})});
  run_for(b, std::chrono::seconds(10));
  PoolOptions other = pool({"a:1"}, "k");
  other.static_configs[0].labels = Labels{{"job", "j"}};
  b.manager->apply({other});
  run_for(b, std::chrono::seconds(40));
  CHECK(b.storage.values("m" + kTail).find("stale") == std::string::npos);
}

TEST_CASE("reload: new metric relabelling takes hold and ends what it drops", "[scrape]") {
  Bench b;
  b.client.answer(kUrl, "m 1\nn 1\n");
  b.manager->apply({pool({"a:1"})});
  run_for(b, std::chrono::seconds(10));
  PoolOptions changed = pool({"a:1"});
  model::RelabelOptions drop;
  drop.source_labels = {"__name__"};
  drop.regex = "n";
  drop.action = model::RelabelAction::kDrop;
  changed.metric_relabel.push_back(*model::RelabelRule::create(drop));
  b.manager->apply({changed});
  run_for(b, std::chrono::seconds(10));
  CHECK(b.storage.values("m" + kTail) == "1 1");
  CHECK(b.storage.values("n" + kTail) == "1 stale");
}

TEST_CASE("reload: relabelling of targets drops, counts and keeps a few of them", "[scrape]") {
  Bench b;
  PoolOptions options = pool({"a:1", "b:1", "c:1"});
  model::RelabelOptions keep;
  keep.source_labels = {"__address__"};
  keep.regex = "a:.*";
  keep.action = model::RelabelAction::kKeep;
  options.relabel.push_back(*model::RelabelRule::create(keep));
  options.limits.kept_dropped_targets = 1;
  b.manager->apply({options});
  CHECK(b.manager->targets().size() == 1);
  CHECK(b.manager->dropped_targets().size() == 1);
  CHECK(b.manager->dropped_counts() == std::vector<std::pair<std::string, std::size_t>>{{"j", 2}});
  CHECK(b.manager->pools() == std::vector<std::string>{"j"});
}

TEST_CASE("discovery: groups come, change and go beside the static ones", "[scrape]") {
  Bench b;
  b.manager->apply({pool({"a:1"})});
  const TargetGroup found{"file:x", {Labels{{"__address__", "d:1"}}}, Labels{{"env", "p"}}};
  REQUIRE(b.manager->update_targets("j", std::vector{found}).ok());
  REQUIRE(b.manager->targets("j").size() == 2);
  CHECK(b.manager->targets("j")[1].labels ==
        Labels{{"env", "p"}, {"instance", "d:1"}, {"job", "j"}});
  REQUIRE(b.manager->update_targets("j", std::vector{TargetGroup{"file:x", {}, {}}}).ok());
  CHECK(b.manager->targets("j").size() == 1);
  CHECK_FALSE(b.manager->update_targets("none", {}).ok());
}

TEST_CASE("reload: a pool tells its relabelling rules", "[scrape]") {
  Bench b;
  PoolOptions options = pool({"a:1"});
  model::RelabelOptions rule;
  rule.target_label = "x";
  options.relabel.push_back(*model::RelabelRule::create(rule));
  b.manager->apply({options});
  const auto rules = b.manager->relabel_rules("j");
  REQUIRE(rules.ok());
  CHECK(rules->size() == 1);
  CHECK(b.manager->relabel_rules("k").error().message() == "scrape pool \"k\" not found");
}
