// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <catch2/catch.hpp>

using namespace varve;

TEST_CASE("log: a logfmt line has time, level, source, message and quoted fields", "[base]") {
  const base::FakeClock clock(1'763'683'200'123);
  std::string got;
  base::Logger log(base::LogLevel::kInfo, base::LogFormat::kLogfmt, clock,
                   [&](std::string_view line) { got = line; });
  log.info("Server is ready.", {{"component", "tsdb"}, {"path", "a \"b\""}, {"n", 3}});
  CHECK(got.starts_with("time=2025-11-21T00:00:00.123Z level=INFO source=log_test.cc:"));
  CHECK(got.ends_with(" msg=\"Server is ready.\" component=tsdb path=\"a \\\"b\\\"\" n=3\n"));
  got.clear();
  log.debug("quiet");
  CHECK(got.empty());
}

TEST_CASE("log: a JSON line is one object, control bytes escaped", "[base]") {
  const base::FakeClock clock(0);
  std::string got;
  base::Logger log(base::LogLevel::kDebug, base::LogFormat::kJson, clock,
                   [&](std::string_view line) { got = line; });
  log.error("bad\x01", {{"key", "a\nb"}});
  CHECK(
      got.starts_with(R"({"time":"1970-01-01T00:00:00.000Z","level":"ERROR","source":"log_test)"));
  CHECK(got.ends_with("\"msg\":\"bad\\u0001\",\"key\":\"a\\nb\"}\n"));
}
