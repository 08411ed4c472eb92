// SPDX-License-Identifier: Apache-2.0
// The endpoints over a real storage in memory: what a client of Prometheus sees.
#include "api/api.h"

#include <catch2/catch.hpp>
#include <fmt/format.h>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>

#include "api/api_harness.h"
#include "api/fake_exchange.h"
#include "api/write_body.h"
#include "wire/compression.h"

using namespace varve;
using nlohmann::json;
using test::Harness;
using test::kNow;
using test::time_series;

TEST_CASE("api: before recovery is done only what needs no storage answers", "[api]") {
  Harness harness;
  CHECK(harness.ask("GET", "/-/healthy").status == 200);
  CHECK(harness.ask("GET", "/-/ready").status == 503);
  const http::Response query = harness.ask("GET", "/api/v1/query", "query=1");
  CHECK(query.status == 503);
  CHECK(json::parse(query.body)["errorType"] == "unavailable");
  CHECK(harness.write(time_series({{"__name__", "a"}}, {{kNow, 1}})).status == 503);
  harness.api->ready(*harness.db, *harness.manager);
  CHECK(harness.ask("GET", "/-/ready").status == 200);
  CHECK(harness.write(time_series({{"__name__", "a"}}, {{kNow, 1}})).status == 204);
}

TEST_CASE("api: what was written is there, under every endpoint that lists it", "[api]") {
  Harness harness;
  harness.api->ready(*harness.db, *harness.manager);
  std::string request;
  for (const std::string job : {"x", "y"}) {
    request += time_series({{"__name__", "up"}, {"job", job}},
                           {{kNow - 30'000, 1}, {kNow - 15'000, 2}, {kNow, 3}});
  }
  REQUIRE(harness.write(request).status == 204);
  const json vector = harness.get("/api/v1/query", "query=sum(up)");
  CHECK(vector["data"]["result"][0]["value"] == json::array({1'700'000'000, "6"}));
  const json matrix = harness.get(
      "/api/v1/query_range", "query=up%7Bjob=%22x%22%7D&start=1699999970&end=1700000000&step=15");
  CHECK(matrix["data"]["result"][0]["values"] ==
        json::parse(R"([[1699999970,"1"],[1699999985,"2"],[1700000000,"3"]])"));
  CHECK(harness.get("/api/v1/series", "match[]=up")["data"].size() == 2);
  CHECK(harness.get("/api/v1/series", "match[]=up&limit=1")["warnings"].size() == 1);
  CHECK(harness.get("/api/v1/labels", "")["data"] == json::array({"__name__", "job"}));
  CHECK(harness.get("/api/v1/label/job/values", "")["data"] == json::array({"x", "y"}));
  CHECK(harness.get("/api/v1/label/job/values", "match[]=up%7Bjob=%22y%22%7D")["data"] ==
        json::array({"y"}));
  CHECK(harness.get("/api/v1/status/tsdb", "")["data"]["headStats"]["numSeries"] == 2);
  const http::Response form =
      harness.ask("POST", "/api/v1/query", "", "query=count(up)&time=1700000000",
                  "application/x-www-form-urlencoded");
  CHECK(json::parse(form.body)["data"]["result"][0]["value"][1] == "2");
}

TEST_CASE("api: bad parameters get Prometheus's status and type", "[api]") {
  Harness harness;
  harness.api->ready(*harness.db, *harness.manager);
  struct Case {
    std::string path, query, type, text;
    int status;
  };
  const std::vector<Case> cases{
      {"/api/v1/query", "query=sum(", "bad_data", "invalid parameter \"query\": ", 400},
      {"/api/v1/query", "query=up&time=x", "bad_data", "invalid parameter \"time\": cannot parse",
       400},
      {"/api/v1/query", "query=up&timeout=x", "bad_data", "invalid parameter \"timeout\"", 400},
      {"/api/v1/query_range", "query=up&start=0&end=1", "bad_data", "invalid parameter \"step\"",
       400},
      {"/api/v1/query_range", "query=up&start=0&end=1&step=0", "bad_data",
       "zero or negative query resolution", 400},
      {"/api/v1/query_range", "query=up&start=2&end=1&step=1", "bad_data",
       "end timestamp must not be before start time", 400},
      {"/api/v1/query_range", "query=up&start=0&end=100000&step=1", "bad_data",
       "exceeded maximum resolution of 11,000 points", 400},
      {"/api/v1/series", "", "bad_data", "no match[] parameter provided", 400},
      {"/api/v1/series", "match[]=%7B%7D", "bad_data",
       "must contain at least one non-empty matcher", 400},
      {"/api/v1/labels", "start=x", "bad_data", "invalid parameter \"start\"", 400},
      {"/api/v1/labels", "limit=-1", "bad_data", "limit", 400}};
  for (const Case& each : cases) {
    CAPTURE(each.path, each.query);
    const json answer = harness.get(each.path, each.query, each.status);
    CHECK(answer["status"] == "error");
    CHECK(answer["errorType"] == each.type);
    CHECK_THAT(answer["error"].get<std::string>(), Catch::Contains(each.text));
  }
}

TEST_CASE("api: times far out are taken as Prometheus takes them", "[api]") {
  Harness harness;
  harness.api->ready(*harness.db, *harness.manager);
  const auto time_of = [&harness](const std::string& text) {
    return harness.get("/api/v1/query", "query=time()&time=" + text)["data"]["result"][1]
        .get<std::string>();
  };
  CHECK(time_of("1_0") == "10");
  CHECK(time_of("1.2345") == "1.234");  // as doubles: 1.2345 - 1 is less than 0.2345
  CHECK(time_of("2023-11-14T23:13:20.5Z") == "1700003600.5");
  // 64 bits of nanoseconds wrap.
  CHECK(time_of("99999999999") == "7766279630.452");
  CHECK(time_of("-62135596800") == "-6795364578.871");
  CHECK(time_of("253402300799") == "-4852116232.933");
  CHECK(time_of("-9e15") == "412866226.847");
  CHECK(time_of("NaN") == "-9223372036.854");
  CHECK(time_of("-292273086-05-16T16:47:06Z") == "6795364580.679");
  CHECK(time_of("292277025-08-18T07:12:54.999999999Z") == "-6795364579.679");
  for (const std::string bad : {"_1", "1_", "1__0", "1e400", "now"}) {
    harness.get("/api/v1/query", "query=time()&time=" + bad, 400);
  }
  const std::string range = "/api/v1/query_range";
  CHECK(harness.get(range, "query=time()&start=0&end=253402300799&step=1e9")["data"]["result"]
            .empty());
  harness.get(range, "query=time()&start=0&end=1&step=1e15", 400);
  harness.get(range, "query=time()&start=0&end=NaN&step=60", 400);
}

TEST_CASE(
    "api: series and labels of a range without samples, and of one that ends before it starts",
    "[api]") {
  Harness harness;
  harness.api->ready(*harness.db, *harness.manager);
  REQUIRE(
      harness.write(time_series({{"__name__", "up"}}, {{kNow - 60'000, 1}, {kNow, 2}})).status ==
      204);
  const auto series = [&harness](const std::string& range) {
    return harness.get("/api/v1/series", "match[]=up&" + range)["data"].size();
  };
  CHECK(series("start=1699999900&end=1699999939") == 0);
  CHECK(series("start=1699999900&end=1699999940") == 1);
  CHECK(series("start=1699999950&end=1699999990") == 0);
  CHECK(series("start=1700000000&end=1699999900") == 0);
  CHECK(harness.get("/api/v1/labels", "start=1700000000&end=1699999900")["data"].empty());
}

TEST_CASE("api: what many selectors find is held once, and their search ends with the client",
          "[api]") {
  promql::EngineOptions engine;
  engine.memory_max_bytes = 2 << 20;
  Harness harness({}, {}, engine);
  harness.api->ready(*harness.db, *harness.manager);
  std::string request;
  for (int i = 0; i < 200; ++i) {
    request += time_series({{"__name__", "up"}, {"instance", std::to_string(i)}}, {{kNow, 1}});
  }
  REQUIRE(harness.write(request).status == 204);
  std::string selectors;
  for (int i = 0; i < 1000; ++i) selectors += fmt::format("&match[]=up%7Bjob!=%22{}%22%7D", i);
  const std::string form = "application/x-www-form-urlencoded";
  for (const std::string path : {"/api/v1/series", "/api/v1/labels"}) {
    const http::Response found = harness.ask("POST", path, "", selectors.substr(1), form);
    CAPTURE(path, found.body.substr(0, 200));
    CHECK(found.status == 200);
    CHECK(json::parse(found.body)["data"].size() == (path == "/api/v1/series" ? 200 : 2));

    const auto leaving =
        std::make_shared<test::FakeExchange>("POST", path, "", selectors.substr(1));
    leaving->mutable_request().headers.emplace_back("Content-Type", form);
    leaving->hang_up_after(100);
    harness.api->handle(leaving);
    CHECK(json::parse(leaving->response().body)["errorType"] == "canceled");
  }
  CHECK(harness.memory_given_back());
  // The bound is one of what is found, too.
  request.clear();
  for (int i = 0; i < 200; ++i) {
    request += time_series({{"__name__", "up"}, {"instance", std::to_string(i)},
                            {"long", std::string(10'000, 'x')}},
                           {{kNow, 1}});
  }
  REQUIRE(harness.write(request).status == 204);
  const http::Response much = harness.ask("GET", "/api/v1/series", "match[]=up");
  CHECK(much.status == 422);
  CHECK(much.body.find("--query.memory-max") != std::string::npos);
}

TEST_CASE("api: parse_query shows the tree", "[api]") {
  Harness harness;
  const auto tree = [&harness](const std::string& query) {
    return harness.get("/api/v1/parse_query", "query=" + query)["data"];
  };
  CHECK(tree("x%20offset%20-5m%20@%201.5") ==
        json::parse(R"({"matchers":[{"name":"__name__","type":"=","value":"x"}],"name":"x",
                        "offset":-300000,"startOrEnd":null,"timestamp":1500,
                        "type":"vectorSelector"})"));
  const json binary = tree("a%20*%20on(i)%20group_left(j)%20rate(b[5m:30s]@end())");
  CHECK(binary["matching"] == json::parse(R"({"card":"many-to-one","include":["j"],
                                              "labels":["i"],"on":true})"));
  CHECK(binary["rhs"]["func"] == json::parse(R"({"argTypes":["matrix"],"name":"rate",
                                                 "returnType":"vector","variadic":0})"));
  CHECK(binary["rhs"]["args"][0]["step"] == 30'000);
  CHECK(binary["rhs"]["args"][0]["startOrEnd"] == "end");
  CHECK(tree("sum%20without%20(a)%20(-(1e30%20%3E%20bool%20x))")["expr"]["expr"]["expr"]["lhs"] ==
        json::parse(R"({"type":"numberLiteral","val":"1000000000000000000000000000000"})"));
  CHECK(harness.get("/api/v1/parse_query", "query=x%7B", 400)["errorType"] == "bad_data");
}

TEST_CASE("api: a write with bad neighbours keeps the good ones and says what was wrong", "[api]") {
  Harness harness;
  harness.api->ready(*harness.db, *harness.manager);
  REQUIRE(harness.write(time_series({{"__name__", "a"}}, {{kNow, 1}})).status == 204);
  const http::Response response =
      harness.write(time_series({{"__name__", "a"}}, {{kNow - 1000, 5}}) +
                    time_series({{"__name__", "b"}}, {{kNow, 2}}));
  CHECK(response.status == 400);
  CHECK_THAT(response.body, Catch::Contains("out of order"));
  CHECK(harness.get("/api/v1/query", "query=b")["data"]["result"].size() == 1);
  CHECK(harness.ask("POST", "/api/v1/write", "", "garbage", "application/x-protobuf", "snappy")
            .status == 400);
  CHECK(harness.ask("POST", "/api/v1/write", "", "x", "application/x-protobuf", "zstd").status ==
        400);
  CHECK(harness.ask("POST", "/api/v1/write", "", "x", "application/x-protobuf", "gzip").status ==
        415);
  CHECK(harness.ask("POST", "/api/v1/write", "", "x", "text/plain", "snappy").status == 415);
  CHECK(harness.ask("GET", "/api/v1/write").status == 405);
}

TEST_CASE("api: lifecycle is off unless asked for, reload reports its error", "[api]") {
  Harness harness;
  CHECK(harness.ask("POST", "/-/reload").status == 403);
  CHECK(harness.ask("POST", "/-/quit").status == 403);
  api::Options options;
  options.enable_lifecycle = true;
  Harness open(options);
  CHECK(open.ask("POST", "/-/reload").status == 200);
  CHECK(open.ask("GET", "/-/reload").status == 405);
  open.reload_result = Error(ErrorCode::kInvalidArgument, "varve.yml:3:1: bad");
  const http::Response failed = open.ask("POST", "/-/reload");
  CHECK(failed.status == 500);
  CHECK_THAT(failed.body, Catch::Contains("varve.yml:3:1: bad"));
  CHECK(open.ask("PUT", "/-/quit").status == 200);
  CHECK(open.quits == 1);
}

TEST_CASE("api: cross-origin headers, unknown paths, prefixes", "[api]") {
  Harness harness;
  const http::Response response = harness.ask("OPTIONS", "/api/v1/query");
  CHECK(response.status == 204);
  const auto allowed =
      std::find_if(response.headers.begin(), response.headers.end(),
                   [](const auto& h) { return h.first == "Access-Control-Allow-Origin"; });
  REQUIRE(allowed != response.headers.end());
  CHECK(allowed->second == "*");
  CHECK(harness.ask("GET", "/nowhere").status == 404);
  api::Options options;
  options.route_prefix = "/metrics-db";
  options.cors_origin = "https?://allowed";
  Harness prefixed(options);
  CHECK(prefixed.ask("GET", "/-/healthy").status == 404);
  CHECK(prefixed.ask("GET", "/").status == 302);
  const http::Response healthy = prefixed.ask("GET", "/metrics-db/-/healthy");
  CHECK(healthy.status == 200);
  CHECK(std::none_of(healthy.headers.begin(), healthy.headers.end(),
                     [](const auto& h) { return h.first == "Access-Control-Allow-Origin"; }));
}

TEST_CASE("api: stats=all has the samples of each step where the feature is on", "[api]") {
  const bool on = GENERATE(true, false);
  promql::EngineOptions engine;
  engine.features.per_step_stats = on;
  Harness harness({}, {}, engine);
  harness.api->ready(*harness.db, *harness.manager);
  std::string request;
  for (const std::string job : {"x", "y"}) {
    request += time_series({{"__name__", "up"}, {"job", job}},
                           {{kNow - 30'000, 1}, {kNow - 15'000, 1}, {kNow, 1}});
  }
  REQUIRE(harness.write(request).status == 204);
  const auto samples = [&](const std::string& path, const std::string& query) {
    const http::Response response = harness.ask("GET", path, query);
    CAPTURE(response.body);
    REQUIRE(response.status == 200);
    return json::parse(response.body)["data"]["stats"]["samples"];
  };
  const std::string range =
      "query=count_over_time(up[20s])&start=1699999954.5&end=1700000000&step=15&stats=";
  const json all = samples("/api/v1/query_range", range + "all");
  CHECK(all["totalQueryableSamples"] == 4);
  CHECK(all.contains("totalQueryableSamplesPerStep") == on);
  if (on) {
    CHECK(all["totalQueryableSamplesPerStep"] ==
          json::parse("[[1699999954.5,0],[1699999969.5,0],[1699999984.5,2],[1699999999.5,2]]"));
    CHECK(samples("/api/v1/query",
                  "query=up&time=1700000000&stats=all")["totalQueryableSamplesPerStep"] ==
          json::parse("[[1700000000,2]]"));
  }
  CHECK_FALSE(samples("/api/v1/query_range", range + "1").contains("totalQueryableSamplesPerStep"));
}

TEST_CASE("api: identical queries under way are evaluated once, each with its own limit", "[api]") {
  Harness harness;
  harness.api->ready(*harness.db, *harness.manager);
  std::string request;
  for (const std::string job : {"x", "y"}) {
    request += time_series({{"__name__", "up"}, {"job", job}}, {{kNow, 1}});
  }
  REQUIRE(harness.write(request).status == 204);
  std::promise<void> released;
  const std::shared_future<void> release = released.get_future().share();
  for (std::size_t i = 0; i < harness.pool.size(); ++i) {
    REQUIRE(harness.pool.try_post([release] { release.wait(); }));
  }
  std::vector<std::shared_ptr<test::FakeExchange>> callers;
  const auto ask = [&](const std::string& extra) {
    callers.push_back(std::make_shared<test::FakeExchange>(
        "GET", "/api/v1/query_range", "query=up&start=1700000000&end=1700000000&step=15" + extra));
    harness.api->handle(callers.back());
    harness.clock.advance(std::chrono::milliseconds(1));
  };
  // Statistics are of an evaluation of their own, as nocache's answer is.
  for (const std::string extra : {"", "", "&limit=1", "&stats=all", "&nocache=1"}) ask(extra);
  callers.front()->hang_up();
  CHECK_THAT(harness.metrics.render(), Catch::Contains("prometheus_engine_queries 3\n"));
  released.set_value();
  for (std::size_t i = 1; i < callers.size(); ++i) {
    const json answer = json::parse(callers[i]->response().body);
    CAPTURE(i, answer.dump());
    CHECK(answer["status"] == "success");
    CHECK(answer["data"]["result"].size() == (i == 2 ? 1 : 2));
    CHECK(answer.contains("warnings") == (i == 2));
    CHECK(answer["data"].contains("stats") == (i == 3));
  }
  CHECK_THAT(harness.metrics.render(), Catch::Contains("varve_queries_shared_total 2\n"));
  CHECK(harness.memory_given_back());
}
