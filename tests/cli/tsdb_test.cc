// SPDX-License-Identifier: Apache-2.0
#include "cli/tsdb.h"

#include <nlohmann/json.hpp>

#include "cli/table.h"
#include "command_support.h"
#include "data_directory.h"

namespace varve::cli {
namespace {

constexpr Timestamp kNow = 1'790'000'000'000;

// A data directory with three samples of two series, closed again.
void write_some(const std::string& path) {
  const DataDirectory directory(path, kNow);
  const auto& db = directory.db;
  const Labels a({{kMetricName, "a"}, {"quoted", "x\"y"}});
  const Labels b({{kMetricName, "b"}});
  storage::WriteBatch batch;
  batch.samples = {{kNow, 1e6}, {kNow + 1000, 0.5}, {kNow, normal_nan()}};
  batch.series.resize(2);
  batch.series[0].labels = &a;
  batch.series[0].samples_count = 2;
  batch.series[1].labels = &b;
  batch.series[1].samples_begin = 2;
  batch.series[1].samples_count = 1;
  REQUIRE(db->append(batch).ok());
  REQUIRE(db->close().ok());
}

TEST_CASE("commands: --help says how to call the command it stands behind") {
  const Printed one = run({"tsdb", "plan", "--help"});
  CHECK(one.status == kExitOk);
  CHECK(one.out.find("varve tsdb plan [--json]") != std::string::npos);
  CHECK(one.out.find("tsdb list") == std::string::npos);
  CHECK(one.err.empty());
  const Printed group = run({"tsdb", "--help"});
  CHECK(group.status == kExitOk);
  CHECK(group.out.find("tsdb list") != std::string::npos);
  CHECK(group.out.find("check config") == std::string::npos);
  CHECK(run({"tsdb", "nothing", "--help"}).status == kExitFailure);
}

TEST_CASE("tsdb dump: a line per sample, in promtool's form", "[cli]") {
  const Folder folder;
  write_some(folder.path());
  const Printed all = run({"tsdb", "dump", folder.path()});
  CHECK(all.status == kExitOk);
  CHECK(all.err.empty());
  CHECK(all.out ==
        "{__name__=\"a\", quoted=\"x\\\"y\"} 1e+06 1790000000000\n"
        "{__name__=\"a\", quoted=\"x\\\"y\"} 0.5 1790000001000\n"
        "{__name__=\"b\"} NaN 1790000000000\n");
  const Printed some =
      run({"tsdb", "dump", "--match={__name__=~\"a|c\"}", "--match=a", "--min-time=1790000000001",
           folder.path()});
  CHECK(some.out == "{__name__=\"a\", quoted=\"x\\\"y\"} 0.5 1790000001000\n");
}

TEST_CASE("tsdb: list, analyze and verify say what is there, as text and as JSON", "[cli]") {
  const Folder folder;
  write_some(folder.path());
  const Printed listed = run({"tsdb", "list", "--json", folder.path()});
  REQUIRE(listed.status == kExitOk);
  const auto json = nlohmann::json::parse(listed.out);
  CHECK(json["head"][0]["series"] == 2);
  CHECK(json["head"][0]["min_ms"] == kNow);
  CHECK(json["problems"].empty());
  CHECK(run({"tsdb", "list", "--no-head", folder.path()}).out.find("Head") == std::string::npos);
  CHECK(run({"tsdb", "verify", folder.path()}).status == kExitOk);
  const Printed none = run({"tsdb", "analyze", folder.path()});
  CHECK(none.status == kExitFailure);
  CHECK(none.err.find("no blocks yet") != std::string::npos);
}

TEST_CASE("tsdb list: what is held is shown", "[cli]") {
  const Folder folder;
  {
    const DataDirectory directory(folder.path(), kNow);
    const auto& db = directory.db;
    const std::vector<model::Matchers> selectors{
        {std::move(model::Matcher::create(model::MatchType::kRegex, "job", "a.*")).value()}};
    REQUIRE(db->add_hold({kNow, TimeRange::all().max_ms}, selectors, "incident 42").ok());
    REQUIRE(db->close().ok());
  }
  const auto json = nlohmann::json::parse(run({"tsdb", "list", "--json", folder.path()}).out);
  REQUIRE(json["holds"].size() == 1);
  CHECK(json["holds"][0]["id"] == "1");
  CHECK(json["holds"][0]["min_ms"] == kNow);
  CHECK(json["holds"][0]["max_ms"] == "-");
  CHECK(json["holds"][0]["match"] == "{job=~\"a.*\"}");
  CHECK(json["holds"][0]["comment"] == "incident 42");
}

TEST_CASE("tsdb: what cannot be is refused with a reason", "[cli]") {
  const Folder folder;
  for (const char* command : {"list", "analyze", "verify", "dump", "bench"}) {
    CAPTURE(command);
    const Printed printed = run({"tsdb", command, folder.path()});
    CHECK(printed.status == kExitFailure);
    CHECK(printed.err.find("no data directory") != std::string::npos);
    CHECK(run({"tsdb", command, "--wrong", folder.path()}).status == kExitFailure);
    CHECK(run({"tsdb", command, "a", "b", "c"}).status == kExitFailure);
  }
  write_some(folder.path());
  CHECK(run({"tsdb", "dump", "--min-time=x", folder.path()}).status == kExitFailure);
  CHECK(run({"tsdb", "dump", "--match={", folder.path()}).status == kExitFailure);
}

TEST_CASE("tables: aligned for people, plain for programs", "[cli]") {
  const std::vector<Table> tables = {
      {"Things",
       "things",
       {{"name", "name"}, {"size", "bytes"}, {"when", "at_ms"}, {"n", "n"}, {"ratio", "ratio"}},
       {{std::string("a"), Bytes{1536}, Moment{-1}, std::uint64_t{7}, Fraction{0.25}},
        {std::string("longer"), Bytes{3}, Moment{kNow}, std::uint64_t{12345}, Fraction{2}}}},
      {"Empty", "empty", {{"x", "x"}}, {}}};
  CHECK(to_text(tables) ==
        "Things\n"
        "name        size  when                          n  ratio\n"
        "a       1.50 KiB  1969-12-31T23:59:59.999Z      7  0.250\n"
        "longer       3 B  2026-09-21T14:13:20.000Z  12345  2.000\n");
  const auto json = nlohmann::json::parse(to_json(tables));
  CHECK(json["things"][0]["bytes"] == 1536);
  CHECK(json["things"][1]["at_ms"] == kNow);
  CHECK(json["empty"].empty());
}

}  // namespace
}  // namespace varve::cli
