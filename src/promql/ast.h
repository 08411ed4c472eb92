// SPDX-License-Identifier: Apache-2.0
// The syntax tree of PromQL 3.14. Nodes are plain data, owned by unique_ptr from the root down; the
// parser has checked types and arguments before anyone else sees them. What an expression *means*
// is the evaluator's business.
//
// Walk it with a switch over kind() and as<Node>(expr):
//   case ExprKind::kCall: return eval_call(as<Call>(expr));
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/matcher.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::promql {

struct Function;  // function_table.h

enum class ValueType : std::uint8_t { kNone, kScalar, kVector, kMatrix, kString };

// As the API and Prometheus's type errors name them: "scalar", "instant vector", "range vector",
// "string", "none".
std::string_view documented_name(ValueType type);
// "scalar", "vector", "matrix", "string", "none".
std::string_view to_string(ValueType type);

// Byte offsets into the expression text, [start, end).
struct Position {
  std::uint32_t start = 0;
  std::uint32_t end = 0;
  friend bool operator==(const Position&, const Position&) = default;
};

// "line:column" of a byte offset in a text, both from 1; columns count bytes, as Prometheus does.
std::string line_and_column(std::string_view text, std::uint32_t offset);

enum class ExprKind : std::uint8_t {
  kNumber,
  kString,
  kVectorSelector,
  kMatrixSelector,
  kSubquery,
  kCall,
  kAggregate,
  kBinary,
  kUnary,
  kParen,
};

class Expr {
 public:
  virtual ~Expr() = default;
  Expr(const Expr&) = delete;
  Expr& operator=(const Expr&) = delete;

  ExprKind kind() const { return kind_; }
  ValueType type() const { return type_; }

  Position position;
  // Levels of the tree from here down, this one included; at most kExpressionDepthMax (parser.h).
  std::uint32_t height = 1;

 protected:
  Expr(ExprKind kind, ValueType type) : type_(type), kind_(kind) {}
  ValueType type_;

 private:
  ExprKind kind_;
};

using ExprPtr = std::unique_ptr<Expr>;

// Precondition: expr.kind() is Node's.
template <typename Node>
const Node& as(const Expr& expr) {
  return static_cast<const Node&>(expr);
}
template <typename Node>
Node& as(Expr& expr) {
  return static_cast<Node&>(expr);
}

// ---- durations ----------------------------------------------------------------------------------

// What step(), range(), start() and end() stand for, of the query as a whole (also inside
// subqueries). An instant query has start == end and step 0.
struct DurationScope {
  Timestamp start_ms = 0;
  Timestamp end_ms = 0;
  std::int64_t step_ms = 0;
};

enum class DurationOp : std::uint8_t {
  kNumber,    // seconds
  kStep,      // step()
  kRange,     // range()
  kPlus,      // unary, of lhs
  kNegate,    // unary, of lhs
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kModulo,
  kPower,
  kMinOf,     // min_of(lhs, rhs)
  kMaxOf,     // max_of(lhs, rhs)
};

struct DurationExpr {
  DurationOp op = DurationOp::kNumber;
  double seconds = 0;         // kNumber
  bool with_unit = false;     // kNumber: written 5m, not 300
  bool parenthesized = false;
  std::unique_ptr<DurationExpr> lhs;
  std::unique_ptr<DurationExpr> rhs;
  Position position;
};

// A duration where the grammar wants one: a constant, or an expression for resolve_duration().
struct Duration {
  std::int64_t ms = 0;  // meaningful if !expression
  std::unique_ptr<DurationExpr> expression;
};

// Whether a duration must be positive (ranges, subquery steps) or may have any sign (offsets).
enum class DurationSign : std::uint8_t { kPositive, kAny };

// The value of a duration in milliseconds. kInvalidArgument with Prometheus's text, position in
// `text` included, for a division by zero, an overflow, or a range that is not positive.
Result<std::int64_t> resolve_duration(const Duration& duration, const DurationScope& scope,
                                      DurationSign sign, std::string_view text);

// ---- leaves ------------------------------------------------------------------------------------

struct NumberLiteral final : Expr {
  static constexpr ExprKind kKind = ExprKind::kNumber;
  NumberLiteral() : Expr(kKind, ValueType::kScalar) {}
  double value = 0;
  bool with_unit = false;  // written as a duration: 5m is 300
};

struct StringLiteral final : Expr {
  static constexpr ExprKind kKind = ExprKind::kString;
  StringLiteral() : Expr(kKind, ValueType::kString) {}
  std::string value;
};

enum class AtAnchor : std::uint8_t { kNone, kTime, kStart, kEnd };

// `@ 12.5`, `@ start()`, `@ end()`, or nothing.
struct AtModifier {
  AtAnchor anchor = AtAnchor::kNone;
  Timestamp time_ms = 0;  // kTime
};

// How a selector looks beyond the borders of its window (promql-extended-range-selectors).
enum class RangeExtension : std::uint8_t { kNone, kAnchored, kSmoothed };

struct VectorSelector final : Expr {
  static constexpr ExprKind kKind = ExprKind::kVectorSelector;
  VectorSelector() : Expr(kKind, ValueType::kVector) {}
  std::string name;  // as written before the braces, "" if there is none
  // With the one for `name`, if that is set, last. A name quoted in the braces is a matcher only.
  model::Matchers matchers;
  Duration offset;           // positive looks into the past
  AtModifier at;
  RangeExtension extension = RangeExtension::kNone;
  // Set for the second argument of info(), which may match the empty label set.
  bool may_match_empty = false;
};

// ---- nodes with operands
// -------------------------------------------------------------------------

// selector[range]. Offset and @ stand at the inner selector.
struct MatrixSelector final : Expr {
  static constexpr ExprKind kKind = ExprKind::kMatrixSelector;
  MatrixSelector() : Expr(kKind, ValueType::kMatrix) {}
  std::unique_ptr<VectorSelector> selector;  // never null
  Duration range;
};

// operand[range:step]
struct Subquery final : Expr {
  static constexpr ExprKind kKind = ExprKind::kSubquery;
  Subquery() : Expr(kKind, ValueType::kMatrix) {}
  ExprPtr operand;
  Duration range;
  std::optional<Duration> step;  // absent: the engine's default subquery step
  Duration offset;
  AtModifier at;
};

struct Call final : Expr {
  static constexpr ExprKind kKind = ExprKind::kCall;
  explicit Call(ValueType return_type) : Expr(kKind, return_type) {}
  const Function* function = nullptr;  // never null; in function_table.h
  std::vector<ExprPtr> args;
};

enum class AggregateOp : std::uint8_t {
  kSum,
  kAvg,
  kCount,
  kMin,
  kMax,
  kGroup,
  kStddev,
  kStdvar,
  kTopk,
  kBottomk,
  kCountValues,
  kQuantile,
  kLimitk,
  kLimitRatio,
};

std::string_view to_string(AggregateOp op);
// Whether the aggregator has a parameter: topk bottomk count_values quantile limitk limit_ratio.
bool has_parameter(AggregateOp op);

struct Aggregate final : Expr {
  static constexpr ExprKind kKind = ExprKind::kAggregate;
  Aggregate() : Expr(kKind, ValueType::kVector) {}
  AggregateOp op = AggregateOp::kSum;
  ExprPtr operand;
  ExprPtr param;                      // null unless has_parameter(op)
  std::vector<std::string> grouping;  // in the order written, duplicates kept
  bool without = false;
};

enum class BinaryOp : std::uint8_t {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kModulo,
  kPower,
  kAtan2,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kAnd,
  kOr,
  kUnless,
  kTrimUpper,  // </ : keep the part of a histogram below the right operand
  kTrimLower,  // >/ : keep the part above it
};

std::string_view to_string(BinaryOp op);
constexpr bool is_comparison(BinaryOp op) {
  return op >= BinaryOp::kEqual && op <= BinaryOp::kGreaterEqual;
}
constexpr bool is_set_operator(BinaryOp op) {
  return op >= BinaryOp::kAnd && op <= BinaryOp::kUnless;
}

enum class MatchCardinality : std::uint8_t { kOneToOne, kManyToOne, kOneToMany, kManyToMany };
// "one-to-one", "many-to-one", …
std::string_view to_string(MatchCardinality cardinality);

// How the elements of two vectors find each other.
struct VectorMatching {
  MatchCardinality cardinality = MatchCardinality::kOneToOne;
  bool on = false;                   // else ignoring; `ignoring ()` if labels is empty
  std::vector<std::string> labels;   // of on() or ignoring()
  std::vector<std::string> include;  // of group_left() or group_right()
  std::optional<double> fill_left;   // value of a missing left element (fill, fill_left)
  std::optional<double> fill_right;
};

struct Binary final : Expr {
  static constexpr ExprKind kKind = ExprKind::kBinary;
  Binary(ValueType type, BinaryOp binary_op) : Expr(kKind, type), op(binary_op) {}
  BinaryOp op;
  ExprPtr lhs;
  ExprPtr rhs;
  // Present exactly if both operands are vectors. Set operators are kManyToMany.
  std::optional<VectorMatching> matching;
  bool return_bool = false;
};

struct Unary final : Expr {
  static constexpr ExprKind kKind = ExprKind::kUnary;
  explicit Unary(ValueType type) : Expr(kKind, type) {}
  bool negate = false;  // else unary plus
  ExprPtr operand;
};

struct Paren final : Expr {
  static constexpr ExprKind kKind = ExprKind::kParen;
  explicit Paren(ValueType type) : Expr(kKind, type) {}
  ExprPtr inner;
};

// The expression inside any number of parentheses.
const Expr& without_parens(const Expr& expr);

// A deep copy.
ExprPtr clone(const Expr& expr);

}  // namespace varve::promql
