// SPDX-License-Identifier: Apache-2.0
#include "cli/disk_plan.h"

#include <nlohmann/json.hpp>

#include "command_support.h"
#include "data_directory.h"

namespace varve::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kDay = 24h;

PlanInput thousand_series() {
  PlanInput input;
  input.series = 1000;
  input.interval = 15s;
  input.raw_retention = 10 * kDay;
  input.sample = {2, "measured"};
  input.head = {5, "assumed"};
  return input;
}

TEST_CASE("disk plan: samples, levels, merges and the head add up", "[cli]") {
  PlanInput input = thousand_series();
  storage::LevelOptions minute, hour;
  minute.resolution = 1min;
  minute.retention = 30 * kDay;
  hour.resolution = 1h;
  hour.retention = 365 * kDay;
  input.ladder.levels = {minute, hour};
  input.buckets = {{8, "measured"}, {10, "assumed"}};
  const Plan plan = plan_disk(input);
  REQUIRE(plan.rows.size() == 5);
  CHECK(plan.rows[0].count == Approx(1000.0 * 10 * 5760));
  CHECK(plan.rows[0].bytes == Approx(1000.0 * 10 * 5760 * 2));
  CHECK(plan.rows[1].what == "buckets of 1m");
  CHECK(plan.rows[1].bytes == Approx(1000.0 * 30 * 1440 * 8));
  CHECK(plan.rows[2].bytes == Approx(1000.0 * 365 * 24 * 10));
  // The longest block is a day here, and a merge has it twice.
  CHECK(plan.rows[3].bytes == Approx(1000.0 * 2 * 5760 * 2));
  CHECK(plan.rows[4].bytes == Approx(1000.0 * 3 * 240 * 5));
  double sum = 0;
  for (const PlanRow& row : plan.rows) sum += row.bytes;
  CHECK(plan.bytes == Approx(sum));
  CHECK(plan.bytes_per_year == 0);
}

TEST_CASE("disk plan: what is kept for ever counts by the year", "[cli]") {
  PlanInput input = thousand_series();
  input.raw_retention = 0ms;
  const Plan plan = plan_disk(input);
  CHECK(plan.bytes_per_year == Approx(1000.0 * 365 * 5760 * 2));
  CHECK(plan.rows[0].kept == 0ms);
}

TEST_CASE("disk plan: samples that are farther apart than buckets fill no more buckets", "[cli]") {
  PlanInput input = thousand_series();
  input.interval = 5min;
  storage::LevelOptions minute;
  minute.resolution = 1min;
  minute.retention = 30 * kDay;
  input.ladder.levels = {minute};
  input.buckets = {{8, "measured"}};
  CHECK(plan_disk(input).rows[1].count == Approx(1000.0 * 30 * 288));
}

TEST_CASE("tsdb plan: without a directory it says what it assumes", "[cli]") {
  const Printed printed =
      run({"tsdb", "plan", "--json", "--series=1000", "--interval=15s", "--ladder=15d-180d-2y"});
  INFO(printed.err);
  REQUIRE(printed.status == kExitOk);
  const auto json = nlohmann::json::parse(printed.out);
  CHECK(json["given"][0]["series"] == 1000);
  CHECK(json["levels"][0]["kept"] == "15d");
  CHECK(json["levels"][0]["source"] == "assumed");
  CHECK(json["levels"][1]["what"] == "buckets of 1m");
  CHECK(json["levels"][1]["kept"] == "180d");
  CHECK(json["levels"][2]["kept"] == "2y");
  CHECK(json["levels"][0]["bytes"] ==
        static_cast<std::uint64_t>(1000 * 15 * 5760 * kAssumedSampleBytes));
  CHECK(json["total"][0]["bytes"] > json["levels"][0]["bytes"]);
}

TEST_CASE("tsdb plan: the number of series may be written as people write it", "[cli]") {
  const std::pair<const char*, std::uint64_t> cases[] = {
      {"10000", 10'000}, {"1e4", 10'000}, {"10k", 10'000}, {"1M", 1'000'000}, {"2.5M", 2'500'000}};
  for (const auto& [text, count] : cases) {
    CAPTURE(text);
    const Printed printed = run({"tsdb", "plan", "--json", std::string("--series=") + text});
    INFO(printed.err);
    REQUIRE(printed.status == kExitOk);
    CHECK(nlohmann::json::parse(printed.out)["given"][0]["series"] == count);
  }
}

TEST_CASE("tsdb plan: a data directory says what samples and buckets take", "[cli]") {
  constexpr Timestamp kNow = 1'790'000'000'000 / 86'400'000 * 86'400'000;
  const Folder folder;
  {
    storage::Options options;
    options.sync = storage::SyncMode::kOff;
    storage::LevelOptions level;
    level.resolution = 5min;
    level.retention = 90 * kDay;
    options.ladder.levels = {level};
    const DataDirectory directory(folder.path(), kNow, options);
    const auto& db = directory.db;
    const Labels series[] = {Labels({{kMetricName, "a"}}), Labels({{kMetricName, "b"}})};
    for (Timestamp t = kNow - 86'400'000; t < kNow; t += 60'000) {
      storage::WriteBatch batch;
      for (const Labels& labels : series) {
        storage::SeriesEntry& entry = batch.series.emplace_back();
        entry.labels = &labels;
        entry.samples_begin = static_cast<std::uint32_t>(batch.samples.size());
        entry.samples_count = 1;
        batch.samples.push_back({t, static_cast<double>(t % 7919)});
      }
      REQUIRE(db->append(batch).ok());
    }
    REQUIRE(db->compact().ok());
    REQUIRE(db->maintain().ok());
    REQUIRE(db->close().ok());
  }
  const std::string config = folder.write("varve.yml",
                                          "storage: {tsdb: {levels: [{resolution: 5m, retention: "
                                          "90d}, {resolution: 1h, retention: 1y}]}}\n");
  const Printed printed = run({"tsdb", "plan", "--json", "--config=" + config, folder.path()});
  INFO(printed.err);
  REQUIRE(printed.status == kExitOk);
  const auto json = nlohmann::json::parse(printed.out);
  CHECK(json["given"][0]["series"] == 2);
  CHECK(json["given"][0]["interval"] == "1m");
  CHECK_THAT(json["levels"][0]["source"].get<std::string>(), Catch::StartsWith("measured, "));
  CHECK_THAT(json["levels"][1]["source"].get<std::string>(), Catch::StartsWith("measured, "));
  CHECK(json["levels"][2]["source"] == "assumed");
  CHECK(json["levels"][1]["bytes_each"] > 0);
}

TEST_CASE("tsdb plan: what it cannot know is refused with a reason", "[cli]") {
  CHECK(run({"tsdb", "plan"}).err.find("give --series") != std::string::npos);
  for (const char* count :
       {"0", "", "0.2", "-3", "nan", "inf", "1e13", "10 k", "10kk", "k", "many"}) {
    CAPTURE(count);
    const Printed printed = run({"tsdb", "plan", std::string("--series=") + count});
    CHECK(printed.status == kExitFailure);
    CHECK(printed.err.find("is no number of series") != std::string::npos);
  }
  CHECK(run({"tsdb", "plan", "--series=10", "--interval=0s"}).status == kExitFailure);
  const Printed ladder = run({"tsdb", "plan", "--series=10", "--ladder=15d"});
  CHECK(ladder.status == kExitFailure);
  CHECK(ladder.err.find("there is no ladder \"15d\"") != std::string::npos);
  CHECK(run({"tsdb", "plan", "--series=10", "--ladder=7d-30d-1y", "--retention=60d"}).err.find(
            "keep it at least for 60d") != std::string::npos);
}

}  // namespace
}  // namespace varve::cli
