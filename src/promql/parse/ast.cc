// SPDX-License-Identifier: Apache-2.0
#include "promql/ast.h"

#include <algorithm>

namespace varve::promql {

std::string_view documented_name(ValueType type) {
  switch (type) {
    case ValueType::kVector: return "instant vector";
    case ValueType::kMatrix: return "range vector";
    default: return to_string(type);
  }
}

std::string_view to_string(ValueType type) {
  switch (type) {
    case ValueType::kScalar: return "scalar";
    case ValueType::kVector: return "vector";
    case ValueType::kMatrix: return "matrix";
    case ValueType::kString: return "string";
    case ValueType::kNone: break;
  }
  return "none";
}

std::string line_and_column(std::string_view text, std::uint32_t offset) {
  if (offset > text.size()) return "invalid position";
  const std::string_view before = text.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const auto column = offset - (before.rfind('\n') + 1) + 1;  // npos + 1 is 0
  return std::to_string(line) + ":" + std::to_string(column);
}

std::string_view to_string(AggregateOp op) {
  switch (op) {
    case AggregateOp::kSum: return "sum";
    case AggregateOp::kAvg: return "avg";
    case AggregateOp::kCount: return "count";
    case AggregateOp::kMin: return "min";
    case AggregateOp::kMax: return "max";
    case AggregateOp::kGroup: return "group";
    case AggregateOp::kStddev: return "stddev";
    case AggregateOp::kStdvar: return "stdvar";
    case AggregateOp::kTopk: return "topk";
    case AggregateOp::kBottomk: return "bottomk";
    case AggregateOp::kCountValues: return "count_values";
    case AggregateOp::kQuantile: return "quantile";
    case AggregateOp::kLimitk: return "limitk";
    case AggregateOp::kLimitRatio: return "limit_ratio";
  }
  return "";
}

bool has_parameter(AggregateOp op) { return op >= AggregateOp::kTopk; }

std::string_view to_string(BinaryOp op) {
  switch (op) {
    case BinaryOp::kAdd: return "+";
    case BinaryOp::kSubtract: return "-";
    case BinaryOp::kMultiply: return "*";
    case BinaryOp::kDivide: return "/";
    case BinaryOp::kModulo: return "%";
    case BinaryOp::kPower: return "^";
    case BinaryOp::kAtan2: return "atan2";
    case BinaryOp::kEqual: return "==";
    case BinaryOp::kNotEqual: return "!=";
    case BinaryOp::kLess: return "<";
    case BinaryOp::kLessEqual: return "<=";
    case BinaryOp::kGreater: return ">";
    case BinaryOp::kGreaterEqual: return ">=";
    case BinaryOp::kAnd: return "and";
    case BinaryOp::kOr: return "or";
    case BinaryOp::kUnless: return "unless";
    case BinaryOp::kTrimUpper: return "</";
    case BinaryOp::kTrimLower: return ">/";
  }
  return "";
}

std::string_view to_string(MatchCardinality cardinality) {
  switch (cardinality) {
    case MatchCardinality::kOneToOne: return "one-to-one";
    case MatchCardinality::kManyToOne: return "many-to-one";
    case MatchCardinality::kOneToMany: return "one-to-many";
    case MatchCardinality::kManyToMany: return "many-to-many";
  }
  return "";
}

const Expr& without_parens(const Expr& expr) {
  const Expr* inner = &expr;
  while (inner->kind() == ExprKind::kParen) inner = as<Paren>(*inner).inner.get();
  return *inner;
}

namespace {

std::unique_ptr<DurationExpr> clone(const std::unique_ptr<DurationExpr>& from) {
  if (!from) return nullptr;
  auto copy = std::make_unique<DurationExpr>();
  copy->op = from->op;
  copy->seconds = from->seconds;
  copy->with_unit = from->with_unit;
  copy->parenthesized = from->parenthesized;
  copy->lhs = clone(from->lhs);
  copy->rhs = clone(from->rhs);
  copy->position = from->position;
  return copy;
}

Duration clone(const Duration& from) { return {from.ms, clone(from.expression)}; }

std::unique_ptr<VectorSelector> clone_selector(const VectorSelector& from) {
  auto copy = std::make_unique<VectorSelector>();
  copy->position = from.position;
  copy->name = from.name;
  copy->matchers = from.matchers;
  copy->offset = clone(from.offset);
  copy->at = from.at;
  copy->extension = from.extension;
  copy->may_match_empty = from.may_match_empty;
  return copy;
}

ExprPtr clone_node(const Expr& expr) {
  switch (expr.kind()) {
    case ExprKind::kNumber: {
      auto copy = std::make_unique<NumberLiteral>();
      copy->value = as<NumberLiteral>(expr).value;
      copy->with_unit = as<NumberLiteral>(expr).with_unit;
      return copy;
    }
    case ExprKind::kString: {
      auto copy = std::make_unique<StringLiteral>();
      copy->value = as<StringLiteral>(expr).value;
      return copy;
    }
    case ExprKind::kVectorSelector: return clone_selector(as<VectorSelector>(expr));
    case ExprKind::kMatrixSelector: {
      const auto& from = as<MatrixSelector>(expr);
      auto copy = std::make_unique<MatrixSelector>();
      copy->selector = clone_selector(*from.selector);
      copy->range = clone(from.range);
      return copy;
    }
    case ExprKind::kSubquery: {
      const auto& from = as<Subquery>(expr);
      auto copy = std::make_unique<Subquery>();
      copy->operand = promql::clone(*from.operand);
      copy->range = clone(from.range);
      if (from.step) copy->step = clone(*from.step);
      copy->offset = clone(from.offset);
      copy->at = from.at;
      return copy;
    }
    case ExprKind::kCall: {
      const auto& from = as<Call>(expr);
      auto copy = std::make_unique<Call>(from.type());
      copy->function = from.function;
      for (const ExprPtr& arg : from.args) copy->args.push_back(promql::clone(*arg));
      return copy;
    }
    case ExprKind::kAggregate: {
      const auto& from = as<Aggregate>(expr);
      auto copy = std::make_unique<Aggregate>();
      copy->op = from.op;
      copy->operand = promql::clone(*from.operand);
      if (from.param) copy->param = promql::clone(*from.param);
      copy->grouping = from.grouping;
      copy->without = from.without;
      return copy;
    }
    case ExprKind::kBinary: {
      const auto& from = as<Binary>(expr);
      auto copy = std::make_unique<Binary>(from.type(), from.op);
      copy->lhs = promql::clone(*from.lhs);
      copy->rhs = promql::clone(*from.rhs);
      copy->matching = from.matching;
      copy->return_bool = from.return_bool;
      return copy;
    }
    case ExprKind::kUnary: {
      const auto& from = as<Unary>(expr);
      auto copy = std::make_unique<Unary>(from.type());
      copy->negate = from.negate;
      copy->operand = promql::clone(*from.operand);
      return copy;
    }
    case ExprKind::kParen: {
      auto copy = std::make_unique<Paren>(expr.type());
      copy->inner = promql::clone(*as<Paren>(expr).inner);
      return copy;
    }
  }
  return nullptr;
}

}  // namespace

ExprPtr clone(const Expr& expr) {
  ExprPtr copy = clone_node(expr);
  copy->position = expr.position;
  copy->height = expr.height;
  return copy;
}

}  // namespace varve::promql
