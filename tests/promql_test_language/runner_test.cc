// SPDX-License-Identifier: Apache-2.0
// The runner must fail what is wrong: the scripts here expect the wrong thing on purpose.
#include <catch2/catch.hpp>

#include "promql/parser.h"
#include "promql/test_language/at_rewrite.h"
#include "promql/test_language.h"

namespace varve::promql::test_language {
namespace {

constexpr std::string_view kLoad = "load 1m\n  a{x=\"1\"} 1+1x10\n  a{x=\"2\"} 5x10\n\n";

FileReport report_of(const std::string& eval) {
  Result<FileReport> report = run_script("here", std::string(kLoad) + eval);
  if (!report.ok()) FAIL(report.error().message());
  return std::move(report).value();
}

std::string failure_of(const std::string& eval) {
  const FileReport report = report_of(eval);
  return report.failures.empty() ? "" : report.failures.front().detail;
}

TEST_CASE("runner: right expectations pass", "[promql][test_language]") {
  const FileReport report = report_of(
      "eval instant at 2m a\n  a{x=\"1\"} 3\n  a{x=\"2\"} 5\n\n"
      "eval range from 0 to 2m step 1m a{x=\"1\"}\n  a{x=\"1\"} 1 2 3\n");
  CHECK(report.cases_passed == 2);
  CHECK(report.cases_failed == 0);
}

TEST_CASE("runner: wrong expectations fail and say how", "[promql][test_language]") {
  CHECK(failure_of("eval instant at 2m a{x=\"1\"}\n  a{x=\"1\"} 4\n") ==
        "expected 4 for a{x=\"1\"}, got 3");
  CHECK(failure_of("eval instant at 2m a{x=\"1\"}\n  {x=\"1\"} 3\n") ==
        "expected {x=\"1\"} 3, got no such series");
  CHECK(failure_of("eval instant at 2m a\n  a{x=\"1\"} 3\n") ==
        "unexpected series in the result: a{x=\"2\"}");
  CHECK(failure_of("eval instant at 2m a{x=\"1\"}\n  expect fail\n") ==
        "expected an error, got a result");
  CHECK(failure_of("eval instant at 2m a{x=\"1\"}\n  expect warn\n  a{x=\"1\"} 3\n") ==
        "expected warning: any message, got none");
  CHECK(failure_of(
            "eval instant at 2m sort(a)\n  expect ordered\n  a{x=\"2\"} 5\n  a{x=\"1\"} 3\n") !=
        "");
  CHECK(failure_of("eval instant at 2m 1\n  2\n") == "expected 2, got 1");
  CHECK(failure_of("eval instant at 2m \"a\"\n  expect string \"b\"\n") ==
        "expected the string b, got a");
  CHECK(failure_of("eval range from 0 to 1m step 1m a{x=\"1\"}\n  a{x=\"1\"} 1 _\n") ==
        "expected 1@0 for a{x=\"1\"}, got 1@0 2@60000");
}

TEST_CASE("runner: a query that @ cannot fix is not run at other times",
          "[promql][test_language]") {
  for (const std::string_view text : {"time()", "timestamp(a)", "predict_linear(a[5m], 1)",
                                      "a[5m + step()]", "sum(hour())"}) {
    Features features;
    features.experimental_functions = true;
    CAPTURE(std::string(text));
    CHECK(depends_on_evaluation_time(*parse(text, features).value()));
  }
  CHECK_FALSE(depends_on_evaluation_time(*parse("rate(a[5m])", {}).value()));
  CHECK(depends_on_range(*parse("a @ end()", {}).value()));
}

TEST_CASE("runner: @ goes on every selector that has none", "[promql][test_language]") {
  const auto fixed = [](std::string_view text) {
    ExprPtr expr = parse(text, {}).value();
    fix_to_time(*expr, 60'000);
    return to_string(*expr);
  };
  CHECK(fixed("a + b offset 5m") == "a @ 60.000 + b @ 60.000 offset 5m");
  CHECK(fixed("sum(rate(a[5m] @ 1))") == "sum(rate(a[5m] @ 1.000))");
  CHECK(fixed("a @ start()") == "a @ 60.000");
  CHECK(fixed("max_over_time(rate(a[5m])[1h:])") == "max_over_time(rate(a[5m])[1h:] @ 60.000)");
}

}  // namespace
}  // namespace varve::promql::test_language
