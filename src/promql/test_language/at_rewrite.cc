// SPDX-License-Identifier: Apache-2.0
#include "promql/test_language/at_rewrite.h"

#include <algorithm>
#include <array>
#include <functional>

#include "promql/parse/function_table.h"

namespace varve::promql::test_language {
namespace {

void fix(AtModifier& at, Timestamp time_ms) {
  if (at.anchor != AtAnchor::kTime) at = {AtAnchor::kTime, time_ms};
}

bool has_range_function(const DurationExpr* expr) {
  if (expr == nullptr) return false;
  return expr->op == DurationOp::kStep || expr->op == DurationOp::kRange ||
         has_range_function(expr->lhs.get()) || has_range_function(expr->rhs.get());
}

bool has_range_function(const Duration& duration) {
  return has_range_function(duration.expression.get());
}

bool is_range_anchor(const AtModifier& at) {
  return at.anchor == AtAnchor::kStart || at.anchor == AtAnchor::kEnd;
}

bool selector_depends_on_range(const VectorSelector& selector) {
  return has_range_function(selector.offset) || is_range_anchor(selector.at);
}

// Whether the predicate holds for the expression or one of its operands.
bool any(const Expr& expr, const std::function<bool(const Expr&)>& holds) {
  if (holds(expr)) return true;
  const auto in = [&](const ExprPtr& child) { return child && any(*child, holds); };
  switch (expr.kind()) {
    case ExprKind::kMatrixSelector: return any(*as<MatrixSelector>(expr).selector, holds);
    case ExprKind::kSubquery: return in(as<Subquery>(expr).operand);
    case ExprKind::kCall: {
      const auto& args = as<Call>(expr).args;
      return std::any_of(args.begin(), args.end(), in);
    }
    case ExprKind::kAggregate:
      return in(as<Aggregate>(expr).operand) || in(as<Aggregate>(expr).param);
    case ExprKind::kBinary: return in(as<Binary>(expr).lhs) || in(as<Binary>(expr).rhs);
    case ExprKind::kUnary: return in(as<Unary>(expr).operand);
    case ExprKind::kParen: return in(as<Paren>(expr).inner);
    default: return false;
  }
}

constexpr std::array kTimeFunctions = {
    FunctionId::kDaysInMonth, FunctionId::kDayOfMonth,    FunctionId::kDayOfWeek,
    FunctionId::kDayOfYear,   FunctionId::kHour,          FunctionId::kMinute,
    FunctionId::kMonth,       FunctionId::kYear,          FunctionId::kPredictLinear,
    FunctionId::kTime,        FunctionId::kTimestamp,     FunctionId::kStartTimestamp,
};
constexpr std::array kRangeFunctions = {FunctionId::kStart, FunctionId::kEnd, FunctionId::kRange,
                                        FunctionId::kStep};

template <std::size_t N>
bool calls(const Expr& expr, const std::array<FunctionId, N>& ids) {
  return expr.kind() == ExprKind::kCall &&
         std::find(ids.begin(), ids.end(), as<Call>(expr).function->id) != ids.end();
}

bool durations_depend_on_range(const Expr& node) {
  switch (node.kind()) {
    case ExprKind::kVectorSelector: return has_range_function(as<VectorSelector>(node).offset);
    case ExprKind::kMatrixSelector: return has_range_function(as<MatrixSelector>(node).range);
    case ExprKind::kSubquery: {
      const auto& subquery = as<Subquery>(node);
      return has_range_function(subquery.range) || has_range_function(subquery.offset) ||
             (subquery.step && has_range_function(*subquery.step));
    }
    default: return false;
  }
}

}  // namespace

void fix_to_time(Expr& expr, Timestamp time_ms) {
  switch (expr.kind()) {
    case ExprKind::kNumber:
    case ExprKind::kString: return;
    case ExprKind::kVectorSelector: fix(as<VectorSelector>(expr).at, time_ms); return;
    case ExprKind::kMatrixSelector: fix(as<MatrixSelector>(expr).selector->at, time_ms); return;
    case ExprKind::kSubquery: fix(as<Subquery>(expr).at, time_ms); return;
    case ExprKind::kCall: {
      auto& call = as<Call>(expr);
      for (std::size_t i = 0; i < call.args.size(); ++i) {
        // The second argument of info() names labels; it selects nothing at any time.
        if (call.function->id == FunctionId::kInfo && i == 1) continue;
        fix_to_time(*call.args[i], time_ms);
      }
      return;
    }
    case ExprKind::kAggregate:
      fix_to_time(*as<Aggregate>(expr).operand, time_ms);
      if (as<Aggregate>(expr).param) fix_to_time(*as<Aggregate>(expr).param, time_ms);
      return;
    case ExprKind::kBinary:
      fix_to_time(*as<Binary>(expr).lhs, time_ms);
      fix_to_time(*as<Binary>(expr).rhs, time_ms);
      return;
    case ExprKind::kUnary: fix_to_time(*as<Unary>(expr).operand, time_ms); return;
    case ExprKind::kParen: fix_to_time(*as<Paren>(expr).inner, time_ms); return;
  }
}

bool depends_on_evaluation_time(const Expr& expr) {
  return any(expr, [](const Expr& node) {
    return calls(node, kTimeFunctions) || calls(node, kRangeFunctions) ||
           durations_depend_on_range(node);
  });
}

bool depends_on_range(const Expr& expr) {
  return any(expr, [](const Expr& node) {
    if (calls(node, kRangeFunctions) || durations_depend_on_range(node)) return true;
    if (node.kind() == ExprKind::kVectorSelector) {
      return selector_depends_on_range(as<VectorSelector>(node));
    }
    return node.kind() == ExprKind::kSubquery && is_range_anchor(as<Subquery>(node).at);
  });
}

}  // namespace varve::promql::test_language
