// SPDX-License-Identifier: Apache-2.0
#include "parse_support.h"

namespace varve::promql {
namespace {

// The range of x[…] for a query from 100 s to 160 s in steps of 15 s.
Result<std::int64_t> range_of(const std::string& duration) {
  const std::string text = "x[" + duration + "]";
  const ExprPtr expr = parsed(text);
  const DurationScope scope{100'000, 160'000, 15'000};
  return resolve_duration(as<MatrixSelector>(*expr).range, scope, DurationSign::kPositive, text);
}

TEST_CASE("durations: arithmetic with the query's step and range", "[promql][parse]") {
  const std::pair<std::string, std::int64_t> examples[] = {
      {"5m", 300'000},
      {"0.5", 500},
      {"1ms", 1},
      {"step()", 15'000},
      {"range()", 60'000},
      {"5m + step()", 315'000},
      {"2 * 1m - 30", 90'000},
      {"2 ^ 3 ^ 1", 8'000},
      {"-1 ^ 2 + 3", 2'000},
      {"1m % 45", 15'000},
      {"(1m + 30) / 3", 30'000},
      {"min_of(step(), 1m)", 15'000},
      {"max_of(step(), 2 * range())", 120'000},
      {"-(-1m)", 60'000},
  };
  for (const auto& [text, expected_ms] : examples) {
    CAPTURE(text);
    const Result<std::int64_t> ms = range_of(text);
    REQUIRE(ms.ok());
    CHECK(*ms == expected_ms);
  }
}

TEST_CASE("durations: what only the query's range makes impossible", "[promql][parse]") {
  CHECK(range_of("1m - 2m").error().message() ==
        "1:3: parse error: duration must be greater than 0");
  CHECK(range_of("1m / (step() - 15)").error().message() == "1:3: parse error: division by zero");
  CHECK(range_of("1m % (step() - 15)").error().message() == "1:3: parse error: modulo by zero");
  CHECK(range_of("step() ^ 100").error().message() == "1:3: parse error: duration is out of range");
}

TEST_CASE("durations: offsets may be negative", "[promql][parse]") {
  const std::string text = "x offset -(2 * step())";
  const ExprPtr expr = parsed(text);
  const auto ms = resolve_duration(as<VectorSelector>(*expr).offset, {0, 0, 15'000},
                                   DurationSign::kAny, text);
  REQUIRE(ms.ok());
  CHECK(*ms == -30'000);
}

}  // namespace
}  // namespace varve::promql
