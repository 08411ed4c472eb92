// SPDX-License-Identifier: Apache-2.0
#include "promql/cache/stepwise.h"

#include <catch2/catch.hpp>

#include <string>

#include "promql/parser.h"

namespace varve::promql {
namespace {

bool stepwise_text(const std::string& text, bool delayed_name_removal = false) {
  Features features;
  features.experimental_functions = true;
  features.delayed_name_removal = delayed_name_removal;
  const auto expr = parse(text, features);
  if (!expr.ok()) FAIL(expr.error().message());
  return stepwise(**expr, features);
}

TEST_CASE("stepwise: what has its value whatever the other steps are", "[promql][cache]") {
  const std::string text = GENERATE(
      "x", "1", "time()", "x offset 5m", "x offset -5m", "x @ 123", "rate(x[5m])",
      "sum by (a) (rate(x[5m]))", "rate(x[step() * 4])",
      "max_over_time(rate(x[1m])[10m:30s])", "{a=\"b\"} + 1", "last_over_time({a=\"b\"}[5m])",
      "absent_over_time(x[5m])", "label_replace(x, \"a\", \"$1\", \"b\", \"(.*)\")",
      "histogram_quantile(0.9, sum by (le) (rate(x[5m])))", "limit_ratio(0.5, x)", "x or y",
      "count_over_time((x > 1)[5m:])");
  CAPTURE(text);
  CHECK(stepwise_text(text));
}

TEST_CASE("stepwise: what depends on the other steps or on the query", "[promql][cache]") {
  const std::string text = GENERATE(
      "x @ start()", "x @ end()", "rate(x[5m] @ end())", "x[5m:1m] @ start()", "x + start()",
      "range() * x", "x offset range()", "sum_over_time(x[range()])", "limitk(2, x)",
      "topk(3, x)", "bottomk(1, x) by (a)",
      "topk(scalar(y), x)", "info(x)", "rate({a=\"b\"}[5m])", "sum(rate({__name__=~\"x|y\"}[5m]))",
      "rate((x or y)[5m:])", "rate(label_replace(x, \"__name__\", \"$1\", \"b\", \"(.*)\")[5m:])",
      "sum_over_time(count_values(\"__name__\", x)[5m:])",
      "sum_over_time((x * on(a) group_left(__name__) y)[5m:])");
  CAPTURE(text);
  if (text.find("[5m:1m] @") != std::string::npos) {
    CHECK_FALSE(stepwise_text("sum_over_time(" + text + ")"));
  } else {
    CHECK_FALSE(stepwise_text(text));
  }
}

TEST_CASE("stepwise: names that go at the end of the query do not make ranges depend on each other",
          "[promql][cache]") {
  CHECK(stepwise_text("rate({a=\"b\"}[5m])", true));
}

}  // namespace
}  // namespace varve::promql
