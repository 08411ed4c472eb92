// SPDX-License-Identifier: Apache-2.0
// Ladders and retentions in the configuration.
#include <catch2/catch.hpp>

#include "config/config.h"

using namespace varve;
using namespace std::chrono_literals;

namespace {

constexpr auto kDay = 24h;

config::StorageConfig good(const std::string& tsdb, const config::RawRetention& raw = {}) {
  auto parsed = config::parse("storage:\n  tsdb:\n" + tsdb, "f.yml", {}, {raw});
  INFO((parsed.ok() ? std::string() : parsed.error().message()));
  REQUIRE(parsed.ok());
  return parsed->storage;
}

std::string bad(const std::string& tsdb, const config::RawRetention& raw = {}) {
  const auto parsed = config::parse("storage:\n  tsdb:\n" + tsdb, "f.yml", {}, {raw});
  return parsed.ok() ? "accepted" : parsed.error().message();
}

std::string levels_of(const config::StorageConfig& storage) {
  std::string out;
  for (const storage::LevelOptions& level : storage.ladder.levels) {
    out += std::to_string(level.resolution / 1s) + "s after " + std::to_string(level.after / 1s) +
           "s for " + std::to_string(level.retention / 1h) + "h" + (level.sketch ? " sketch" : "") +
           "; ";
  }
  return out;
}

}  // namespace

TEST_CASE("config: without a ladder nothing is thinned out", "[config]") {
  const auto parsed = config::parse("", "f.yml");
  REQUIRE(parsed.ok());
  CHECK(parsed->storage.ladder.levels.empty());
  CHECK(parsed->storage.raw_retention == 15 * kDay);
  CHECK(config::describe_history(parsed->storage).empty());
  CHECK(good("    ladder: none\n").ladder.levels.empty());
  CHECK(good("    retention: {time: 3d, size: 1GB}\n").raw_retention == 3 * kDay);
}

TEST_CASE("config: ladders by name", "[config]") {
  const config::StorageConfig first = good("    ladder: 15d-180d-2y\n");
  CHECK(first.raw_retention == 15 * kDay);
  CHECK(levels_of(first) == "60s after 0s for 4320h; 3600s after 0s for 17520h; ");
  const config::StorageConfig second = good("    ladder: 7d-30d-1y\n");
  CHECK(second.raw_retention == 7 * kDay);
  CHECK(levels_of(second) == "60s after 0s for 720h; 3600s after 0s for 8760h; ");
  const config::StorageConfig third = good("    ladder: 15d-90d-2y\n    sketch: true\n");
  CHECK(levels_of(third) == "3600s after 0s for 2160h sketch; 86400s after 0s for 17520h sketch; ");
  CHECK(third.ladder.sketch_relative_error == 0.01);
}

TEST_CASE("config: how long raw samples are kept beside a named ladder", "[config]") {
  // Of the file, the flag, the ladder, the default, in this order.
  CHECK(good("    ladder: 7d-30d-1y\n    retention: {time: 3d}\n").raw_retention == 3 * kDay);
  CHECK(
      good("    ladder: 7d-30d-1y\n    retention: {time: 3d}\n", {5 * kDay, true}).raw_retention ==
      3 * kDay);
  CHECK(good("    ladder: 7d-30d-1y\n", {5 * kDay, true}).raw_retention == 5 * kDay);
  CHECK(good("    ladder: 7d-30d-1y\n", {15 * kDay, false}).raw_retention == 7 * kDay);
  CHECK(bad("    ladder: 7d-30d-1y\n", {60 * kDay, true}) ==
        "f.yml:3:13: the level of 1m is kept for 30d, but raw samples, which are finer, for 60d: "
        "keep "
        "it at least for 60d, or write a shorter retention.time");
}

TEST_CASE("config: levels of one's own", "[config]") {
  const config::StorageConfig storage = good(R"(
    retention: {time: 2d}
    sketch: {relative_error: 0.02}
    levels:
    - {resolution: 1h, retention: 0}
    - {resolution: 5m, after: 1h, retention: 90d, sketch: false}
)");
  CHECK(levels_of(storage) == "300s after 3600s for 2160h; 3600s after 0s for 0h sketch; ");
  CHECK(storage.ladder.sketch_relative_error == 0.02);
  CHECK(config::describe_history(storage) ==
        std::vector<std::string>{
            "samples are kept for 2d", "buckets of 5m are kept for 90d, written 1h after their end",
            "buckets of 1h are kept for ever, with sketches (quantiles within 2 %)"});
}

TEST_CASE("config: a ladder that cannot stand says where and what to do", "[config]") {
  CHECK(bad("    levels:\n    - {resolution: 1m, retention: 30d}\n    - {resolution: 90s, "
            "retention: 60d}\n") ==
        "f.yml:5:20: 1m30s is no multiple of the finer level's 1m: its buckets cannot be made of "
        "whole "
        "ones; write 2m");
  CHECK_THAT(bad("    levels:\n    - {resolution: 5m, retention: 30d}\n    - {resolution: 12m, "
                 "retention: 60d}\n"),
             Catch::EndsWith("write 10m or 15m"));
  CHECK(
      bad("    levels:\n    - {resolution: 5m, retention: 60d}\n    - {resolution: 1h, retention: "
          "30d}\n") ==
      "f.yml:5:35: the level of 1h is kept for 30d, but the level of 5m, which is finer, for 60d: "
      "keep it at least for 60d, or leave it out");
  CHECK_THAT(
      bad("    levels:\n    - {resolution: 5m, retention: 0}\n    - {resolution: 1h, retention: "
          "5y}\n"),
      Catch::Contains("but the level of 5m, which is finer, for ever: keep it at least for ever"));
  CHECK(bad("    retention: {time: 1d}\n    levels:\n    - {resolution: 5m, after: 2d, retention: "
            "60d}\n") ==
        "f.yml:5:31: the level of 5m is written 2d after a bucket of 5m ends, but raw samples are "
        "kept "
        "for 1d: keep them at least for 2d5m");
  CHECK_THAT(
      bad("    retention: {time: 1h}\n    levels:\n    - {resolution: 1d, retention: 60d}\n"),
      Catch::Contains("keep them at least for 1d"));
  CHECK(bad("    levels:\n    - {resolution: 5m}\n") ==
        "f.yml:4:7: the level of 5m needs a retention; 0 is for ever");
  CHECK(bad("    levels:\n    - {retention: 60d}\n") ==
        "f.yml:4:7: a level needs a resolution from 1s to 1d");
  CHECK_THAT(bad("    levels:\n    - {resolution: 2d, retention: 60d}\n"),
             Catch::EndsWith(", not 2d"));
  CHECK_THAT(bad("    levels:\n    - {resolution: 5m, retention: 60d}\n    - {resolution: 5m, "
                 "retention: 60d}\n"),
             Catch::Contains("there is the level of 5m already"));
  CHECK(bad("    levels:\n    - {resolutoin: 5m, retention: 60d}\n") ==
        "f.yml:4:8: field resolutoin not known in level, did you mean resolution?");
  CHECK_THAT(bad("    lader: 7d-30d-1y\n"), Catch::Contains("did you mean ladder?"));
  CHECK(bad("    ladder: 7d-30d-2y\n") ==
        "f.yml:3:13: there is no ladder \"7d-30d-2y\", did you mean 7d-30d-1y?; there are "
        "15d-180d-2y, "
        "7d-30d-1y, 15d-90d-2y and none, and `levels` for one of your own");
  CHECK_THAT(bad("    ladder: 7d-30d-1y\n    levels: []\n"),
             Catch::Contains("leave out one of them"));
  CHECK_THAT(bad("    ladder: 7d-30d-1y\n    sketch: {relative_error: 0}\n"),
             Catch::StartsWith("f.yml:4:30: a relative error of 0 cannot be"));
  CHECK_THAT(bad("    sketch: true\n"), Catch::Contains("sketches are kept in levels"));
}

TEST_CASE("config: retentions of series", "[config]") {
  const config::StorageConfig storage = good(R"(
    ladder: 15d-180d-2y
    retention:
      size: 10GB
      series:
      - match: ['{job="debug"}', 'probe_success{env="dev"}']
        retention: 1d
        levels: []
      - match: '{team="billing"}'
        retention: 400d
      - match: http_requests_total
        levels:
        - {resolution: 1h, retention: 5y}
)");
  const std::vector<storage::RetentionPolicy>& policies = storage.ladder.policies;
  REQUIRE(policies.size() == 4);
  CHECK(policies[0].matchers[0].to_string() == "job=\"debug\"");
  CHECK(policies[0].raw == kDay);
  CHECK(policies[0].levels.empty());
  CHECK(policies[1].matchers.size() == 2);
  CHECK(policies[1].raw == kDay);
  // What is kept longer than a level is kept longer in the level, too; no level is lost.
  REQUIRE(policies[2].levels.size() == 2);
  CHECK(policies[2].levels[0].retention == 400 * kDay);
  CHECK(policies[2].levels[1].retention == 730 * kDay);
  CHECK(policies[3].raw == 15 * kDay);
  REQUIRE(policies[3].levels.size() == 1);
  CHECK(policies[3].levels[0].resolution == 1h);
  CHECK(policies[3].levels[0].retention == 5 * 365 * kDay);
  CHECK(config::describe_history(storage) ==
        std::vector<std::string>{
            "samples are kept for 15d", "buckets of 1m are kept for 180d",
            "buckets of 1h are kept for 2y", "of {job=\"debug\"}: samples for 1d",
            "of probe_success{env=\"dev\"}: samples for 1d",
            "of {team=\"billing\"}: samples for 400d, buckets of 1m for 400d, buckets of 1h for 2y",
            "of http_requests_total: samples for 15d, buckets of 1h for 5y"});
}

TEST_CASE("config: a retention of series that cannot be says where and what to do", "[config]") {
  const auto series = [](const std::string& policy) {
    return bad("    ladder: 15d-180d-2y\n    retention:\n      series:\n      - " + policy + "\n");
  };
  CHECK(series("{retention: 1d}") ==
        "f.yml:6:9: a retention of series needs `match`: a selector as '{job=\"debug\"}', or a "
        "list of "
        "them");
  CHECK_THAT(series("{match: '{job=', retention: 1d}"), Catch::StartsWith("f.yml:6:17: "));
  CHECK_THAT(series("{match: [up, '{job='], retention: 1d}"), Catch::StartsWith("f.yml:6:22: "));
  CHECK_THAT(series("{match: up, retentoin: 1d}"), Catch::Contains("did you mean retention?"));
  CHECK(series("{match: up, levels: [{resolution: 5m, retention: 1y}]}") ==
        "f.yml:6:43: there is no level of 5m; there are 1m, 1h");
  CHECK(series("{match: up, retention: 30d, levels: [{resolution: 1h, retention: 1d}]}") ==
        "f.yml:6:45: the level of 1h is kept for 1d for these series, but what is finer for 30d: "
        "keep "
        "it at least for 30d");
  CHECK_THAT(bad("    retention: {series: [{match: up, levels: [{resolution: 1h}]}]}\n"),
             Catch::Contains("add it to `levels` or name a `ladder` first"));
}

TEST_CASE("config: ladders and retentions of series are shown as they hold", "[config]") {
  const auto shown = [](const std::string& tsdb) {
    const auto parsed = config::parse("storage:\n  tsdb:\n" + tsdb, "f.yml");
    REQUIRE(parsed.ok());
    const std::string yaml = config::to_yaml(*parsed);
    // What is shown reads back as the same.
    const auto again = config::parse(yaml, "f.yml");
    INFO(yaml);
    INFO((again.ok() ? std::string() : again.error().message()));
    REQUIRE(again.ok());
    CHECK(config::to_yaml(*again) == yaml);
    const std::size_t begin = yaml.find("storage:\n");
    return yaml.substr(begin, yaml.find("otlp:") - begin);
  };
  CHECK(shown("    ladder: 7d-30d-1y\n    retention: {size: 1GB}\n") == R"(storage:
  tsdb:
    retention:
      size: 1GiB
    ladder: 7d-30d-1y
)");
  CHECK(shown(R"(
    levels: [{resolution: 5m, after: 1h, retention: 90d}, {resolution: 1h, retention: 2y, sketch: true}]
    retention: {time: 10d, series: [{match: '{job="debug"}', retention: 1d, levels: []}, {match: up}]}
)") == R"(storage:
  tsdb:
    retention:
      time: 10d
      series:
      - match: '{job="debug"}'
        retention: 1d
        levels: []
      - match: up
        retention: 10d
        levels:
        - resolution: 5m
          retention: 90d
        - resolution: 1h
          retention: 2y
    levels:
    - resolution: 5m
      after: 1h
      retention: 90d
      sketch: false
    - resolution: 1h
      after: 0s
      retention: 2y
      sketch: true
    sketch:
      relative_error: 0.01
)");
}
