// SPDX-License-Identifier: Apache-2.0
#include "rules/evaluation_order.h"

#include <catch2/catch.hpp>

#include "promql/parser.h"
#include "world.h"

namespace varve::rules {
namespace {

using Batches = std::vector<std::vector<std::size_t>>;

Batches order_of(const std::vector<RuleOptions>& rules) {
  std::vector<promql::ExprPtr> expressions;
  std::vector<RuleDependencies> dependencies;
  for (const RuleOptions& rule : rules) {
    expressions.push_back(*promql::parse(rule.expression, {}));
    dependencies.push_back({&rule, expressions.back().get()});
  }
  return evaluation_order(dependencies);
}

}  // namespace

TEST_CASE("evaluation order: rules that read nothing of the group run side by side", "[rules]") {
  CHECK(order_of({record("a", "x"), record("b", "rate(y[5m])"), alert("C", "z > 0")}) ==
        Batches{{0, 1, 2}});
}

TEST_CASE("evaluation order: chains come link by link, their ends side by side", "[rules]") {
  CHECK(order_of({record("a", "x"), record("b", "sum(a)"), record("c", "b + on() a"),
                  alert("D", "c > 0"), alert("E", "avg_over_time(b[5m:1m]) > 0")}) ==
        Batches{{0}, {1}, {2}, {3, 4}});
}

TEST_CASE("evaluation order: a selector that may read anything keeps the order written",
          "[rules]") {
  CHECK(order_of({record("a", "x"), record("b", "sum({job=\"x\"})"), record("c", "y")}) ==
        Batches{{0}, {1}, {2}});
  CHECK(order_of({record("a", "x"), alert("B", "ALERTS == 1")}) == Batches{{0}, {1}});
  CHECK(order_of({record("a", "x"), record("b", "{__name__=\"y\"}")}) == Batches{{0, 1}});
}

}  // namespace varve::rules
