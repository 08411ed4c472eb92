// SPDX-License-Identifier: Apache-2.0
#include "rules/notifier.h"

#include <catch2/catch.hpp>
#include <functional>

#include "http/client.h"
#include "rules/alertmanager.h"
#include "world.h"

namespace varve::rules {
namespace {

// Answers every request with a status, or holds it, or fails.
class FakeClient final : public http::Client {
 public:
  void fetch(http::ClientRequest request,
             std::function<void(Result<http::ClientResponse>)> done) override {
    requests.push_back(request);
    if (hold) {
      held.push_back(std::move(done));
    } else if (status == 0) {
      done(Error(ErrorCode::kUnavailable, "connection refused"));
    } else {
      http::ClientResponse response;
      response.status = status;
      done(std::move(response));
    }
  }

  std::vector<http::ClientRequest> requests;
  std::vector<std::function<void(Result<http::ClientResponse>)>> held;
  bool hold = false;
  int status = 200;
};

model::RelabelRule rule(model::RelabelAction action, const std::string& source,
                        const std::string& regex) {
  model::RelabelOptions options;
  options.action = action;
  if (!source.empty()) options.source_labels = {source};
  options.regex = regex;
  return *model::RelabelRule::create(std::move(options));
}

Notification notification(const std::string& name, Timestamp ends_at_ms = 60'000) {
  Notification out;
  out.labels = Labels{{"alertname", name}};
  out.annotations = {{"summary", "it \"is\""}};
  out.starts_at_ms = 1000;
  out.ends_at_ms = ends_at_ms;
  out.generator_url = "http://varve/graph";
  return out;
}

AlertmanagerOptions at(const std::string& address) {
  AlertmanagerOptions options;
  options.static_configs = {{"0", {Labels{{"__address__", address}}}, {}}};
  return options;
}

struct Rig {
  explicit Rig(NotifierOptions options = {}) {
    notifier = Notifier::create(
        options, NotifierDependencies{client, world.clock, world.log, world.metrics});
  }
  void apply(std::vector<AlertmanagerOptions> alertmanagers, Labels external = {}) {
    notifier->apply({{}, std::move(alertmanagers)}, std::move(external));
  }
  bool shows(const std::string& line) const {
    return world.metrics.render().find(line) != std::string::npos;
  }
  // Discovery finds a:1, as the only entry's only one, which does not take alert A.
  std::vector<model::TargetGroup> discovered_and_failing() {
    std::vector<model::TargetGroup> found{{"0", {Labels{{"__address__", "a:1"}}}, {}}};
    apply({AlertmanagerOptions()});
    REQUIRE(notifier->update_targets(0, found).ok());
    client.status = 503;
    notifier->send({notification("A")});
    notifier->run_due();
    REQUIRE(client.requests.size() == 1);
    return found;
  }

  World world;
  FakeClient client;
  std::unique_ptr<Notifier> notifier;
};

}  // namespace

TEST_CASE("notifier: an alert is POSTed to every Alertmanager in version 2's form", "[rules]") {
  Rig rig;
  AlertmanagerOptions second = at("am2:9093");
  second.scheme = "https";
  second.path_prefix = "/pre/";
  rig.apply({at("am1:9093"), second}, Labels{{"cluster", "c1"}, {"alertname", "not this"}});
  rig.notifier->send({notification("High")});
  rig.notifier->run_due();
  REQUIRE(rig.client.requests.size() == 2);
  CHECK(rig.client.requests[0].method == "POST");
  CHECK(rig.client.requests[0].url == "http://am1:9093/api/v2/alerts");
  CHECK(rig.client.requests[1].url == "https://am2:9093/pre/api/v2/alerts");
  CHECK(rig.client.requests[0].body ==
        "[{\"annotations\":{\"summary\":\"it \\\"is\\\"\"},\"endsAt\":\"1970-01-01T00:01:00.000Z\","
        "\"startsAt\":\"1970-01-01T00:00:01.000Z\",\"generatorURL\":\"http://varve/graph\","
        "\"labels\":{\"alertname\":\"High\",\"cluster\":\"c1\"}}]");
  CHECK(rig.notifier->active() == std::vector<std::string>{"http://am1:9093/api/v2/alerts",
                                                           "https://am2:9093/pre/api/v2/alerts"});
  CHECK(
      rig.shows("prometheus_notifications_sent_total{alertmanager=\"http://am1:9093/api/v2/"
                "alerts\"} 1\n"));
  CHECK(rig.shows("prometheus_notifications_alertmanagers_discovered 2\n"));
}

TEST_CASE("notifier: alerts are relabelled for all, then for each entry", "[rules]") {
  Rig rig;
  AlertmanagerOptions only_b = at("b:1");
  only_b.alert_relabel = {rule(model::RelabelAction::kKeep, "alertname", "B")};
  rig.notifier->apply({{rule(model::RelabelAction::kLabelDrop, "", "replica"),
                        rule(model::RelabelAction::kDrop, "alertname", "Never")},
                       {at("all:1"), only_b}},
                      Labels{{"replica", "r1"}});
  rig.notifier->send({notification("A"), notification("B"), notification("Never")});
  rig.notifier->run_due();
  REQUIRE(rig.client.requests.size() == 2);
  CHECK(rig.client.requests[0].body.find("Never") == std::string::npos);
  CHECK(rig.client.requests[0].body.find("replica") == std::string::npos);
  CHECK(rig.client.requests[0].body.find("\"A\"") != std::string::npos);
  CHECK(rig.client.requests[1].body.find("\"A\"") == std::string::npos);
  CHECK(rig.client.requests[1].body.find("\"B\"") != std::string::npos);
}

TEST_CASE("notifier: relabelling decides which Alertmanagers there are", "[rules]") {
  Rig rig;
  AlertmanagerOptions options;
  options.static_configs = {
      {"0", {Labels{{"__address__", "a:1"}}, Labels{{"__address__", "b:1"}, {"drop", "yes"}}}, {}}};
  model::RelabelOptions other_path;
  other_path.target_label = "__alerts_path__";
  other_path.replacement = "/other";
  options.relabel = {rule(model::RelabelAction::kDrop, "drop", "yes"),
                     *model::RelabelRule::create(other_path)};
  rig.apply({options});
  CHECK(rig.notifier->active() == std::vector<std::string>{"http://a:1/other"});
  CHECK(rig.notifier->dropped() == std::vector<std::string>{"http://b:1/api/v2/alerts"});
}

TEST_CASE("notifier: no request has more alerts than a batch", "[rules]") {
  Rig rig({.queue_capacity = 100, .batch_max = 3});
  rig.apply({at("a:1")});
  std::vector<Notification> many;
  for (int i = 0; i < 7; ++i) many.push_back(notification("n" + std::to_string(i)));
  rig.notifier->send(many);
  for (int i = 0; i < 5; ++i) rig.notifier->run_due();
  REQUIRE(rig.client.requests.size() == 3);
  CHECK(rig.client.requests[2].body.find("n6") != std::string::npos);
}

TEST_CASE("notifier: one request at a time goes to an Alertmanager", "[rules]") {
  Rig rig;
  rig.apply({at("slow:1"), at("fast:1")});
  rig.client.hold = true;
  rig.notifier->send({notification("A")});
  rig.notifier->run_due();
  CHECK(rig.client.requests.size() == 2);
  rig.notifier->send({notification("B")});
  rig.notifier->run_due();
  CHECK(rig.client.requests.size() == 2);
  http::ClientResponse ok;
  ok.status = 200;
  rig.client.held[1](ok);  // the other one still waits
  rig.notifier->run_due();
  CHECK(rig.client.requests.size() == 3);
  CHECK(rig.client.requests[2].body.find("\"B\"") != std::string::npos);
}

TEST_CASE("notifier: what fails is tried again after a while, with the newest word", "[rules]") {
  Rig rig;
  rig.apply({at("a:1")});
  rig.client.status = GENERATE(0, 503, 429);
  rig.notifier->send({notification("A", 60'000), notification("B")});
  rig.notifier->run_due();
  REQUIRE(rig.client.requests.size() == 1);
  CHECK(
      rig.shows("prometheus_notifications_errors_total{alertmanager=\"http://a:1/api/v2/alerts\"} "
                "2\n"));
  CHECK(
      rig.shows("prometheus_notifications_queue_length{alertmanager=\"http://a:1/api/v2/alerts\"} "
                "2\n"));
  rig.notifier->send({notification("A", 120'000)});
  rig.notifier->run_due();
  CHECK(rig.client.requests.size() == 1);
  rig.world.clock.advance(std::chrono::seconds(2));
  rig.client.status = 200;
  rig.notifier->run_due();
  REQUIRE(rig.client.requests.size() == 2);
  const std::string& body = rig.client.requests[1].body;
  CHECK(body.find("1970-01-01T00:02:00.000Z") != std::string::npos);
  CHECK(body.find("\"B\"") != std::string::npos);
  CHECK(
      rig.shows("prometheus_notifications_dropped_total{alertmanager=\"http://a:1/api/v2/"
                "alerts\"} 0\n"));
}

TEST_CASE("notifier: what an Alertmanager refuses is dropped and counted", "[rules]") {
  Rig rig;
  rig.apply({at("a:1")});
  rig.client.status = 400;
  rig.notifier->send({notification("A")});
  rig.notifier->run_due();
  rig.world.clock.advance(std::chrono::minutes(1));
  rig.notifier->run_due();
  CHECK(rig.client.requests.size() == 1);
  CHECK(
      rig.shows("prometheus_notifications_dropped_total{alertmanager=\"http://a:1/api/v2/"
                "alerts\"} 1\n"));
}

TEST_CASE("notifier: a full queue drops the oldest and counts them", "[rules]") {
  Rig rig({.queue_capacity = 2, .batch_max = 10});
  rig.apply({at("a:1")});
  rig.notifier->send({notification("A"), notification("B"), notification("C")});
  rig.notifier->run_due();
  REQUIRE(rig.client.requests.size() == 1);
  CHECK(rig.client.requests[0].body.find("\"A\"") == std::string::npos);
  CHECK(rig.client.requests[0].body.find("\"C\"") != std::string::npos);
  CHECK(
      rig.shows("prometheus_notifications_dropped_total{alertmanager=\"http://a:1/api/v2/"
                "alerts\"} 1\n"));
}

TEST_CASE("notifier: a reload keeps the queue of an Alertmanager that stays", "[rules]") {
  Rig rig;
  rig.apply({at("stays:1"), at("goes:1")});
  rig.notifier->send({notification("A")});
  AlertmanagerOptions changed = at("stays:1");
  changed.timeout = std::chrono::seconds(3);
  rig.apply({changed});
  rig.notifier->run_due();
  REQUIRE(rig.client.requests.size() == 1);
  CHECK(rig.client.requests[0].url == "http://stays:1/api/v2/alerts");
  CHECK(rig.client.requests[0].timeout == std::chrono::seconds(3));
  // What waits for the other is kept for a while, should that come back, then counted as dropped.
  CHECK(rig.shows("prometheus_notifications_queue_length{alertmanager=\"http://goes:1/api/v2/"
                  "alerts\"} 1\n"));
  rig.world.clock.advance(std::chrono::minutes(1));
  rig.notifier->run_due();
  CHECK(rig.shows("prometheus_notifications_dropped_total{alertmanager=\"http://goes:1/api/v2/"
                  "alerts\"} 1\n"));
  rig.world.clock.advance(std::chrono::minutes(2));
  rig.notifier->run_due();
  CHECK_FALSE(rig.shows("prometheus_notifications_dropped_total{alertmanager=\"http://goes:1"));
}

TEST_CASE("notifier: discovered Alertmanagers join and leave", "[rules]") {
  Rig rig;
  rig.apply({at("static:1")});
  const model::TargetGroup found{"sd", {Labels{{"__address__", "found:1"}}}, {}};
  REQUIRE(rig.notifier->update_targets(0, std::vector{found}).ok());
  CHECK(rig.notifier->active().size() == 2);
  REQUIRE(rig.notifier->update_targets(0, std::vector{model::TargetGroup{"sd", {}, {}}}).ok());
  CHECK(rig.notifier->active() == std::vector<std::string>{"http://static:1/api/v2/alerts"});
  CHECK_FALSE(rig.notifier->update_targets(1, {}).ok());
}

TEST_CASE("notifier: alerts outlive a reload that changes an entry with discovered ones",
          "[rules]") {
  Rig rig;
  const auto found = rig.discovered_and_failing();

  AlertmanagerOptions changed;
  changed.timeout = std::chrono::seconds(3);
  rig.apply({changed});
  CHECK(rig.notifier->active() == std::vector<std::string>{"http://a:1/api/v2/alerts"});
  // Discovery takes back what it had found and finds it anew a moment later.
  REQUIRE(rig.notifier->update_targets(0, std::vector<model::TargetGroup>{{"0", {}, {}}}).ok());
  CHECK(rig.notifier->active().empty());
  rig.world.clock.advance(std::chrono::seconds(5));
  rig.notifier->run_due();
  CHECK(rig.client.requests.size() == 1);
  REQUIRE(rig.notifier->update_targets(0, found).ok());
  rig.client.status = 200;
  rig.notifier->run_due();
  REQUIRE(rig.client.requests.size() == 2);
  CHECK(rig.client.requests[1].body.find("\"A\"") != std::string::npos);
  CHECK(rig.client.requests[1].timeout == std::chrono::seconds(3));
}

TEST_CASE("notifier: an entry put before another takes nothing of it", "[rules]") {
  Rig rig;
  const auto found = rig.discovered_and_failing();

  AlertmanagerOptions inserted = GENERATE(AlertmanagerOptions(), at("a:1"));
  inserted.timeout = std::chrono::seconds(3);
  rig.apply({inserted, AlertmanagerOptions()});
  CHECK(rig.notifier->active().size() == 1 + inserted.static_configs.size());
  // Discovery forgets by place and finds anew by place.
  REQUIRE(rig.notifier->update_targets(0, std::vector<model::TargetGroup>{{"0", {}, {}}}).ok());
  REQUIRE(rig.notifier->update_targets(1, found).ok());
  rig.world.clock.advance(std::chrono::minutes(2));
  rig.client.status = 200;
  rig.notifier->run_due();
  REQUIRE(rig.client.requests.size() == 2);
  CHECK(rig.client.requests[1].body.find("\"A\"") != std::string::npos);
  CHECK(rig.client.requests[1].timeout == AlertmanagerOptions().timeout);
}

TEST_CASE("notifier: stopping sends what waits for one that discovery has just lost", "[rules]") {
  Rig rig;
  rig.apply({AlertmanagerOptions(), at("b:1")});
  REQUIRE(rig.notifier
              ->update_targets(0, std::vector<model::TargetGroup>{
                                      {"0", {Labels{{"__address__", "a:1"}}}, {}}})
              .ok());
  rig.notifier->send({notification("A")});
  REQUIRE(rig.notifier->update_targets(0, std::vector<model::TargetGroup>{{"0", {}, {}}}).ok());
  rig.apply({AlertmanagerOptions()});  // b:1 goes for good
  rig.notifier->stop();
  REQUIRE(rig.client.requests.size() == 1);
  CHECK(rig.client.requests[0].url == "http://a:1/api/v2/alerts");
}

TEST_CASE("notifier: alerts for one that does not come back are dropped", "[rules]") {
  Rig rig;
  rig.apply({at("a:1")});
  rig.client.status = 503;
  rig.notifier->send({notification("A")});
  rig.notifier->run_due();
  rig.apply({});
  rig.world.clock.advance(std::chrono::minutes(2));
  rig.notifier->run_due();
  rig.client.status = 200;
  rig.apply({at("a:1")});
  rig.notifier->run_due();
  CHECK(rig.client.requests.size() == 1);
}

TEST_CASE("notifier: stopping sends what waits, or says what it drops", "[rules]") {
  const bool drain = GENERATE(true, false);
  Rig rig({.queue_capacity = 100, .batch_max = 1, .drain_on_shutdown = drain});
  rig.apply({at("a:1")});
  rig.notifier->send({notification("A"), notification("B"), notification("C")});
  rig.notifier->stop();
  CHECK(rig.client.requests.size() == (drain ? 3U : 0U));
  CHECK(rig.world.lines.size() == (drain ? 0U : 1U));
}

TEST_CASE("notifier: a link back to the expression, and resolved alerts end when they did",
          "[rules]") {
  Alert firing, resolved;
  firing.labels = Labels{{"alertname", "A"}};
  firing.fired_at_ms = 1;
  firing.valid_until_ms = 2;
  resolved = firing;
  resolved.resolved_at_ms = 3;
  const auto out = to_notifications({firing, resolved}, "a > 1", "http://varve");
  CHECK(out[0].generator_url == "http://varve/graph?g0.expr=a+%3E+1&g0.tab=1");
  CHECK(out[0].ends_at_ms == 2);
  CHECK(out[1].ends_at_ms == 3);
}

}  // namespace varve::rules
