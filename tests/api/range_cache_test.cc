// SPDX-License-Identifier: Apache-2.0
// When query_range uses the result cache, and when it must not.
#include <catch2/catch.hpp>

#include "api/api_harness.h"
#include "api/write_body.h"

using namespace varve;
using test::Harness;
using test::kNow;
using test::time_series;

namespace {

struct Panel : Harness {
  Panel() {
    api->ready(*db, *manager);
    std::vector<Sample> samples;
    for (Timestamp t = kNow - 3'600'000; t <= kNow; t += 15'000) samples.push_back({t, 1.0});
    REQUIRE(write(time_series({{"__name__", "up"}}, samples)).status == 204);
  }
  void load(const std::string& more = {}) {
    get("/api/v1/query_range", "query=up&start=1699997000&end=1700000000&step=15" + more);
  }
  double counted(std::string_view name) const {
    const std::string text = metrics.render();
    const std::size_t at = text.find("\n" + std::string(name) + " ");
    return at == std::string::npos ? 0 : std::stod(text.substr(at + name.size() + 2));
  }
};

constexpr std::string_view kReused = "varve_query_cache_steps_reused_total";
constexpr std::string_view kComputed = "varve_query_cache_steps_computed_total";

}  // namespace

TEST_CASE("api: a range asked for again is answered from the cache", "[api]") {
  Panel panel;
  panel.load();
  CHECK(panel.counted(kComputed) == 201);
  CHECK(panel.counted(kReused) == 0);
  panel.load();
  CHECK(panel.counted(kReused) == 192);  // all but the two minutes that are not settled
}

TEST_CASE("api: nocache, no-store and stats have a range computed", "[api]") {
  Panel panel;
  panel.load("&nocache=1");
  panel.load("&stats=all");
  panel.more_headers = {{"Cache-Control", "max-age=0, No-Store"}};
  panel.load();
  CHECK(panel.counted(kComputed) == 0);
  CHECK(panel.range_cache.piece_count() == 0);
}

TEST_CASE("api: a sample that comes late shows in a cached range", "[api]") {
  Panel panel;
  panel.load();
  panel.load();
  // A series that began behind the others.
  REQUIRE(panel.write(time_series({{"__name__", "up"}, {"late", "1"}}, {{kNow - 1'500'000, 5}}))
              .status == 204);
  const auto answer =
      panel.get("/api/v1/query_range", "query=up&start=1699997000&end=1700000000&step=15");
  CHECK(answer["data"]["result"].size() == 2);
}

TEST_CASE("api: times shorter than a millisecond and timeouts that are over", "[api]") {
  Panel panel;
  const auto refused = [&panel](const std::string& path, const std::string& query, int status) {
    return panel.get(path, query, status)["errorType"].get<std::string>();
  };
  const std::string range = "/api/v1/query_range";
  CHECK(refused(range, "query=up&start=1700000000&end=1700000000.1&step=0.0001", 422) ==
        "execution");
  CHECK(refused(range, "query=up&start=1700000000&end=1700000100&step=0.0001", 400) == "bad_data");
  CHECK(refused("/api/v1/query", "query=count_over_time(up%5B5m:1e-9%5D)", 422) == "execution");
  CHECK(refused("/api/v1/query", "query=up&timeout=-1", 503) == "timeout");
  CHECK(refused("/api/v1/query", "query=up%7B&timeout=-1", 400) == "bad_data");
}
