// SPDX-License-Identifier: Apache-2.0
#include "parse_support.h"
#include "promql/parse/function_table.h"

namespace varve::promql {
namespace {

// Fully parenthesized, so that precedence shows.
std::string grouped(const Expr& expr) {
  if (expr.kind() == ExprKind::kBinary) {
    const auto& binary = as<Binary>(expr);
    return "(" + grouped(*binary.lhs) + " " + std::string(to_string(binary.op)) + " " +
           grouped(*binary.rhs) + ")";
  }
  if (expr.kind() == ExprKind::kUnary) {
    return "(-" + grouped(*as<Unary>(expr).operand) + ")";
  }
  return to_string(expr);
}

TEST_CASE("parser: six levels of operators, power to the right", "[promql][parse]") {
  CHECK(grouped(*parsed("a or b and c == d + e * f ^ g")) ==
        "(a or (b and (c == (d + (e * (f ^ g))))))");
  CHECK(grouped(*parsed("a ^ b * c + d == e and f or g")) ==
        "((((((a ^ b) * c) + d) == e) and f) or g)");
  CHECK(grouped(*parsed("a ^ b ^ c")) == "(a ^ (b ^ c))");
  CHECK(grouped(*parsed("a - b - c")) == "((a - b) - c)");
  CHECK(grouped(*parsed("a atan2 b * c")) == "((a atan2 b) * c)");
  CHECK(grouped(*parsed("a unless b and c")) == "((a unless b) and c)");
  CHECK(grouped(*parsed("h </ 1 + 2")) == "(h </ (1 + 2))");
}

TEST_CASE("parser: unary minus binds looser than power, tighter than times", "[promql][parse]") {
  CHECK(grouped(*parsed("-a ^ b")) == "(-(a ^ b))");
  CHECK(grouped(*parsed("-a * b")) == "((-a) * b)");
  CHECK(grouped(*parsed("a ^ -b * c")) == "((a ^ (-b)) * c)");
  CHECK(grouped(*parsed("-1 ^ 2")) == "(-(1 ^ 2))");
}

TEST_CASE("parser: modifiers belong to the selector before them", "[promql][parse]") {
  const ExprPtr expr = parsed("a + b offset 5m");
  REQUIRE(expr->kind() == ExprKind::kBinary);
  CHECK(as<VectorSelector>(*as<Binary>(*expr).lhs).offset.ms == 0);
  CHECK(as<VectorSelector>(*as<Binary>(*expr).rhs).offset.ms == 300'000);

  const ExprPtr matrix = parsed("x[5m] @ 1.5 offset -1m");
  const VectorSelector& selector = *as<MatrixSelector>(*matrix).selector;
  CHECK(selector.at.anchor == AtAnchor::kTime);
  CHECK(selector.at.time_ms == 1500);
  CHECK(selector.offset.ms == -60'000);
}

TEST_CASE("parser: arithmetic behind an offset is not part of it", "[promql][parse]") {
  CHECK(grouped(*parsed("x offset 1m + 1")) == "(x offset 1m + 1)");
  CHECK(parsed("x offset -2 ^ 2")->kind() == ExprKind::kBinary);
  CHECK(parsed("x offset (1m + 1)")->kind() == ExprKind::kVectorSelector);
}

TEST_CASE("parser: types of expressions", "[promql][parse]") {
  CHECK(parsed("1 + 2")->type() == ValueType::kScalar);
  CHECK(parsed("1 + a")->type() == ValueType::kVector);
  CHECK(parsed("(time())")->type() == ValueType::kScalar);
  CHECK(parsed("-scalar(a)")->type() == ValueType::kScalar);
  CHECK(parsed("a[5m]")->type() == ValueType::kMatrix);
  CHECK(parsed("a[5m:]")->type() == ValueType::kMatrix);
  CHECK(parsed("(\"s\")")->type() == ValueType::kString);
  CHECK(parsed("sum(a)")->type() == ValueType::kVector);
}

TEST_CASE("parser: matching is there for two vectors only", "[promql][parse]") {
  CHECK_FALSE(as<Binary>(*parsed("a + 1")).matching.has_value());
  CHECK(as<Binary>(*parsed("a + b")).matching->cardinality == MatchCardinality::kOneToOne);
  CHECK(as<Binary>(*parsed("a or b")).matching->cardinality == MatchCardinality::kManyToMany);
  const ExprPtr expr = parsed("a > bool on(x, y) group_right(z) fill_left(2) b");
  const auto& binary = as<Binary>(*expr);
  CHECK(binary.return_bool);
  CHECK(binary.matching->on);
  CHECK(binary.matching->labels == std::vector<std::string>{"x", "y"});
  CHECK(binary.matching->include == std::vector<std::string>{"z"});
  CHECK(binary.matching->cardinality == MatchCardinality::kOneToMany);
  CHECK(binary.matching->fill_left == 2.0);
  CHECK_FALSE(binary.matching->fill_right.has_value());
}

TEST_CASE("parser: positions are those of the text", "[promql][parse]") {
  const std::string_view text = "sum(rate(foo{a=\"b\"}[5m])) + 2 * bar offset 5m";
  const auto at = [&](const Expr& expr) {
    return text.substr(expr.position.start, expr.position.end - expr.position.start);
  };
  const ExprPtr expr = parsed(text);
  CHECK(at(*expr) == text);
  const auto& sum = as<Binary>(*expr);
  CHECK(at(*sum.lhs) == "sum(rate(foo{a=\"b\"}[5m]))");
  const Expr& rate = *as<Aggregate>(*sum.lhs).operand;
  CHECK(at(rate) == "rate(foo{a=\"b\"}[5m])");
  CHECK(at(*as<Call>(rate).args[0]) == "foo{a=\"b\"}[5m]");
  CHECK(at(*as<Binary>(*sum.rhs).rhs) == "bar offset 5m");
  CHECK(line_and_column("a +\n  b", 6) == "2:3");
}

TEST_CASE("parser: the label selector of info() may match everything", "[promql][parse]") {
  const ExprPtr expr = parsed("info(a, {x=~\".*\"})");
  CHECK(as<VectorSelector>(*as<Call>(*expr).args[1]).may_match_empty);
}

}  // namespace
}  // namespace varve::promql
