// SPDX-License-Identifier: Apache-2.0
#include "server/flags.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace varve;

TEST_CASE("flags: Prometheus's spellings are taken, both with = and with a blank", "[server]") {
  const auto flags = server::parse_flags(
      {"--config.file=a.yml", "--storage.tsdb.path", "d", "--web.enable-lifecycle",
       "--no-web.enable-remote-write-receiver", "--web.listen-address=:1",
       "--web.listen-address=:2", "--storage.tsdb.retention.time=100y",
       "--storage.tsdb.retention.size=512MB", "--query.max-samples=7", "--query.memory-max=2GB",
       "--query.cache-max=0", "--log.level=warn",
       "--enable-feature=promql-experimental-functions,exemplar-storage"});
  REQUIRE(flags.ok());
  CHECK(flags->config_file == "a.yml");
  CHECK(flags->storage_path == "d");
  CHECK(flags->enable_lifecycle);
  CHECK_FALSE(flags->enable_remote_write);
  CHECK(flags->listen_addresses == std::vector<std::string>{":1", ":2"});
  CHECK(flags->retention_time == std::chrono::hours(24 * 365 * 100));
  CHECK(flags->retention_bytes == std::uint64_t{512} << 20);
  CHECK(flags->query_samples_max == 7);
  CHECK(flags->query_memory_max_bytes == std::uint64_t{2} << 30);
  CHECK(flags->query_cache_max_bytes == 0);
  CHECK(flags->features.experimental_functions);
  CHECK(flags->warnings.empty());
  const auto path = std::find_if(flags->all.begin(), flags->all.end(), [](const auto& flag) {
    return flag.first == "storage.tsdb.path";
  });
  REQUIRE(path != flags->all.end());
  CHECK(path->second == "d");
}

TEST_CASE("flags: what Varve has no use for is accepted with a warning", "[server]") {
  const auto flags = server::parse_flags({"--web.console.templates=x", "--enable-feature=nonsense",
                                          "--storage.tsdb.head-chunks-write-queue-size=5"});
  REQUIRE(flags.ok());
  CHECK(flags->warnings.size() == 3);
}

TEST_CASE("flags: a feature is there, or said to be ignored", "[server]") {
  // What Prometheus 3.14 and 2.x know, in the order of its documentation.
  const auto [name, ignored] =
      GENERATE(table<std::string, bool>({{"exemplar-storage", false},
                                         {"memory-snapshot-on-shutdown", false},
                                         {"extra-scrape-metrics", false},
                                         {"promql-per-step-stats", false},
                                         {"promql-experimental-functions", false},
                                         {"created-timestamp-zero-ingestion", false},
                                         {"st-storage", true},
                                         {"use-start-timestamps", false},
                                         {"concurrent-rule-eval", false},
                                         {"old-ui", true},
                                         {"metadata-wal-records", false},
                                         {"delayed-compaction", true},
                                         {"promql-delayed-name-removal", false},
                                         {"auto-reload-config", false},
                                         {"otlp-deltatocumulative", true},
                                         {"promql-duration-expr", false},
                                         {"otlp-native-delta-ingestion", true},
                                         {"type-and-unit-labels", false},
                                         {"use-uncached-io", true},
                                         {"xor2-encoding", true},
                                         {"promql-extended-range-selectors", false},
                                         {"promql-binop-fill-modifiers", false},
                                         {"native-histograms", true},
                                         {"ooo-native-histograms", false},
                                         {"remote-write-receiver", false},
                                         {"expand-external-labels", false},
                                         {"promql-at-modifier", false},
                                         {"agent", true},
                                         {"auto-gomaxprocs", true},
                                         {"otlp-write-receiver", true}}));
  CAPTURE(name);
  const auto flags = server::parse_flags({"--enable-feature=," + name});
  REQUIRE(flags.ok());
  REQUIRE(flags->warnings.size() == (ignored ? 1 : 0));
  if (ignored)
    CHECK_THAT(flags->warnings[0], Catch::Contains(name) && Catch::Contains("is ignored"));
}

TEST_CASE("flags: mistakes are named", "[server]") {
  const auto [argument, text] = GENERATE(table<std::string, std::string>(
      {{"--storage.tsdb.pth=x",
        "unknown flag --storage.tsdb.pth, did you mean --storage.tsdb.path?"},
       {"--query.timeout=5x", "flag --query.timeout: not a valid duration string: \"5x\""},
       {"--query.max-samples=-1", "flag --query.max-samples: \"-1\" is not a whole number"},
       {"--log.level=loud", "\"loud\" must be one of debug, info, warn, error"},
       {"--storage.tsdb.retention.size=5",
        "flag --storage.tsdb.retention.size: \"5\" is not a size"},
       {"--storage.wal.fsync=sometimes", "must be one of always, interval, off"},
       {"stray", "unexpected argument stray"}}));
  const auto flags = server::parse_flags({argument});
  REQUIRE_FALSE(flags.ok());
  CHECK_THAT(flags.error().message(), Catch::Contains(text));
}

TEST_CASE("flags: the route prefix comes from the external URL unless given", "[server]") {
  CHECK(server::parse_flags({"--web.external-url=http://h/a/b/"})->route_prefix == "/a/b");
  CHECK(server::parse_flags({"--web.external-url=http://h"})->route_prefix.empty());
  CHECK(server::parse_flags({"--web.external-url=http://h/a", "--web.route-prefix=/"})
            ->route_prefix.empty());
}

TEST_CASE("sizes: powers of 1024 with a unit", "[server]") {
  CHECK(*server::parse_size("1KB") == 1024);
  CHECK(*server::parse_size("2GiB") == std::uint64_t{2} << 30);
  CHECK(*server::parse_size("0") == 0);
  CHECK_FALSE(server::parse_size("1XB").ok());
  CHECK_FALSE(server::parse_size("99999999EB").ok());
}
