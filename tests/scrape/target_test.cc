// SPDX-License-Identifier: Apache-2.0
#include "scrape/target.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <string>

using namespace varve;
using namespace varve::scrape;

namespace {

PoolOptions job() {
  PoolOptions pool;
  pool.job_name = "j";
  return pool;
}

std::string why(const Labels& target, const PoolOptions& pool) {
  const auto populated = populate(target, {}, pool);
  return populated.ok() ? "ok" : populated.error().message();
}

}  // namespace

TEST_CASE("target: labels and URL come from the pool and the target", "[scrape]") {
  PoolOptions pool = job();
  pool.params = {{"match[]", {"up", "a b"}}, {"x", {"1&2"}}};
  const auto populated = populate(Labels{{"__address__", "h:1"}, {"a", "own"}},
                                  Labels{{"a", "shared"}, {"b", "2"}}, pool);
  REQUIRE(populated.ok());
  CHECK(populated->target.labels ==
        Labels{{"a", "own"}, {"b", "2"}, {"instance", "h:1"}, {"job", "j"}});
  CHECK(populated->target.url == "http://h:1/metrics?match%5B%5D=up&match%5B%5D=a+b&x=1%262");
  CHECK(populated->target.discovered.get("__scrape_interval__") == "1m");
  CHECK(populated->target.discovered.get("__param_x") == "1&2");
  CHECK(populated->target.interval == std::chrono::minutes(1));
}

TEST_CASE("target: offsets are in even turns over the whole interval", "[scrape]") {
  using namespace std::chrono_literals;
  struct Case {
    std::chrono::milliseconds interval, turn;
    std::size_t turns;
  };
  const auto [interval, turn, turns] =
      GENERATE(Case{10s, 50ms, 200}, Case{1s, 50ms, 20}, Case{130ms, 65ms, 2}, Case{20ms, 20ms, 1});
  CAPTURE(interval.count());
  std::map<std::chrono::milliseconds, std::size_t> met;
  for (std::size_t i = 0; i < 100 * turns; ++i) {
    Target target;
    target.url = "http://h" + std::to_string(i);
    target.interval = interval;
    const auto offset = target.offset(7);
    CHECK(offset == target.offset(7));
    ++met[offset];
  }
  CHECK(met.size() == turns);
  for (const auto& [offset, targets] : met) {
    CHECK(offset % turn == 0ms);
    CHECK(offset < interval);
    CHECK(targets > 30);
    CHECK(targets < 200);
  }
}

TEST_CASE("target: offsets into intervals of years lie within them, too", "[scrape]") {
  using days = std::chrono::duration<std::int64_t, std::ratio<86'400>>;
  const std::chrono::milliseconds interval = days(GENERATE(247, 249, 3'650, 100'000));
  CAPTURE(interval.count());
  std::size_t late = 0;
  for (int i = 0; i < 100; ++i) {
    Target target;
    target.url = "http://h" + std::to_string(i);
    target.interval = interval;
    const auto offset = target.offset(7);
    CHECK(offset.count() >= 0);
    CHECK(offset < interval);
    late += offset > interval / 2 ? 1 : 0;
  }
  CHECK(late > 25);
  CHECK(late < 75);
}

TEST_CASE("target: its own special labels win over the pool", "[scrape]") {
  const auto populated = populate(Labels{{"__address__", "h"},
                                         {"__scheme__", "https"},
                                         {"__metrics_path__", "/probe it"},
                                         {"__param_target", "x"},
                                         {"__scrape_interval__", "5s"},
                                         {"__scrape_timeout__", "1s"},
                                         {"__meta_a", "1"},
                                         {"job", "other"}},
                                  {}, job());
  REQUIRE(populated.ok());
  CHECK(populated->target.url == "https://h/probe%20it?target=x");
  CHECK(populated->target.labels == Labels{{"instance", "h"}, {"job", "other"}});
  CHECK(populated->target.interval == std::chrono::seconds(5));
  CHECK(populated->target.timeout == std::chrono::seconds(1));
}

TEST_CASE("target: what cannot be scraped is refused in Prometheus's words", "[scrape]") {
  CHECK(why(Labels{}, job()) == "no address");
  CHECK(why(Labels{{"__address__", "h/x"}}, job()) == "\"h/x\" is not a valid hostname");
  CHECK(why(Labels{{"__address__", "h"}, {"__scheme__", "ftp"}}, job()) ==
        "invalid scheme: \"ftp\"");
  CHECK(why(Labels{{"__address__", "h"}, {"__scrape_interval__", "x"}}, job())
            .starts_with("error parsing scrape interval: "));
  CHECK(why(Labels{{"__address__", "h"}, {"__scrape_timeout__", "0s"}}, job()) ==
        "scrape timeout cannot be 0");
  CHECK(why(Labels{{"__address__", "h"}, {"__scrape_timeout__", "2m"}}, job()) ==
        "scrape timeout cannot be greater than scrape interval (\"2m\" > \"1m\")");
}

TEST_CASE("target: the loopback is rewritten for those who look from elsewhere", "[scrape]") {
  const auto from = [](const std::string& url) {
    return global_url(url, "https", "me:443", "9090");
  };
  CHECK(from("http://localhost:9090/metrics") == "https://me:443/metrics");
  CHECK(from("http://127.0.0.1:9100/metrics") == "http://me:9100/metrics");
  CHECK(from("http://other:9090/m") == "http://other:9090/m");
  CHECK(global_url("http://localhost:1/", "http", "", "1") == "http://localhost:1/");
}
