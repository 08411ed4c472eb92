// SPDX-License-Identifier: Apache-2.0
// Long history from end to end: samples written over the API, blocks cut, levels made of them, and
// the same questions asked of the samples and of the levels.
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "api/two_days.h"
#include "api/write_body.h"

namespace varve::test {
namespace {

// Two days of counters and gauges, a sample a minute, with resets and gaps; levels of 5m and 1h.
struct LongHistory : Harness {
  LongHistory() {
    api->ready(*db, *manager);
    storage::Ladder ladder;
    for (const std::chrono::minutes resolution :
         {std::chrono::minutes(5), std::chrono::minutes(60)}) {
      storage::LevelOptions level;
      level.resolution = resolution;
      ladder.levels.push_back(level);
    }
    REQUIRE(db->set_ladder(ladder).ok());
    std::mt19937_64 random(20261121);
    std::vector<double> counters(6);
    for (Timestamp hour = kBegin; hour < kEnd; hour += kHour) {
      std::string request;
      for (std::size_t i = 0; i < counters.size(); ++i) {
        std::vector<Sample> counter, gauge;
        for (Timestamp t = hour; t < hour + kHour; t += kMinute) {
          counters[i] += static_cast<double>(random() % 800) / 8;
          if (random() % 200 == 0) counters[i] = 0;
          if (random() % 20 == 0) continue;
          const Timestamp at = t + static_cast<Timestamp>(i) * 1'000 + 500;
          counter.push_back({at, counters[i]});
          gauge.push_back({at, static_cast<double>(random() % 1000) / 8});
        }
        const std::string instance = "host-" + std::to_string(i);
        const std::string job = "job-" + std::to_string(i % 2);
        request +=
            time_series({{"__name__", "x_total"}, {"instance", instance}, {"job", job}}, counter);
        request += time_series({{"__name__", "g"}, {"instance", instance}, {"job", job}}, gauge);
      }
      clock.set(hour + kHour);
      REQUIRE(write(request).status == 204);
      if ((hour - kBegin) % (4 * kHour) == 0) maintain();
    }
    maintain();
  }
  void maintain() {
    for (int round = 0; round < 3; ++round) REQUIRE(db->maintain().ok());
  }
  nlohmann::json panel(const std::string& query, Timestamp start, const std::string& source) {
    std::string encoded;
    for (const char c : query) encoded += c == '+' ? std::string("%2B") : std::string(1, c);
    return get("/api/v1/query_range",
               "query=" + encoded + "&start=" + std::to_string(start / 1000) +
                   "&end=" + std::to_string(kEnd / 1000) + "&step=3600&stats=all" +
                   (source.empty() ? "" : "&max_source_resolution=" + source));
  }
};

const std::vector<std::string> kPanels{"sum by (job) (rate(x_total[1h]))",
                                       "max_over_time(g[6h])",
                                       "x_total",
                                       "increase(x_total[3h])",
                                       "count_over_time(g[1h])",
                                       "resets(x_total[24h])",
                                       "changes(g[2h])",
                                       "min(g)",
                                       "absent_over_time(g[1h])",
                                       "max_over_time(rate(x_total[1h])[6h:1h])",
                                       "delta(g[4h])"};

TEST_CASE("api: levels answer on whole buckets what samples answer", "[api][levels]") {
  LongHistory world;
  for (const std::string& query : kPanels) {
    CAPTURE(query);
    const auto samples = world.panel(query, kBegin, "raw");
    CHECK(samples["data"]["stats"]["resolutions"] == nlohmann::json{"raw"});
    for (const std::string source : {"5m", "1h"}) {
      CAPTURE(source);
      const auto levels = world.panel(query, kBegin, source);
      CHECK(samples["data"]["result"] == levels["data"]["result"]);
      CHECK(levels["data"]["stats"]["resolutions"].back() == source);
      REQUIRE(levels.contains("infos"));
      CHECK(levels["infos"].back().get<std::string>().find("answered from buckets of " + source) !=
            std::string::npos);
    }
  }
}

TEST_CASE("api: samples that are gone leave no gap, and the result says what answers",
          "[api][levels]") {
  LongHistory world;
  std::vector<nlohmann::json> before;
  for (const std::string& query : kPanels) before.push_back(world.panel(query, kBegin, "raw"));
  world.db->set_retention(std::chrono::hours(12), 0);
  world.maintain();
  for (std::size_t i = 0; i < kPanels.size(); ++i) {
    CAPTURE(kPanels[i]);
    const auto after = world.panel(kPanels[i], kBegin, "");
    CHECK(before[i]["data"]["result"] == after["data"]["result"]);
    const auto& resolutions = after["data"]["stats"]["resolutions"];
    CHECK(resolutions.front() == "raw");
    // Windows of whole hours are whole 1h buckets, too; a single time wants the finest.
    const bool whole_hours = kPanels[i].find('[') != std::string::npos;
    CHECK(resolutions.back() == (whole_hours ? "1h" : "5m"));
  }
  // Series exist where buckets of them do.
  const auto cardinality =
      world.get("/api/v1/status/cardinality", "start=" + std::to_string(kBegin / 1000) +
                                                  "&end=" + std::to_string(kBegin / 1000 + 3600));
  CHECK(cardinality["data"]["series"]["value"] == 12);
  // What cannot be told from buckets is missing there, and said.
  const auto deviation = world.panel("stddev_over_time(g[1h])", kBegin, "");
  REQUIRE(deviation.contains("warnings"));
  CHECK(deviation["warnings"][0].get<std::string>().find(
            "stddev_over_time() cannot be told from buckets of 5m") != std::string::npos);
  CHECK_FALSE(deviation["data"]["result"].empty());
}

TEST_CASE("api: max_source_resolution is checked", "[api][levels]") {
  Harness harness;
  harness.api->ready(*harness.db, *harness.manager);
  for (const std::string good : {"raw", "auto", "0", "0s", "5m", "3600", ""}) {
    harness.get("/api/v1/query", "query=up&max_source_resolution=" + good);
  }
  for (const std::string bad : {"fast", "-5m", "-1"}) {
    const auto answer = harness.get("/api/v1/query", "query=up&max_source_resolution=" + bad, 400);
    CHECK(answer["errorType"] == "bad_data");
    CHECK(answer["error"] == "invalid parameter \"max_source_resolution\": \"" + bad +
                                 "\" is none; write raw, auto or the coarsest resolution, as 5m");
  }
}

}  // namespace
}  // namespace varve::test
