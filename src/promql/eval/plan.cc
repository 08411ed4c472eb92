// SPDX-License-Identifier: Apache-2.0
// One walk over the tree resolves times and finds what does not depend on the step.
#include "promql/eval/plan.h"

#include <algorithm>
#include <limits>

#include "base/try.h"
#include "promql/parse/function_table.h"

namespace varve::promql {
namespace {

// Functions whose value depends on the evaluation time even if their arguments do not.
bool depends_on_step(FunctionId id) {
  switch (id) {
    case FunctionId::kDayOfMonth:
    case FunctionId::kDayOfWeek:
    case FunctionId::kDayOfYear:
    case FunctionId::kDaysInMonth:
    case FunctionId::kHour:
    case FunctionId::kMinute:
    case FunctionId::kMonth:
    case FunctionId::kYear:
    case FunctionId::kPredictLinear:
    case FunctionId::kTime:
      return true;
    default:
      return false;
  }
}

}  // namespace

Timestamp saturating_subtract(Timestamp a, std::int64_t b) {
  Timestamp result = 0;
  if (!__builtin_sub_overflow(a, b, &result)) return result;
  return b > 0 ? std::numeric_limits<Timestamp>::min() : std::numeric_limits<Timestamp>::max();
}

Timestamp saturating_add(Timestamp a, std::int64_t b) {
  Timestamp result = 0;
  if (!__builtin_add_overflow(a, b, &result)) return result;
  return b > 0 ? std::numeric_limits<Timestamp>::max() : std::numeric_limits<Timestamp>::min();
}

Timestamp Timing::reference(const StepGrid& grid, std::size_t step) const {
  return saturating_subtract(at_ms ? *at_ms : grid.at(step), offset_ms);
}

struct Plan::Builder {
  Plan& plan;
  const DurationScope& scope;
  std::int64_t default_subquery_step_ms;
  std::string_view text;

  Result<Timing> timing(const Duration& offset, const AtModifier& at) const {
    Timing timing;
    VARVE_TRY_ASSIGN(timing.offset_ms, resolve_duration(offset, scope, DurationSign::kAny, text));
    switch (at.anchor) {
      case AtAnchor::kNone: break;
      case AtAnchor::kTime: timing.at_ms = at.time_ms; break;
      case AtAnchor::kStart: timing.at_ms = scope.start_ms; break;
      case AtAnchor::kEnd: timing.at_ms = scope.end_ms; break;
    }
    return timing;
  }

  // Whether expr is step-invariant.
  Result<bool> visit(const Expr& expr) {
    VARVE_TRY_ASSIGN(const bool invariant, visit_node(expr));
    if (invariant) plan.invariant_.insert(&expr);
    return invariant;
  }

  Result<bool> visit_node(const Expr& expr) {
    switch (expr.kind()) {
      case ExprKind::kNumber:
      case ExprKind::kString:
        return true;
      case ExprKind::kVectorSelector: {
        const auto& selector = as<VectorSelector>(expr);
        VARVE_TRY_ASSIGN(const Timing resolved, timing(selector.offset, selector.at));
        plan.timings_.emplace(&expr, resolved);
        return resolved.at_ms.has_value();
      }
      case ExprKind::kMatrixSelector: {
        const auto& matrix = as<MatrixSelector>(expr);
        VARVE_TRY_ASSIGN(const bool invariant, visit(*matrix.selector));
        Timing resolved = plan.timings_.at(matrix.selector.get());
        VARVE_TRY_ASSIGN(resolved.range_ms,
                         resolve_duration(matrix.range, scope, DurationSign::kPositive, text));
        plan.timings_.emplace(&expr, resolved);
        return invariant;
      }
      case ExprKind::kSubquery: {
        const auto& subquery = as<Subquery>(expr);
        VARVE_TRY(visit(*subquery.operand));
        VARVE_TRY_ASSIGN(Timing resolved, timing(subquery.offset, subquery.at));
        VARVE_TRY_ASSIGN(resolved.range_ms,
                         resolve_duration(subquery.range, scope, DurationSign::kPositive, text));
        resolved.step_ms = default_subquery_step_ms;
        if (subquery.step) {
          VARVE_TRY_ASSIGN(resolved.step_ms,
                           resolve_duration(*subquery.step, scope, DurationSign::kPositive, text));
          // Prometheus 3.5 divides by it and answers with its recovered panic, also an execution
          // error.
          if (resolved.step_ms <= 0) {
            return Error(ErrorCode::kExecution,
                         "subquery steps below a millisecond are not supported");
          }
        }
        plan.timings_.emplace(&expr, resolved);
        return resolved.at_ms.has_value();
      }
      case ExprKind::kCall:
        return visit_call(as<Call>(expr));
      case ExprKind::kAggregate: {
        const auto& aggregate = as<Aggregate>(expr);
        VARVE_TRY_ASSIGN(bool invariant, visit(*aggregate.operand));
        if (aggregate.param != nullptr) {
          VARVE_TRY_ASSIGN(const bool param, visit(*aggregate.param));
          invariant = invariant && param;
        }
        return invariant;
      }
      case ExprKind::kBinary: {
        const auto& binary = as<Binary>(expr);
        VARVE_TRY_ASSIGN(const bool lhs, visit(*binary.lhs));
        VARVE_TRY_ASSIGN(const bool rhs, visit(*binary.rhs));
        return lhs && rhs;
      }
      case ExprKind::kUnary:
        return visit(*as<Unary>(expr).operand);
      case ExprKind::kParen:
        return visit(*as<Paren>(expr).inner);
    }
    return false;
  }

  Result<bool> visit_call(const Call& call) {
    bool invariant = !depends_on_step(call.function->id);
    for (const ExprPtr& arg : call.args) {
      VARVE_TRY_ASSIGN(const bool arg_invariant, visit(*arg));
      // timestamp() of a fixed selector is fixed, of anything else it is the evaluation time.
      const bool timestamp_of_step = call.function->id == FunctionId::kTimestamp &&
                                     without_parens(*arg).kind() != ExprKind::kVectorSelector;
      invariant = invariant && arg_invariant && !timestamp_of_step;
    }
    return invariant;
  }
};

Result<Plan> Plan::create(const Expr& root, const DurationScope& scope, std::int64_t lookback_ms,
                          std::int64_t default_subquery_step_ms, std::string_view text,
                          const storage::LevelReach& reach) {
  Plan plan;
  plan.lookback_ms_ = lookback_ms;
  plan.reach_ = reach;
  Builder builder{plan, scope, default_subquery_step_ms, text};
  VARVE_TRY(builder.visit(root));
  return plan;
}

StepGrid Plan::subquery_grid(const Subquery& subquery, const StepGrid& grid) const {
  const Timing& when = timing(subquery);
  StepGrid inner;
  inner.step_ms = when.step_ms;
  inner.count = 0;
  if (grid.count == 0) return inner;
  const Timestamp window_start =
      saturating_subtract(when.first_reference(grid), when.range_ms);
  const Timestamp last = when.reference(grid, grid.count - 1);
  // Steps are absolute multiples of the step; the division truncates like Go's, also before 1970.
  inner.start_ms = when.step_ms * (window_start / when.step_ms);
  if (inner.start_ms <= window_start) inner.start_ms += when.step_ms;
  if (inner.start_ms <= last) {
    inner.count = static_cast<std::size_t>((last - inner.start_ms) / when.step_ms) + 1;
  }
  return inner;
}

TimeRange Plan::touched(const Expr& root, const StepGrid& grid) const {
  TimeRange range{std::numeric_limits<Timestamp>::max(), std::numeric_limits<Timestamp>::min()};
  widen(root, grid, range);
  return range.empty() ? TimeRange{0, 0} : range;
}

void Plan::include(TimeRange needed, TimeRange& range) const {
  if (reach_.resolution_ms > 0) {
    // A window may be widened by one resolution, and its first bucket begin another one earlier.
    const Timestamp earlier = saturating_subtract(needed.min_ms, 2 * reach_.resolution_ms);
    if (earlier <= reach_.until_ms) needed.min_ms = earlier;
    if (needed.max_ms < reach_.until_ms) {
      needed.max_ms =
          std::min(saturating_add(needed.max_ms, reach_.resolution_ms), reach_.until_ms);
    }
  }
  range.min_ms = std::min(range.min_ms, needed.min_ms);
  range.max_ms = std::max(range.max_ms, needed.max_ms);
}

void Plan::widen(const Expr& expr, const StepGrid& grid, TimeRange& range) const {
  if (grid.count == 0) return;
  const auto look = [&](const VectorSelector& selector, const Timing& when) {
    Timestamp min_ms = when.first_reference(grid);
    Timestamp max_ms = when.reference(grid, grid.count - 1);
    if (when.range_ms == 0 || selector.extension != RangeExtension::kNone) {
      min_ms = saturating_subtract(min_ms, lookback_ms_);
    }
    if (selector.extension == RangeExtension::kSmoothed) {
      max_ms = saturating_add(max_ms, lookback_ms_);
    }
    min_ms = saturating_add(saturating_subtract(min_ms, when.range_ms), 1);
    include({min_ms, max_ms}, range);
  };
  switch (expr.kind()) {
    case ExprKind::kNumber:
    case ExprKind::kString:
      return;
    case ExprKind::kVectorSelector:
      return look(as<VectorSelector>(expr), timing(expr));
    case ExprKind::kMatrixSelector:
      return look(*as<MatrixSelector>(expr).selector, timing(expr));
    case ExprKind::kSubquery: {
      const auto& subquery = as<Subquery>(expr);
      return widen(*subquery.operand, subquery_grid(subquery, grid), range);
    }
    case ExprKind::kCall:
      for (const ExprPtr& arg : as<Call>(expr).args) widen(*arg, grid, range);
      if (as<Call>(expr).function->id == FunctionId::kInfo) {
        // The info series are looked up at the steps, wherever the argument's selectors look.
        include(
            {saturating_add(saturating_subtract(grid.start_ms, lookback_ms_), 1), grid.end_ms()},
            range);
      }
      return;
    case ExprKind::kAggregate: {
      const auto& aggregate = as<Aggregate>(expr);
      widen(*aggregate.operand, grid, range);
      if (aggregate.param != nullptr) widen(*aggregate.param, grid, range);
      return;
    }
    case ExprKind::kBinary:
      widen(*as<Binary>(expr).lhs, grid, range);
      widen(*as<Binary>(expr).rhs, grid, range);
      return;
    case ExprKind::kUnary:
      return widen(*as<Unary>(expr).operand, grid, range);
    case ExprKind::kParen:
      return widen(*as<Paren>(expr).inner, grid, range);
  }
}

}  // namespace varve::promql
