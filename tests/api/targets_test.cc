// SPDX-License-Identifier: Apache-2.0
// Targets as a client of Prometheus sees them.
#include "api_harness.h"
#include "model/relabel.h"

namespace varve::test {
namespace {

model::RelabelRule rule(model::RelabelOptions options) {
  return *model::RelabelRule::create(std::move(options));
}

// One active target, one that relabelling drops.
void scrape_something(Harness& harness) {
  scrape::PoolOptions pool;
  pool.job_name = "j";
  pool.static_configs = {
      {"0", {Labels{{"__address__", "a:1"}}, Labels{{"__address__", "b:1"}}}, {}}};
  model::RelabelOptions drop;
  drop.source_labels = {"__address__"};
  drop.regex = "b.*";
  drop.action = model::RelabelAction::kDrop;
  model::RelabelOptions name;
  name.source_labels = {"__address__"};
  name.regex = "(.*):.*";
  name.target_label = "host";
  pool.relabel = {rule(drop), rule(name)};
  harness.manager->apply({pool});
  harness.api->ready(*harness.db, *harness.manager);
}

}  // namespace

TEST_CASE("api targets: the state is asked for in any case", "[api]") {
  Harness harness;
  scrape_something(harness);
  const auto counts = [&](const std::string& query) {
    const auto data = harness.get("/api/v1/targets", query)["data"];
    return std::to_string(data["activeTargets"].size()) + " " +
           std::to_string(data["droppedTargets"].size());
  };
  CHECK(counts("") == "1 1");
  CHECK(counts("state=any") == "1 1");
  CHECK(counts("state=Active") == "1 0");
  CHECK(counts("state=DROPPED") == "0 1");
  CHECK(counts("state=other") == "0 0");
}

TEST_CASE("api relabel steps: what each rule makes of a target", "[api]") {
  Harness harness;
  scrape_something(harness);
  const std::string path = "/api/v1/targets/relabel_steps";
  // {"__address__":"a:1"} and {"__address__":"b:1"}
  const std::string labels = "&labels=%7B%22__address__%22%3A%22";
  const auto kept = harness.get(path, "scrapePool=j" + labels + "a%3A1%22%7D")["data"]["steps"];
  REQUIRE(kept.size() == 2);
  CHECK(kept[0] == nlohmann::json::parse(R"({
      "rule": {"source_labels": ["__address__"], "separator": ";", "regex": "b.*",
               "replacement": "$1", "action": "drop"},
      "output": {"__address__": "a:1"}, "keep": true})"));
  CHECK(kept[1]["rule"]["target_label"] == "host");
  CHECK(kept[1]["output"] == nlohmann::json({{"__address__", "a:1"}, {"host", "a"}}));
  const auto dropped = harness.get(path, "scrapePool=j" + labels + "b%3A1%22%7D")["data"]["steps"];
  REQUIRE(dropped.size() == 2);
  for (const auto& step : dropped) {
    CHECK(step["keep"] == false);
    CHECK(step["output"] == nlohmann::json::object());
  }
  CHECK(harness.get(path, "", 400)["error"] == "no scrapePool parameter provided");
  CHECK(harness.get(path, "scrapePool=j", 400)["error"] == "no labels parameter provided");
  CHECK(harness.get(path, "scrapePool=k" + labels + "a%22%7D", 400)["error"] ==
        "error retrieving scrape config: scrape pool \"k\" not found");
  CHECK(harness.get(path, "scrapePool=j&labels=%5B%5D", 400)["error"] ==
        "error parsing labels: not an object");
  CHECK(harness.get(path, "scrapePool=j&labels=%7B%22a%22%3A%5B%5B%5D%5D%7D", 400)["error"] ==
        "error parsing labels: it nests");
}

}  // namespace varve::test
