// SPDX-License-Identifier: Apache-2.0
#include "promql/cache/stepwise.h"

#include <algorithm>
#include <string_view>

#include "promql/parse/function_table.h"
#include "promql/value/function_impl.h"

namespace varve::promql {
namespace {

bool names_metric(std::string_view label) {
  return label == kMetricName || label == kTypeLabel || label == kUnitLabel;
}

bool relative(const AtModifier& at) {
  return at.anchor != AtAnchor::kStart && at.anchor != AtAnchor::kEnd;
}

// range() is the length of the query; step() is the same for all queries that share steps.
bool relative(const DurationExpr& expression) {
  return expression.op != DurationOp::kRange && (!expression.lhs || relative(*expression.lhs)) &&
         (!expression.rhs || relative(*expression.rhs));
}
bool relative(const Duration& duration) {
  return !duration.expression || relative(*duration.expression);
}

bool fixes_name(const VectorSelector& selector) {
  return std::any_of(selector.matchers.begin(), selector.matchers.end(), [](const auto& matcher) {
    return matcher.type() == model::MatchType::kEqual && matcher.name() == kMetricName;
  });
}

bool is_constant(const Expr& expr) {
  const Expr& bare = without_parens(expr);
  if (bare.kind() == ExprKind::kUnary) return is_constant(*as<Unary>(bare).operand);
  return bare.kind() == ExprKind::kNumber || bare.kind() == ExprKind::kString;
}

// Whether no two series of the value differ by nothing but the metric name. False in doubt.
bool one_name(const Expr& expr) {
  switch (expr.kind()) {
    case ExprKind::kNumber:
    case ExprKind::kString:
      return true;
    case ExprKind::kVectorSelector:
      return fixes_name(as<VectorSelector>(expr));
    case ExprKind::kMatrixSelector:
      return fixes_name(*as<MatrixSelector>(expr).selector);
    case ExprKind::kSubquery:
      return one_name(*as<Subquery>(expr).operand);
    case ExprKind::kCall: {
      const auto& call = as<Call>(expr);
      const FunctionId id = call.function->id;
      if (id == FunctionId::kLabelReplace || id == FunctionId::kLabelJoin) {
        const Expr& target = without_parens(*call.args[1]);
        if (names_metric(as<StringLiteral>(target).value)) return false;
      }
      return std::all_of(call.args.begin(), call.args.end(),
                         [](const ExprPtr& arg) { return one_name(*arg); });
    }
    case ExprKind::kAggregate: {
      const auto& aggregate = as<Aggregate>(expr);
      if (aggregate.op == AggregateOp::kCountValues &&
          names_metric(as<StringLiteral>(without_parens(*aggregate.param)).value)) {
        return false;
      }
      return one_name(*aggregate.operand);
    }
    case ExprKind::kBinary: {
      const auto& binary = as<Binary>(expr);
      if (binary.op == BinaryOp::kOr) return false;
      if (binary.matching) {
        const auto& include = binary.matching->include;
        if (std::any_of(include.begin(), include.end(), names_metric)) return false;
      }
      return one_name(*binary.lhs) && one_name(*binary.rhs);
    }
    case ExprKind::kUnary:
      return one_name(*as<Unary>(expr).operand);
    case ExprKind::kParen:
      return one_name(*as<Paren>(expr).inner);
  }
  return false;
}

class Walk {
 public:
  explicit Walk(const Features& features) : features_(features) {}

  bool visit(const Expr& expr) const {
    switch (expr.kind()) {
      case ExprKind::kNumber:
      case ExprKind::kString:
        return true;
      case ExprKind::kVectorSelector: {
        const auto& selector = as<VectorSelector>(expr);
        return relative(selector.at) && relative(selector.offset);
      }
      case ExprKind::kMatrixSelector: {
        const auto& matrix = as<MatrixSelector>(expr);
        return relative(matrix.range) && visit(*matrix.selector);
      }
      case ExprKind::kSubquery: {
        const auto& subquery = as<Subquery>(expr);
        return relative(subquery.at) && relative(subquery.offset) && relative(subquery.range) &&
               (!subquery.step || relative(*subquery.step)) && visit(*subquery.operand);
      }
      case ExprKind::kCall:
        return visit_call(as<Call>(expr));
      case ExprKind::kAggregate: {
        const auto& aggregate = as<Aggregate>(expr);
        // Of equal values these keep the series that storage gives first, and that depends on where
        // the samples of the range lie.
        if (aggregate.op == AggregateOp::kLimitk || aggregate.op == AggregateOp::kTopk ||
            aggregate.op == AggregateOp::kBottomk) {
          return false;
        }
        // A parameter is judged by its extremes over all steps.
        if (aggregate.param != nullptr && !is_constant(*aggregate.param)) return false;
        return visit(*aggregate.operand);
      }
      case ExprKind::kBinary:
        return visit(*as<Binary>(expr).lhs) && visit(*as<Binary>(expr).rhs);
      case ExprKind::kUnary:
        return visit(*as<Unary>(expr).operand);
      case ExprKind::kParen:
        return visit(*as<Paren>(expr).inner);
    }
    return false;
  }

 private:
  bool visit_call(const Call& call) const {
    switch (call.function->id) {
      case FunctionId::kInfo:
      case FunctionId::kStart:
      case FunctionId::kEnd:
      case FunctionId::kRange:
        return false;
      default:
        break;
    }
    const FunctionImpl* function = find_function_impl(call.function->id);
    const bool merges_strictly = function != nullptr && function->window != nullptr &&
                                 !function->keeps_name && !features_.delayed_name_removal;
    return std::all_of(call.args.begin(), call.args.end(), [&](const ExprPtr& arg) {
      const bool strict = merges_strictly && arg->type() == ValueType::kMatrix;
      return visit(*arg) && (!strict || one_name(*arg));
    });
  }

  const Features& features_;
};

}  // namespace

bool stepwise(const Expr& root, const Features& features) { return Walk(features).visit(root); }

}  // namespace varve::promql
