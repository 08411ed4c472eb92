// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "world.h"

namespace varve::rules {
namespace {

const Labels kA{{"__name__", "in"}, {"job", "a"}, {"zone", "z"}};
const Labels kB{{"__name__", "in"}, {"job", "b"}, {"zone", "z"}};

}  // namespace

TEST_CASE("recording: results get the rule's name and labels, an empty label removes one",
          "[rules]") {
  World world;
  world.set(kA, 10'000, 1);
  world.set(kB, 10'000, 2);
  const auto group = world.group({record("out", "in * 2", {{"kind", "x"}, {"zone", ""}})});
  group->evaluate(10'000, world.shared);
  CHECK(world.written({{"__name__", "out"}, {"job", "a"}, {"kind", "x"}}) == "10:2");
  CHECK(world.written({{"__name__", "out"}, {"job", "b"}, {"kind", "x"}}) == "10:4");
  const GroupStatus status = group->status();
  REQUIRE(status.rules.size() == 1);
  CHECK(status.rules[0].health == RuleHealth::kGood);
  CHECK(status.rules[0].expression == "in * 2");
}

TEST_CASE("recording: a later rule of the group reads what an earlier one wrote", "[rules]") {
  World world;
  world.set(kA, 10'000, 3);
  const auto group = world.group({record("one", "in + 1"), record("two", "one * 10")});
  group->evaluate(10'000, world.shared);
  CHECK(world.written({{"__name__", "two"}, {"job", "a"}, {"zone", "z"}}) == "10:40");
}

TEST_CASE("recording: a scalar becomes a series without labels", "[rules]") {
  World world;
  const auto group = world.group({record("pi", "3.5")});
  group->evaluate(1000, world.shared);
  CHECK(world.written({{"__name__", "pi"}}) == "1:3.5");
}

TEST_CASE("recording: a series that vanishes gets one stale marker", "[rules]") {
  World world;
  world.set(kA, 10'000, 1);
  world.set(kB, 10'000, 1);
  world.set(kA, 20'000, 1);
  world.set(kB, 20'000, 0);
  world.set(kA, 30'000, 1);
  const auto group = world.group({record("out", "in > 0")});
  for (const Timestamp time_ms : {10'000, 20'000, 30'000}) group->evaluate(time_ms, world.shared);
  CHECK(world.written({{"__name__", "out"}, {"job", "a"}, {"zone", "z"}}) == "10:1 20:1 30:1");
  CHECK(world.written({{"__name__", "out"}, {"job", "b"}, {"zone", "z"}}) == "10:1 20:stale");
}

TEST_CASE("recording: late results and markers are discarded, even if late samples are taken",
          "[rules]") {
  World world;
  world.sink.window = true;
  world.set(kA, 10'000, 1);
  world.set(kA, 20'000, 2);
  world.set(kB, 10'000, 1);
  const auto newer = world.group({record("out", "in + 0")});
  newer->evaluate(20'000, world.shared);
  const auto older = world.group({record("out", "in + 100")});
  older->evaluate(10'000, world.shared);
  older->end(15'000, world.shared);
  CHECK(world.written({{"__name__", "out"}, {"job", "a"}, {"zone", "z"}}) == "20:2");
}

TEST_CASE("recording: the query offset moves what is looked at and what is written", "[rules]") {
  World world;
  world.set(kA, 10'000, 1);
  world.set(kA, 20'000, 2);
  world.shared.query_offset = std::chrono::seconds(10);
  const auto group = world.group({record("out", "in")});
  group->evaluate(20'000, world.shared);
  CHECK(world.written({{"__name__", "out"}, {"job", "a"}, {"zone", "z"}}) == "10:1");
}

TEST_CASE("recording: two results with the same labels are an error of the rule", "[rules]") {
  World world;
  world.set(kA, 10'000, 1);
  world.set(kB, 10'000, 2);
  const auto group = world.group({record("out", "in", {{"job", "same"}}), record("other", "in")});
  group->evaluate(10'000, world.shared);
  const GroupStatus status = group->status();
  CHECK(status.rules[0].health == RuleHealth::kBad);
  CHECK(status.rules[0].last_error ==
        "vector contains metrics with the same labelset after applying rule labels");
  CHECK(status.rules[1].health == RuleHealth::kGood);
  CHECK(world.written({{"__name__", "out"}, {"job", "same"}, {"zone", "z"}}).empty());
}

TEST_CASE("recording: more series than the limit are an error of the rule", "[rules]") {
  World world;
  world.set(kA, 10'000, 1);
  world.set(kB, 10'000, 2);
  const auto group = world.group({record("out", "in"), record("few", "sum(in)")}, true, 1);
  group->evaluate(10'000, world.shared);
  const GroupStatus status = group->status();
  CHECK(status.rules[0].last_error == "exceeded limit of 1 with 2 series");
  CHECK(status.rules[1].health == RuleHealth::kGood);
}

TEST_CASE("recording: a query that fails shows in the status and in the log, once", "[rules]") {
  World world;
  world.set(kA, 10'000, 1);
  world.set(kB, 10'000, 2);
  const auto group = world.group({record("out", "in * on(zone) group_left() in")});
  group->evaluate(10'000, world.shared);
  CHECK(group->status().rules[0].health == RuleHealth::kBad);
  CHECK_FALSE(group->status().rules[0].last_error.empty());
  REQUIRE(world.lines.size() == 1);
  CHECK(world.lines[0].find("Evaluating rule failed") != std::string::npos);
  CHECK(world.lines[0].find("name=out") != std::string::npos);
}

TEST_CASE("recording: what storage refuses is an error of the rule", "[rules]") {
  World world;
  world.set(kA, 10'000, 1);
  const auto group = world.group({record("out", "in")});
  group->evaluate(20'000, world.shared);
  group->evaluate(15'000, world.shared);
  CHECK(group->status().rules[0].last_error == "out of order sample");
  world.sink.refuse = "no space left";
  group->evaluate(30'000, world.shared);
  CHECK(group->status().rules[0].last_error == "no space left");
  world.sink.refuse.clear();
  group->evaluate(40'000, world.shared);
  CHECK(group->status().rules[0].health == RuleHealth::kGood);
  CHECK(group->status().rules[0].last_error.empty());
}

TEST_CASE("recording: histograms are recorded as histograms", "[rules]") {
  World world;
  Histogram histogram;
  histogram.count = 3;
  histogram.sum = 4;
  histogram.positive_spans = {{0, 1}};
  histogram.positive_counts = {3};
  world.storage.add(kA, 10'000, std::make_shared<const Histogram>(histogram));
  const auto group = world.group({record("out", "sum(in)")});
  group->evaluate(10'000, world.shared);
  const auto found = world.storage.series().find(Labels{{"__name__", "out"}});
  REQUIRE(found != world.storage.series().end());
  REQUIRE(found->second.histograms.size() == 1);
  CHECK(found->second.histograms.begin()->second.loaded->count == 3);
}

TEST_CASE("recording: an expression that does not parse names file, group and rule", "[rules]") {
  World world;
  RuleGroupOptions options;
  options.name = "g";
  options.file = "rules.yml";
  options.rules = {record("out", "sum(")};
  const auto made = Group::create(options, world.environment, true);
  REQUIRE_FALSE(made.ok());
  CHECK(made.error().message().find("rules.yml: group \"g\", rule \"out\": 1:5: parse error") == 0);
}

TEST_CASE("recording: results that come late are dropped in Prometheus's words", "[rules]") {
  World world;
  world.set(kA, 10'000, 1);
  world.set(kB, 10'000, 2);
  const auto group = world.group({record("out", "in")});
  group->evaluate(20'000, world.shared);
  world.lines.clear();
  group->evaluate(15'000, world.shared);
  CHECK(world.written({{"__name__", "out"}, {"job", "a"}, {"zone", "z"}}) == "20:1");
  std::string said;
  for (const std::string& line : world.lines) said += line;
  CHECK(said.find("level=WARN") != std::string::npos);
  CHECK(said.find("msg=\"Error on ingesting out-of-order result from rule evaluation\"") !=
        std::string::npos);
  CHECK(said.find("num_dropped=2") != std::string::npos);
  CHECK(said.find("level=DEBUG") != std::string::npos);
  const GroupStatus status = group->status();
  CHECK(status.rules[0].health == RuleHealth::kBad);
  CHECK(status.rules[0].last_error == "out of order sample");
}

TEST_CASE("recording: the log of queries hears of a rule's query", "[rules]") {
  World world;
  world.set(kA, 10'000, 1);
  std::vector<std::string> heard;
  world.engine.set_query_log(std::make_shared<const promql::QueryLog>(
      [&](const promql::FinishedQuery& query) {
        REQUIRE(query.origin != nullptr);
        heard.push_back(std::string(query.expression) + "|" + query.origin->rule_file + "|" +
                        query.origin->rule_group + "|" + std::to_string(query.start_ms));
      }));
  const auto group = world.group({record("out", "in * 2")});
  group->evaluate(10'000, world.shared);
  CHECK(heard == std::vector<std::string>{"in * 2|rules.yml|g|10000"});
}

}  // namespace varve::rules
