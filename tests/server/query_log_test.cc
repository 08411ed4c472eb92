// SPDX-License-Identifier: Apache-2.0
#include "server/query_log.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace varve;
using nlohmann::json;

namespace {

json line_of(const promql::FinishedQuery& query) {
  const std::string line = server::query_log_line(query, 1'700'000'000'123);
  REQUIRE(line.ends_with('\n'));
  REQUIRE(line.find('\n') == line.size() - 1);
  return json::parse(line);
}

}  // namespace

TEST_CASE("query log: a line says what was asked, by whom, and what it took", "[server]") {
  QueryStats stats;
  stats.samples_total = 7;
  stats.eval_s = 0.5;
  promql::QueryOrigin origin;
  origin.client_ip = "::1";
  origin.method = "POST";
  origin.path = "/api/v1/query_range";
  promql::FinishedQuery query{"up\n", 1000, 61'000, 15'000, &origin};
  query.stats = &stats;
  query.total_s = 0.75;
  const json line = line_of(query);
  CHECK(line["time"] == "2023-11-14T22:13:20.123Z");
  CHECK(line["msg"] == "promql query logged");
  CHECK(line["params"] == json({{"query", "up\n"},
                                {"start", "1970-01-01T00:00:01.000Z"},
                                {"end", "1970-01-01T00:01:01.000Z"},
                                {"step", 15}}));
  CHECK(line["stats"]["samples"]["totalQueryableSamples"] == 7);
  CHECK(line["stats"]["timings"]["innerEvalTime"] == 0.5);
  CHECK(line["stats"]["timings"]["execTotalTime"] == 0.75);
  CHECK(line["httpRequest"]["clientIP"] == "::1");
  CHECK_FALSE(line.contains("error"));
}

TEST_CASE("query log: rules are named by file and group, errors by their text", "[server]") {
  promql::QueryOrigin origin;
  origin.rule_file = "r.yml";
  origin.rule_group = "g";
  const Error error(ErrorCode::kTimeout, "query timed out");
  promql::FinishedQuery query{"up", 1000, 1000, 0, &origin};
  query.error = &error;
  const json line = line_of(query);
  CHECK(line["ruleGroup"] == json({{"file", "r.yml"}, {"name", "g"}}));
  CHECK(line["error"] == "query timed out");
  CHECK_FALSE(line.contains("httpRequest"));
}
