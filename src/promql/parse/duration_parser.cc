// SPDX-License-Identifier: Apache-2.0
#include "promql/parse/duration_parser.h"

#include <cmath>
#include <utility>

#include "promql/parse/precedence.h"

namespace varve::promql {
namespace {

// What Go's time.Duration can hold, in seconds.
constexpr double kDurationSecondsMax = 9223372036.854775807;

std::int64_t to_ms(double seconds) {
  return static_cast<std::int64_t>(std::trunc(std::round(seconds * 1e9) / 1e6));
}

Duration to_duration(std::unique_ptr<DurationExpr> expr) {
  if (expr->op == DurationOp::kNumber) return {to_ms(expr->seconds), nullptr};
  return {0, std::move(expr)};
}

std::optional<DurationOp> duration_op(BinaryOp op) {
  switch (op) {
    case BinaryOp::kAdd:
      return DurationOp::kAdd;
    case BinaryOp::kSubtract:
      return DurationOp::kSubtract;
    case BinaryOp::kMultiply:
      return DurationOp::kMultiply;
    case BinaryOp::kDivide:
      return DurationOp::kDivide;
    case BinaryOp::kModulo:
      return DurationOp::kModulo;
    case BinaryOp::kPower:
      return DurationOp::kPower;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<Duration> DurationParser::positive_duration(std::string_view context,
                                                          std::string_view expected) {
  const std::string_view outer_context = std::exchange(context_, context);
  const std::string_view outer_expected = std::exchange(duration_expected_, expected);
  DurationPtr expr = duration(kLowestPrecedence);
  context_ = outer_context;
  duration_expected_ = outer_expected;
  if (!expr) return std::nullopt;
  if (expr->op == DurationOp::kNumber && !(expr->seconds > 0)) {
    fail(expr->position, "duration must be greater than 0");
  }
  return to_duration(std::move(expr));
}

std::optional<Duration> DurationParser::offset_duration() {
  const std::string_view outer_context = std::exchange(context_, "offset");
  const std::string_view outer_expected = std::exchange(duration_expected_, kDurationExpected);
  DurationPtr expr;
  if (current().is(TokenType::kLeftParen)) {
    expr = duration(kLowestPrecedence);
  } else if (current().is_operator(BinaryOp::kAdd) || current().is_operator(BinaryOp::kSubtract)) {
    const Token sign = take();
    const bool signs =
        current().is_operator(BinaryOp::kAdd) || current().is_operator(BinaryOp::kSubtract);
    DurationPtr operand = signs ? duration(kPowerPrecedence) : duration_primary();
    expr = signed_duration(sign, std::move(operand));
    if (signs && expr) expr = duration_rest(std::move(expr), kLowestPrecedence);
  } else {
    expr = duration_primary();
  }
  context_ = outer_context;
  duration_expected_ = outer_expected;
  if (!expr) return std::nullopt;
  return to_duration(std::move(expr));
}

std::unique_ptr<DurationExpr> DurationParser::duration(int lowest) {
  if (depth_ >= kExpressionNestingMax) return too_deep(current().start, kExpressionNestingMax);
  ++depth_;
  DurationPtr expr;
  if (current().is_operator(BinaryOp::kAdd) || current().is_operator(BinaryOp::kSubtract)) {
    const Token sign = take();
    expr = signed_duration(sign, duration(kPowerPrecedence));
  } else {
    expr = duration_primary();
  }
  if (expr) expr = duration_rest(std::move(expr), lowest);
  --depth_;
  return expr;
}

std::unique_ptr<DurationExpr> DurationParser::signed_duration(const Token& sign,
                                                              DurationPtr operand) {
  if (!operand) return nullptr;
  const bool negate = sign.op == BinaryOp::kSubtract;
  if (operand->op == DurationOp::kNumber) {
    if (negate) operand->seconds = -operand->seconds;
    operand->position.start = sign.start;
    return operand;
  }
  if (!negate) return operand;
  return duration_node(DurationOp::kNegate, std::move(operand), nullptr, sign.start);
}

std::unique_ptr<DurationExpr> DurationParser::duration_rest(DurationPtr lhs, int lowest) {
  // Chains grow the tree to the left without recursion here, but not where it is evaluated.
  for (std::size_t chained = 0; lhs && current().is(TokenType::kOperator); ++chained) {
    const std::optional<DurationOp> op = duration_op(current().op);
    const int level = precedence(current().op);
    if (!op || level < lowest) break;
    const Token sign = take();
    if (chained >= kExpressionDepthMax) return too_deep(sign.start);
    DurationPtr rhs = duration(*op == DurationOp::kPower ? level : level + 1);
    if (!rhs) return nullptr;
    needs_duration_expressions(*lhs);
    if (rhs->op == DurationOp::kNumber && rhs->seconds == 0) {
      if (*op == DurationOp::kDivide) fail({sign.start, sign.end()}, "division by zero");
      if (*op == DurationOp::kModulo) fail({sign.start, sign.end()}, "modulo by zero");
    }
    const std::uint32_t start = lhs->position.start;
    lhs = duration_node(*op, std::move(lhs), std::move(rhs), start);
  }
  return lhs;
}

std::unique_ptr<DurationExpr> DurationParser::duration_primary() {
  const std::uint32_t start = current().start;
  switch (current().type) {
    case TokenType::kNumber:
    case TokenType::kDuration: {
      const Token token = take();
      DurationPtr node = duration_node(DurationOp::kNumber, nullptr, nullptr, start);
      node->with_unit = token.is(TokenType::kDuration);
      node->seconds = literal_value(token);
      if (!(std::fabs(node->seconds) <= kDurationSecondsMax)) {
        fail(node->position, "duration out of range");
        node->seconds = 0;
      }
      return node;
    }
    case TokenType::kStep:
    case TokenType::kRange: {
      const DurationOp op = take().is(TokenType::kStep) ? DurationOp::kStep : DurationOp::kRange;
      if (!accept(TokenType::kLeftParen) || !accept(TokenType::kRightParen)) {
        return unexpected("", duration_expected_);
      }
      return duration_node(op, nullptr, nullptr, start);
    }
    case TokenType::kMinOf:
    case TokenType::kMaxOf: {
      const DurationOp op = take().is(TokenType::kMinOf) ? DurationOp::kMinOf : DurationOp::kMaxOf;
      if (!accept(TokenType::kLeftParen)) return unexpected("", duration_expected_);
      DurationPtr lhs = duration(kLowestPrecedence);
      if (!lhs) return nullptr;
      if (!accept(TokenType::kComma)) return unexpected("", duration_expected_);
      DurationPtr rhs = duration(kLowestPrecedence);
      if (!rhs) return nullptr;
      if (!accept(TokenType::kRightParen)) return unexpected("", duration_expected_);
      return duration_node(op, std::move(lhs), std::move(rhs), start);
    }
    case TokenType::kLeftParen: {
      take();
      DurationPtr inner = duration(kLowestPrecedence);
      if (!inner) return nullptr;
      if (!accept(TokenType::kRightParen)) return unexpected("", duration_expected_);
      needs_duration_expressions(*inner);
      inner->parenthesized = inner->op != DurationOp::kNumber;
      return inner;
    }
    default:
      return unexpected("", duration_expected_);
  }
}

std::unique_ptr<DurationExpr> DurationParser::duration_node(DurationOp op, DurationPtr lhs,
                                                            DurationPtr rhs, std::uint32_t start) {
  auto node = std::make_unique<DurationExpr>();
  node->op = op;
  node->lhs = std::move(lhs);
  node->rhs = std::move(rhs);
  node->position = {start, last_end_};
  return node;
}

void DurationParser::needs_duration_expressions(const DurationExpr& expr) {
  if (!features_.duration_expressions) {
    fail(expr.position, "experimental duration expression is not enabled");
  }
}

}  // namespace varve::promql
