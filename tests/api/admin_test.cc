// SPDX-License-Identifier: Apache-2.0
// /api/v1/admin/tsdb answers as Prometheus does.
#include "api/api_harness.h"
#include "api/write_body.h"

namespace varve::test {
namespace {

api::Options with_admin() {
  api::Options options;
  options.enable_admin = true;
  return options;
}

std::string samples_of(const std::string& json) {
  return nlohmann::json::parse(json)["data"]["result"].dump();
}

TEST_CASE("admin: without --web.enable-admin-api everything is refused", "[api]") {
  Harness harness;
  harness.api->ready(*harness.db, *harness.manager);
  for (const char* what : {"delete_series", "clean_tombstones", "snapshot", "compact"}) {
    const auto response = harness.ask("POST", std::string("/api/v1/admin/tsdb/") + what);
    CHECK(response.status == 503);
    CHECK(response.body ==
          R"({"status":"error","errorType":"unavailable","error":"admin APIs disabled"})");
  }
}

TEST_CASE("admin: only POST and PUT", "[api]") {
  Harness harness(with_admin());
  harness.api->ready(*harness.db, *harness.manager);
  CHECK(harness.ask("GET", "/api/v1/admin/tsdb/compact").status == 405);
  CHECK(harness.ask("PUT", "/api/v1/admin/tsdb/compact").status == 204);
  CHECK(harness.ask("POST", "/api/v1/admin/tsdb/clean_tombstones").status == 204);
}

TEST_CASE("admin: deleted series are not found any more", "[api]") {
  Harness harness(with_admin());
  harness.api->ready(*harness.db, *harness.manager);
  REQUIRE(harness.write(time_series({{"__name__", "up"}, {"job", "a"}}, {{kNow, 1}})).status ==
          204);
  REQUIRE(harness.write(time_series({{"__name__", "up"}, {"job", "b"}}, {{kNow, 1}})).status ==
          204);
  auto response = harness.ask("POST", "/api/v1/admin/tsdb/delete_series");
  CHECK(response.status == 400);
  CHECK_THAT(response.body, Catch::Contains("no match[] parameter provided"));
  response = harness.ask("POST", "/api/v1/admin/tsdb/delete_series", "match[]=up{");
  CHECK(response.status == 400);
  response =
      harness.ask("POST", "/api/v1/admin/tsdb/delete_series", "match[]=up{job=\"a\"}&start=x");
  CHECK(response.status == 400);
  response = harness.ask("POST", "/api/v1/admin/tsdb/delete_series", "match[]=up{job=\"a\"}");
  CHECK(response.status == 204);
  CHECK(response.body.empty());
  response = harness.ask("GET", "/api/v1/query", "query=up");
  CHECK_THAT(samples_of(response.body), Catch::Contains("\"job\":\"b\""));
  CHECK_THAT(samples_of(response.body), !Catch::Contains("\"job\":\"a\""));
}

TEST_CASE("status: blocks are listed as Prometheus lists them", "[api]") {
  Harness harness(with_admin());
  harness.api->ready(*harness.db, *harness.manager);
  CHECK(harness.get("/api/v1/status/tsdb/blocks", "")["data"]["blocks"].empty());
  constexpr Timestamp kWindowMs = 7'200'000;
  const Timestamp begin = kNow / kWindowMs * kWindowMs - 2 * kWindowMs;
  for (Timestamp t = begin; t <= begin + 2 * kWindowMs; t += 600'000) {
    REQUIRE(harness.write(time_series({{"__name__", "up"}}, {{t, 1}})).status == 204);
  }
  REQUIRE(harness.ask("POST", "/api/v1/admin/tsdb/compact").status == 204);
  const auto blocks = harness.get("/api/v1/status/tsdb/blocks", "")["data"]["blocks"];
  REQUIRE(blocks.size() == 1);
  CHECK(blocks[0]["minTime"] == begin);
  CHECK(blocks[0]["maxTime"] == begin + kWindowMs - 600'000 + 1);
  CHECK(blocks[0]["stats"]["numSamples"] == 12);
  CHECK(blocks[0]["stats"]["numSeries"] == 1);
  CHECK(blocks[0]["compaction"]["level"] == 1);
  CHECK(blocks[0]["varve"]["sizeBytes"] > 0);
  CHECK(blocks[0]["varve"]["windowStart"] == begin);
  CHECK(blocks[0]["varve"]["outOfOrder"] == false);
  CHECK(blocks[0]["varve"]["resolution"] == 0);
  CHECK(blocks[0]["compaction"]["sources"][0] == blocks[0]["ulid"]);
}

TEST_CASE("admin: a snapshot is named and lies in the data directory", "[api]") {
  Harness harness(with_admin());
  harness.api->ready(*harness.db, *harness.manager);
  CHECK(harness.ask("POST", "/api/v1/admin/tsdb/snapshot", "skip_head=perhaps").body ==
        R"({"status":"error","errorType":"bad_data","error":"invalid parameter \"skip_head\": )"
        R"(unable to parse boolean: strconv.ParseBool: parsing \"perhaps\": invalid syntax"})");
  const auto response = harness.ask("POST", "/api/v1/admin/tsdb/snapshot", "skip_head=true");
  REQUIRE(response.status == 200);
  const auto json = nlohmann::json::parse(response.body);
  CHECK(json["status"] == "success");
  const std::string name = json["data"]["name"];
  CHECK_THAT(name, Catch::StartsWith("20231114T221320Z-"));
  CHECK(harness.files.exists("data/snapshots/" + name + "/varve/MANIFEST").value());
}

TEST_CASE("admin: holds are added, listed and released", "[api]") {
  Harness harness(with_admin());
  harness.api->ready(*harness.db, *harness.manager);
  CHECK(harness.get("/api/v1/admin/hold", "")["data"].empty());
  http::Response response = harness.ask("POST", "/api/v1/admin/hold",
                                        "match[]=up{job=\"a\"}&match[]={env=~\"p.*\"}&start="
                                        "1700000000&end=1700003600&comment=incident%2042");
  REQUIRE(response.status == 200);
  const auto added = nlohmann::json::parse(response.body)["data"];
  CHECK(added["id"] == "1");
  CHECK(added["start"] == "2023-11-14T22:13:20.000Z");
  CHECK(added["end"] == "2023-11-14T23:13:20.000Z");
  CHECK(added["match"] ==
        nlohmann::json({R"({job="a", __name__="up"})", R"({env=~"p.*"})"}));
  CHECK(added["comment"] == "incident 42");
  CHECK(added["created"] == "2023-11-14T22:13:20.000Z");
  response = harness.ask("POST", "/api/v1/admin/hold", "match[]=up");
  const auto open = nlohmann::json::parse(response.body)["data"];
  CHECK(open["id"] == "2");
  CHECK_FALSE(open.contains("start"));
  CHECK_FALSE(open.contains("end"));
  CHECK(harness.get("/api/v1/admin/hold", "")["data"] == nlohmann::json({added, open}));
  CHECK(harness.ask("DELETE", "/api/v1/admin/hold/1").status == 204);
  CHECK(harness.get("/api/v1/admin/hold", "")["data"] == nlohmann::json::array({open}));
  CHECK(harness.ask("DELETE", "/api/v1/admin/hold", "id=2").status == 204);
  CHECK(harness.get("/api/v1/admin/hold", "")["data"].empty());
  response = harness.ask("POST", "/api/v1/admin/hold", "match[]=up&start=0&end=1");
  const auto since_1970 = nlohmann::json::parse(response.body)["data"];
  CHECK(since_1970["start"] == "1970-01-01T00:00:00.000Z");
  response = harness.ask("DELETE", "/api/v1/admin/hold/2");
  CHECK(response.status == 404);
  CHECK(response.body ==
        R"({"status":"error","errorType":"not_found","error":"there is no hold 2"})");
}

TEST_CASE("admin: a hold of nothing is refused", "[api]") {
  Harness harness(with_admin());
  harness.api->ready(*harness.db, *harness.manager);
  const auto refusal = [&](const std::string& query) {
    const http::Response response = harness.ask("POST", "/api/v1/admin/hold", query);
    CHECK(response.status == 400);
    return nlohmann::json::parse(response.body)["error"].get<std::string>();
  };
  CHECK(refusal("") == "no match[] parameter provided");
  CHECK_THAT(refusal("match[]=up{"), Catch::Contains("match[]"));
  CHECK_THAT(refusal("match[]=up&start=x"), Catch::Contains("start"));
  CHECK_THAT(refusal("match[]=up&start=2&end=1"), Catch::Contains("must not be before start"));
  CHECK_THAT(refusal("match[]=up&comment=" + std::string(2000, 'x')),
             Catch::Contains("limit is 1000"));
  CHECK(harness.ask("DELETE", "/api/v1/admin/hold").status == 400);
  Harness closed;
  closed.api->ready(*closed.db, *closed.manager);
  CHECK(closed.ask("GET", "/api/v1/admin/hold").status == 503);
  CHECK(closed.ask("POST", "/api/v1/admin/hold", "match[]=up").status == 503);
  CHECK(closed.ask("DELETE", "/api/v1/admin/hold/1").status == 503);
}

}  // namespace
}  // namespace varve::test
