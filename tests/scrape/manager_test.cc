// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <vector>

#include "fakes.h"

using namespace varve;
using namespace varve::scrape;

namespace {
const std::string kUrl = "http://a:1/metrics";
const std::string kTail = "{instance=\"a:1\", job=\"j\"}";
}  // namespace

TEST_CASE("scrape: samples, up and the report series get the target's labels", "[scrape]") {
  Bench b;
  b.client.answer(kUrl, "# HELP m Help.\n# TYPE m gauge\nm{x=\"1\"} 5\nn 2\n");
  b.manager->apply({pool({"a:1"})});
  CHECK(b.target().health == Health::kUnknown);
  b.step();
  CHECK(b.storage.values("m{instance=\"a:1\", job=\"j\", x=\"1\"}") == "5");
  CHECK(b.storage.values("n" + kTail) == "2");
  CHECK(b.storage.values("up" + kTail) == "1");
  CHECK(b.storage.values("scrape_samples_scraped" + kTail) == "2");
  CHECK(b.storage.values("scrape_samples_post_metric_relabeling" + kTail) == "2");
  CHECK(b.storage.values("scrape_series_added" + kTail) == "2");
  CHECK(b.storage.values("scrape_duration_seconds" + kTail) == "0");
  CHECK(b.storage.values("scrape_sample_limit" + kTail).empty());
  CHECK(b.storage.metadata == std::vector<std::string>{"m|gauge|Help."});
  CHECK(b.target().health == Health::kUp);
  CHECK(b.target().last_scrape_ms == b.clock.now_ms());
  CHECK(b.storage.appends == 1);

  b.step();  // everything is known now: no labels go to storage, no metadata again
  const std::size_t resolved = b.storage.resolved;
  CHECK(b.storage.values("n" + kTail) == "2 2");
  CHECK(b.storage.values("scrape_series_added" + kTail) == "2 0");
  b.step();
  CHECK(b.storage.resolved == resolved);
  CHECK(b.storage.metadata.size() == 1);
  const auto metadata = b.manager->metadata("m");
  REQUIRE(metadata.size() == 1);
  CHECK(metadata[0].help == "Help.");
  const auto& points = b.storage.series.at("up" + kTail);
  CHECK(points[1].time_ms - points[0].time_ms == 10'000);
}

TEST_CASE("scrape: a series that vanishes gets one stale marker, and may come back", "[scrape]") {
  Bench b;
  b.client.answer(kUrl, "m 1\nn 1\n");
  b.manager->apply({pool({"a:1"})});
  b.step();
  b.client.answer(kUrl, "m 2\n");
  b.step();
  b.step();
  b.client.answer(kUrl, "m 3\nn 3\n");
  b.step();
  CHECK(b.storage.values("m" + kTail) == "1 2 2 3");
  CHECK(b.storage.values("n" + kTail) == "1 stale 3");
}

TEST_CASE("scrape: a failed scrape ends all series but the report's", "[scrape]") {
  Bench b;
  b.client.answer(kUrl, "m 1\n");
  b.manager->apply({pool({"a:1"})});
  b.step();
  b.client.forget(kUrl);
  b.step();
  b.step();
  CHECK(b.storage.values("m" + kTail) == "1 stale");
  CHECK(b.storage.values("up" + kTail) == "1 0 0");
  CHECK(b.target().health == Health::kDown);
  CHECK(b.target().last_error == "Get \"" + kUrl + "\": connection refused");
  b.client.answer(kUrl, "m 4\n");
  b.step();
  CHECK(b.storage.values("m" + kTail) == "1 stale 4");
  CHECK(b.storage.values("up" + kTail) == "1 0 0 1");
}

TEST_CASE("scrape: a body that breaks half-way is stored not at all", "[scrape]") {
  Bench b;
  b.client.answer(kUrl, "old 1\n");
  b.manager->apply({pool({"a:1"})});
  b.step();
  b.client.answer(kUrl, "old 2\ngood 1\nthis is { not a line\n");
  b.step();
  CHECK(b.storage.values("old" + kTail) == "1 stale");
  CHECK(b.storage.values("good" + kTail).empty());
  CHECK(b.storage.values("up" + kTail) == "1 0");
  CHECK(b.target().last_error.find("line 3") != std::string::npos);
  b.client.answer(kUrl, "old 3\ngood 3\n");
  b.step();
  CHECK(b.storage.values("old" + kTail) == "1 stale 3");
  CHECK(b.storage.values("good" + kTail) == "3");
}

TEST_CASE("scrape: own timestamps are kept and not tracked for staleness", "[scrape]") {
  Bench b;
  PoolOptions options = pool({"a:1"});
  options.honor_timestamps = GENERATE(true, false);
  options.track_timestamps_staleness = GENERATE(true, false);
  CAPTURE(options.honor_timestamps, options.track_timestamps_staleness);
  const Timestamp own = b.clock.now_ms() - 5'000;
  b.client.answer(kUrl, "m 1 " + std::to_string(own) + "\n");
  b.manager->apply({options});
  b.step();
  const auto& points = b.storage.series.at("m" + kTail);
  CHECK(points[0].time_ms == (options.honor_timestamps ? own : b.clock.now_ms()));
  b.client.answer(kUrl, "");
  b.step();
  const bool tracked = !options.honor_timestamps || options.track_timestamps_staleness;
  CHECK(b.storage.values("m" + kTail) == (tracked ? "1 stale" : "1"));
}

TEST_CASE("scrape: honor_labels decides whose label wins", "[scrape]") {
  Bench b;
  PoolOptions options = pool({"a:1"});
  options.honor_labels = GENERATE(true, false);
  b.client.answer(kUrl, "m{job=\"theirs\",exported_job=\"x\"} 1\n");
  b.manager->apply({options});
  b.step();
  if (options.honor_labels) {
    CHECK(b.storage.values("m{exported_job=\"x\", instance=\"a:1\", job=\"theirs\"}") == "1");
  } else {
    CHECK(b.storage.values(
              "m{exported_exported_job=\"theirs\", exported_job=\"x\", instance=\"a:1\", "
              "job=\"j\"}") == "1");
  }
}

TEST_CASE("scrape: metric relabelling drops and changes, the report counts", "[scrape]") {
  Bench b;
  PoolOptions options = pool({"a:1"});
  model::RelabelOptions drop;
  drop.source_labels = {"__name__"};
  drop.regex = "go_.*";
  drop.action = model::RelabelAction::kDrop;
  model::RelabelOptions rename;
  rename.source_labels = {"__name__"};
  rename.target_label = "__name__";
  rename.replacement = "p_$1";
  for (const auto& rule : {drop, rename}) {
    options.metric_relabel.push_back(*model::RelabelRule::create(rule));
  }
  b.client.answer(kUrl, "go_x 1\nm 2\n");
  b.manager->apply({options});
  b.step();
  b.step();
  CHECK(b.storage.values("p_m" + kTail) == "2 2");
  CHECK(b.storage.series.size() == 6);
  CHECK(b.storage.values("scrape_samples_scraped" + kTail) == "2 2");
  CHECK(b.storage.values("scrape_samples_post_metric_relabeling" + kTail) == "1 1");
}

TEST_CASE("scrape: two samples of one series in a body are a counted duplicate", "[scrape]") {
  Bench b;
  b.client.answer(kUrl, "m 1\nm 2\n");
  b.manager->apply({pool({"a:1"})});
  b.step();
  b.step();
  CHECK(b.storage.values("m" + kTail) == "1 1");
  CHECK(b.storage.values("up" + kTail) == "1 1");
  CHECK(b.metrics.render().find("prometheus_target_scrapes_sample_duplicate_timestamp_total 2\n") !=
        std::string::npos);
}

TEST_CASE("scrape: exemplars go with their series", "[scrape]") {
  Bench b;
  b.client.answer(kUrl, "# TYPE m counter\nm_total 1 # {trace_id=\"t\"} 0.5\n# EOF\n",
                  "application/openmetrics-text; version=1.0.0; charset=utf-8");
  b.manager->apply({pool({"a:1"})});
  b.step();
  CHECK(b.storage.exemplars == std::vector<std::string>{"m_total" + kTail + " {trace_id=\"t\"}"});
}

TEST_CASE("scrape: extra metrics come with the feature", "[scrape]") {
  Bench b(ManagerOptions{.extra_scrape_metrics = true});
  PoolOptions options = pool({"a:1"});
  options.limits.samples = 9;
  b.client.answer(kUrl, "m 1\n");
  b.manager->apply({options});
  b.step();
  CHECK(b.storage.values("scrape_timeout_seconds" + kTail) == "5");
  CHECK(b.storage.values("scrape_sample_limit" + kTail) == "9");
  CHECK(b.storage.values("scrape_body_size_bytes" + kTail) == "4");
}

TEST_CASE("scrape: a slow target misses its own scrapes, no others", "[scrape]") {
  Bench b;
  b.client.hold(true);
  b.manager->apply({pool({"a:1"})});
  b.step();
  b.step();
  CHECK(b.client.requests.size() == 1);
  b.client.finish_held(Error(ErrorCode::kTimeout, "context deadline exceeded"));
  b.settle();
  CHECK(b.target().last_error == "context deadline exceeded");
  b.step();
  CHECK(b.client.requests.size() == 2);
}

TEST_CASE("scrape: storage that refuses everything makes the target down", "[scrape]") {
  Bench b;
  b.client.answer(kUrl, "m 1\n");
  b.manager->apply({pool({"a:1"})});
  b.storage.refuse = "log failed";
  b.step();
  CHECK(b.target().health == Health::kDown);
  CHECK(b.target().last_error == "log failed");
  b.storage.refuse.clear();
  b.step();
  CHECK(b.storage.values("m" + kTail) == "1");
  CHECK(b.storage.values("up" + kTail) == "1");
}

TEST_CASE("scrape: a series that storage has let go of is named by labels again", "[scrape]") {
  Bench b;
  b.client.answer(kUrl, "m 1\n");
  b.manager->apply({pool({"a:1"})});
  b.step();
  b.storage.forgotten[b.storage.ids.at("m" + kTail)] = true;
  b.storage.ids.erase("m" + kTail);
  b.storage.ids["other"] = {};
  b.storage.ids["another"] = {};
  b.step();
  b.step();
  CHECK(b.storage.values("m" + kTail) == "1 1");
}

TEST_CASE("scrape: the targets of a pool are spread over its interval", "[scrape]") {
  Bench b;
  std::vector<std::string> addresses;
  for (int i = 0; i < 100; ++i) addresses.push_back("h" + std::to_string(i) + ":1");
  b.manager->apply({pool(addresses)});
  const Timestamp begin = b.clock.now_ms();
  std::vector<std::size_t> per_second(10);
  while (b.client.requests.size() < 100) {
    const std::size_t before = b.client.requests.size();
    b.step();
    const auto second = static_cast<std::size_t>((b.clock.now_ms() - begin) / 1000);
    REQUIRE(second < 10);
    per_second[second] += b.client.requests.size() - before;
  }
  for (const std::size_t count : per_second) CHECK(count > 2);
}

TEST_CASE("scrape: targets of one turn are asked together, whenever they came", "[scrape]") {
  Bench b;
  std::vector<std::string> addresses;
  for (int i = 0; i < 200; ++i) addresses.push_back("t" + std::to_string(i) + ":1");
  PoolOptions some = pool({addresses.begin(), addresses.begin() + 100});
  PoolOptions others = pool({addresses.begin() + 100, addresses.end()}, "k");
  some.interval = some.timeout = others.interval = others.timeout = std::chrono::seconds(1);
  b.manager->apply({some});
  b.clock.advance(std::chrono::milliseconds(1234));
  b.manager->apply({some, others});
  b.step();  // what has become due meanwhile
  const std::size_t before = b.client.requests.size();
  const Timestamp begin = b.clock.now_ms();
  std::set<Timestamp> times;
  while (b.clock.now_ms() < begin + 1000) {
    b.step();
    times.insert(b.clock.now_ms() % 50);
  }
  CHECK(times == std::set<Timestamp>{0});
  CHECK(b.client.requests.size() - before == 200);
}

TEST_CASE("scrape: metrics about the intervals have quantiles", "[scrape]") {
  Bench b;
  b.client.answer(kUrl, "m 1\n");
  b.manager->apply({pool({"a:1"})});
  for (int i = 0; i < 4; ++i) b.step();
  const std::string text = b.metrics.render();
  CHECK(text.find("prometheus_target_interval_length_seconds{interval=\"10s\",quantile=\"0.99\"} "
                  "10\n") != std::string::npos);
  CHECK(text.find("prometheus_target_interval_length_seconds_count{interval=\"10s\"} 3\n") !=
        std::string::npos);
  CHECK(text.find("# TYPE prometheus_target_interval_length_seconds summary\n") !=
        std::string::npos);
  CHECK(text.find("prometheus_target_scrape_pool_targets{scrape_job=\"j\"} 1\n") !=
        std::string::npos);
}

TEST_CASE("scrape: with its own thread the manager stops in order", "[scrape]") {
  Bench b;
  b.client.answer(kUrl, "m 1\n");
  b.manager->apply({pool({"a:1"})});
  b.manager->start();
  b.client.hold(true);
  b.manager->stop();
  b.manager->stop();
  const std::size_t appends = b.storage.appends;
  b.client.finish_held(http::ClientResponse{});
  CHECK(b.storage.appends == appends);
}
