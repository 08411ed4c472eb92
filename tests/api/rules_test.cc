// SPDX-License-Identifier: Apache-2.0
// Rules, alerts and Alertmanagers as a client of Prometheus sees them.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "api/api_harness.h"
#include "rules/manager.h"
#include "rules/notifier.h"

using namespace varve;
using nlohmann::json;
using test::Harness;

namespace {

// Says what it was told to say.
class FakeRules final : public rules::Manager {
 public:
  Status apply(std::vector<rules::RuleGroupOptions>, rules::SharedSettings) override { return {}; }
  void start() override {}
  Timestamp evaluate_due() override { return 0; }
  void stop() override {}
  std::vector<rules::GroupStatus> groups(bool with_alerts) const override {
    std::vector<rules::GroupStatus> out = told;
    for (auto& group : out) {
      for (auto& rule : group.rules) {
        if (!with_alerts) rule.alerts.clear();
      }
    }
    return out;
  }
  std::vector<rules::GroupStatus> told;
};

class FakeNotifier final : public rules::Notifier {
 public:
  void apply(rules::AlertingOptions, Labels) override {}
  Status update_targets(std::size_t, std::span<const model::TargetGroup>) override { return {}; }
  void send(std::vector<rules::Notification>) override {}
  void start() override {}
  void run_due() override {}
  void stop() override {}
  std::vector<std::string> active() const override { return {"http://a:9093/api/v2/alerts"}; }
  std::vector<std::string> dropped() const override { return {}; }
};

rules::GroupStatus group(const std::string& file, const std::string& name) {
  using std::chrono::milliseconds;
  rules::GroupStatus out;
  out.file = file;
  out.name = name;
  out.interval = std::chrono::seconds(15);
  out.evaluation_time = milliseconds(250);
  out.last_evaluation_ms = 1'700'000'000'123;
  rules::RuleStatus recording;
  recording.name = "rec_" + name;
  recording.expression = "sum(up)";
  recording.labels = {{"team", "core"}};
  recording.health = rules::RuleHealth::kGood;
  rules::RuleStatus alerting;
  alerting.kind = rules::RuleKind::kAlerting;
  alerting.name = "Alert_" + name;
  alerting.expression = "up == 0";
  alerting.hold = std::chrono::minutes(5);
  alerting.labels = {{"severity", "page"}};
  alerting.state = rules::AlertState::kFiring;
  alerting.health = rules::RuleHealth::kBad;
  alerting.last_error = "it \"broke\"";
  rules::Alert alert;
  alert.state = rules::AlertState::kFiring;
  alert.labels = Labels{{"alertname", alerting.name}};
  alert.annotations = {{"summary", ""}};
  alert.active_at_ms = 1'700'000'000'000;
  alert.value = 125;
  alerting.alerts = {alert};
  out.rules = {recording, alerting};
  return out;
}

struct RulesHarness : Harness {
  RulesHarness() {
    manager_of_rules.told = {group("a.yml", "one"), group("a.yml", "two"), group("b.yml", "one")};
    api->ready(*db, *manager, &manager_of_rules, &notifier);
  }
  // "a.yml/one:rec_one,Alert_one …"
  std::string picked(const std::string& query) {
    std::string out;
    const json answer = get("/api/v1/rules", query);
    for (const json& each : answer["data"]["groups"]) {
      if (!out.empty()) out += ' ';
      out += each["file"].get<std::string>() + '/' + each["name"].get<std::string>() + ':';
      for (const json& rule : each["rules"]) {
        if (out.back() != ':') out += ',';
        out += rule["name"];
      }
    }
    return out;
  }

  FakeRules manager_of_rules;
  FakeNotifier notifier;
};

}  // namespace

TEST_CASE("api rules: a group with its rules and alerts in Prometheus's shape", "[api]") {
  RulesHarness harness;
  const json answer = harness.get("/api/v1/rules", "file[]=b.yml");
  REQUIRE(answer["data"]["groups"].size() == 1);
  const json expected = json::parse(R"json({
    "name": "one", "file": "b.yml", "interval": 15, "limit": 0, "evaluationTime": 0.25,
    "lastEvaluation": "2023-11-14T22:13:20.123Z",
    "rules": [
      {"name": "rec_one", "query": "sum(up)", "labels": {"team": "core"}, "health": "ok",
       "evaluationTime": 0, "lastEvaluation": "0001-01-01T00:00:00Z", "type": "recording"},
      {"state": "firing", "name": "Alert_one", "query": "up == 0", "duration": 300,
       "keepFiringFor": 0, "labels": {"severity": "page"}, "annotations": {}, "health": "err",
       "lastError": "it \"broke\"", "evaluationTime": 0,
       "lastEvaluation": "0001-01-01T00:00:00Z", "type": "alerting",
       "alerts": [{"labels": {"alertname": "Alert_one"}, "annotations": {"summary": ""},
                   "state": "firing", "activeAt": "2023-11-14T22:13:20.000Z", "value": "1.25e+02"}]}
    ]})json");
  CHECK(answer["data"]["groups"][0] == expected);
}

TEST_CASE("api rules: every filter, and groups without a picked rule are left out", "[api]") {
  RulesHarness harness;
  CHECK(harness.picked("type=record") == "a.yml/one:rec_one a.yml/two:rec_two b.yml/one:rec_one");
  CHECK(harness.picked("type=ALERT&rule_group[]=two") == "a.yml/two:Alert_two");
  CHECK(harness.picked("rule_name[]=rec_two&rule_name[]=Alert_one") ==
        "a.yml/one:Alert_one a.yml/two:rec_two b.yml/one:Alert_one");
  CHECK(harness.picked("file[]=b.yml&match[]={team=\"core\"}") == "b.yml/one:rec_one");
  CHECK(harness.picked("file[]=b.yml&match[]={team=\"x\"}&match[]={severity=~\"p.*\"}") ==
        "b.yml/one:Alert_one");
  CHECK(harness.picked("rule_name[]=nothing").empty());
  const json without = harness.get("/api/v1/rules", "exclude_alerts=true");
  CHECK(without["data"]["groups"][0]["rules"][1]["alerts"].is_null());
}

TEST_CASE("api rules: pages of groups", "[api]") {
  RulesHarness harness;
  std::string token;
  std::string files;
  for (int page = 0; page < 3; ++page) {
    const json answer = harness.get(
        "/api/v1/rules", "group_limit=1" + (token.empty() ? "" : "&group_next_token=" + token));
    REQUIRE(answer["data"]["groups"].size() == 1);
    files += answer["data"]["groups"][0]["file"].get<std::string>();
    token = answer["data"].value("groupNextToken", "");
    CHECK(token.empty() == (page == 2));
  }
  CHECK(files == "a.ymla.ymlb.yml");
  const auto refused = [&](const std::string& query) {
    return harness.get("/api/v1/rules", query, 400)["error"].get<std::string>();
  };
  CHECK_THAT(refused("group_next_token=x"), Catch::Contains("group_limit needs to be present"));
  CHECK_THAT(refused("group_limit=1&group_next_token=x"),
             Catch::Contains("invalid group_next_token 'x'. were rule groups changed?"));
  CHECK_THAT(refused("group_limit=0"), Catch::Contains("group_limit"));
  CHECK_THAT(refused("type=both"), Catch::Contains("not supported value \"both\""));
  CHECK_THAT(refused("match[]={"), Catch::Contains("match[]"));
}

TEST_CASE("api alerts, alertmanagers: all of them", "[api]") {
  RulesHarness harness;
  const json alerts = harness.get("/api/v1/alerts", "")["data"]["alerts"];
  REQUIRE(alerts.size() == 3);
  CHECK(alerts[0]["state"] == "firing");
  const json managers = harness.get("/api/v1/alertmanagers", "")["data"];
  CHECK(managers["activeAlertmanagers"] ==
        json::array({{{"url", "http://a:9093/api/v2/alerts"}}}));
  CHECK(managers["droppedAlertmanagers"] == json::array());
}
