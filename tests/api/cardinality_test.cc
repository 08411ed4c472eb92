// SPDX-License-Identifier: Apache-2.0
// Counting what series consist of, over any time range, and what grew.
#include "api/cardinality_count.h"

#include <map>
#include <set>

#include "api/api_harness.h"
#include "api/write_body.h"

namespace varve::test {
namespace {

using nlohmann::json;

constexpr Timestamp kDay = 86'400'000;
constexpr const char* kPath = "/api/v1/status/cardinality";

std::string seconds(Timestamp ms) { return std::to_string(ms / 1000); }

// up of three instances throughout, twenty pods of one metric only in the second range.
struct Grown : Harness {
  Grown() {
    api->ready(*db, *manager);
    std::string request;
    for (const std::string instance : {"a", "b", "c"}) {
      request += time_series({{"__name__", "up"}, {"instance", instance}},
                             {{kNow - 60 * 60'000, 1}, {kNow - 1000, 1}});
    }
    request += time_series({{"__name__", "old"}, {"instance", "a"}}, {{kNow - 60 * 60'000, 1}});
    for (int pod = 0; pod < 20; ++pod) {
      request += time_series({{"__name__", "requests"}, {"pod", std::to_string(pod)}}, {{kNow, 1}});
    }
    REQUIRE(write(request).status == 204);
  }
  std::string now() const { return "start=" + seconds(kNow - 600'000) + "&end=" + seconds(kNow); }
  std::string before() const {
    return "&compare_start=" + seconds(kNow - 70 * 60'000) +
           "&compare_end=" + seconds(kNow - 50 * 60'000);
  }
};

TEST_CASE("cardinality: only series with a sample in the range count", "[api]") {
  Grown grown;
  const json now = grown.get(kPath, grown.now())["data"];
  CHECK(now["series"] == json{{"value", 23}});
  CHECK(now["seriesCountByMetricName"] ==
        json::parse(R"([{"name":"requests","value":20},{"name":"up","value":3}])"));
  CHECK(now["labelValueCountByLabelName"] ==
        json::parse(R"([{"name":"pod","value":20},{"name":"instance","value":3},
                        {"name":"__name__","value":2}])"));
  CHECK(now["seriesCountByLabelValuePair"].size() == 20);  // the limit, of 23
  const json all = grown.get(kPath, "")["data"];
  CHECK(all["series"]["value"] == 24);
}

TEST_CASE("cardinality: a comparison says what is new, what is gone, and sorts by growth",
          "[api]") {
  Grown grown;
  const json both = grown.get(kPath, grown.now() + grown.before() + "&sort=growth&limit=2")["data"];
  CHECK(both["series"] == json::parse(R"({"value":23,"before":4,"new":20,"gone":1})"));
  CHECK(both["compared"]["end"] == kNow / 1000 - 3000);
  CHECK(both["seriesCountByMetricName"] ==
        json::parse(R"([{"name":"requests","value":20,"before":0,"new":20},
                        {"name":"old","value":0,"before":1,"new":0}])"));
  CHECK(both["labelValueCountByLabelName"][0] ==
        json::parse(R"({"name":"pod","value":20,"before":0})"));
  // instance="a" lost one of two, a pod has one more each: equal growth, then by count.
  for (const json& pair : both["seriesCountByLabelValuePair"]) {
    CHECK(pair["name"] ==
          pair["label"].get<std::string>() + "=" + pair["labelValue"].get<std::string>());
  }
}

TEST_CASE("cardinality: match[] narrows", "[api]") {
  Grown grown;
  const json one = grown.get(kPath, grown.now() + "&match[]=up%7Binstance=~%22a|b%22%7D")["data"];
  CHECK(one["series"]["value"] == 2);
  CHECK(one["seriesCountByLabelValuePair"] ==
        json::parse(R"([{"name":"instance=a","label":"instance","labelValue":"a","value":1},
                        {"name":"instance=b","label":"instance","labelValue":"b","value":1}])"));
  const json none = grown.get(kPath, grown.now() + "&match[]=nothing")["data"];
  CHECK(none["series"]["value"] == 0);
  CHECK(none["seriesCountByMetricName"].empty());
}

TEST_CASE("cardinality: bad parameters are named", "[api]") {
  Harness harness;
  harness.api->ready(*harness.db, *harness.manager);
  const auto [query, text] = GENERATE(table<std::string, std::string>({
      {"start=x", "\"start\""},
      {"start=20&end=10", "it is before start"},
      {"compare_start=1", "go together"},
      {"compare_start=2&compare_end=1", "it is before compare_start"},
      {"match[]=up&match[]=down", "only one selector"},
      {"match[]=up{", "\"match[]\""},
      {"limit=10001", "it is above 10000"},
      {"sort=size", "neither count nor growth"},
  }));
  CAPTURE(query);
  const json answer = harness.get(kPath, query, 400);
  CHECK(answer["errorType"] == "bad_data");
  CHECK_THAT(answer["error"].get<std::string>(), Catch::Contains(text));
}

TEST_CASE("cardinality: counts at the earliest time there is", "[api]") {
  Grown grown;
  const json none = grown.get(kPath, "end=-9223372036854775.808")["data"];
  CHECK(none["series"]["value"] == 0);
}

TEST_CASE("cardinality: what it holds counts as a query's", "[api]") {
  promql::EngineOptions tight;
  tight.memory_max_bytes = 1000;
  Harness harness({}, {}, tight);
  harness.api->ready(*harness.db, *harness.manager);
  std::string request;
  for (int pod = 0; pod < 20; ++pod) {
    request += time_series({{"__name__", "requests"}, {"pod", std::to_string(pod)}}, {{kNow, 1}});
  }
  REQUIRE(harness.write(request).status == 204);
  const json refused = harness.get(kPath, "", 422);
  CHECK_THAT(refused["error"].get<std::string>(), Catch::Contains("--query.memory-max=1000B"));
  CHECK(harness.get(kPath, "match[]=requests%7Bpod=%227%22%7D")["data"]["series"]["value"] == 1);
  CHECK(harness.memory_given_back());
  harness.memory.charge(900);  // by others
  CHECK(harness.get(kPath, "match[]=requests%7Bpod=%227%22%7D", 503)["errorType"] == "unavailable");
  CHECK(harness.memory.bytes() == 900);
}

TEST_CASE("cardinality: an interruption ends the counting with its error", "[api]") {
  Grown grown;
  api::CardinalityQuery query;
  query.matchers.push_back(*model::Matcher::create(model::MatchType::kNotEqual, "__name__", ""));
  query.range = {kNow - kDay, kNow};
  query.interrupt = [] { return Status(Error(ErrorCode::kCanceled, "gone")); };
  const auto counted = api::count_cardinality(*grown.db, query);
  REQUIRE_FALSE(counted.ok());
  CHECK(counted.error().code() == ErrorCode::kCanceled);
}

TEST_CASE("cardinality: of a block only what has samples in the range counts", "[api]") {
  api::Options options;
  options.enable_admin = true;
  Harness harness(options);
  harness.api->ready(*harness.db, *harness.manager);
  constexpr Timestamp kWindowMs = 7'200'000;
  constexpr Timestamp kHourMs = kWindowMs / 2;
  const Timestamp begin = kNow / kWindowMs * kWindowMs - 2 * kWindowMs;
  const auto write_hour = [&](const std::string& pod, Timestamp from) {
    std::vector<Sample> samples;
    for (Timestamp t = from; t < from + kHourMs; t += 60'000) samples.push_back({t, 1});
    REQUIRE(harness.write(time_series({{"__name__", "work"}, {"pod", pod}}, samples)).status ==
            204);
  };
  write_hour("early", begin);
  write_hour("late", begin + kHourMs);
  REQUIRE(harness.write(time_series({{"__name__", "work"}, {"pod", "head"}}, {{kNow, 1}})).status ==
          204);
  REQUIRE(harness.ask("POST", "/api/v1/admin/tsdb/compact").status == 204);
  const json blocks = harness.get("/api/v1/status/tsdb/blocks", "")["data"]["blocks"];
  REQUIRE(blocks.size() == 1);
  REQUIRE(blocks[0]["stats"]["numSeries"] == 2);
  const auto pods = [&](Timestamp from, Timestamp to) {
    const json data =
        harness.get(kPath, "start=" + seconds(from) + "&end=" + seconds(to - 1000))["data"];
    std::set<std::string> found;
    for (const json& pair : data["seriesCountByLabelValuePair"]) found.insert(pair["labelValue"]);
    return found;
  };
  CHECK(pods(begin, begin + kHourMs) == std::set<std::string>{"early"});
  CHECK(pods(begin + kHourMs, begin + kWindowMs) == std::set<std::string>{"late"});
  CHECK(pods(begin, kNow + 3 * kWindowMs) == std::set<std::string>{"early", "head", "late"});
}

// What the counts must be, from the series one by one.
TEST_CASE("cardinality: agrees with counting label sets one by one", "[api]") {
  Harness harness;
  harness.api->ready(*harness.db, *harness.manager);
  std::map<std::string, std::uint64_t> metrics, pairs;
  std::map<std::string, std::set<std::string>> values;
  std::string request;
  std::uint64_t random = 42;
  std::set<std::vector<std::pair<std::string, std::string>>> seen;
  for (int i = 0; i < 500; ++i) {
    const auto next = [&random](std::uint64_t below) {
      random = random * 6364136223846793005ULL + 1442695040888963407ULL;
      return (random >> 33) % below;
    };
    std::vector<std::pair<std::string, std::string>> labels;
    labels.emplace_back("__name__", "m" + std::to_string(next(7)));
    for (const char* name : {"a", "b", "c"}) {
      const std::uint64_t value = next(12);
      if (value > 2) labels.emplace_back(name, "v" + std::to_string(value));
    }
    if (!seen.insert(labels).second) continue;
    request += time_series(labels, {{kNow, 1}});
    for (const auto& [name, value] : labels) {
      values[name].insert(value);
      if (name == "__name__") {
        ++metrics[value];
      } else {
        ++pairs[name + "=" + value];
      }
    }
  }
  REQUIRE(harness.write(request).status == 204);
  const json counted = harness.get(kPath, "limit=10000")["data"];
  CHECK(counted["series"]["value"] == seen.size());
  const auto as_map = [](const json& entries) {
    std::map<std::string, std::uint64_t> map;
    for (const json& entry : entries) map[entry["name"]] = entry["value"];
    return map;
  };
  CHECK(as_map(counted["seriesCountByMetricName"]) == metrics);
  CHECK(as_map(counted["seriesCountByLabelValuePair"]) == pairs);
  for (const auto& [name, count] : as_map(counted["labelValueCountByLabelName"])) {
    CHECK(count == values[name].size());
  }
}

}  // namespace
}  // namespace varve::test
