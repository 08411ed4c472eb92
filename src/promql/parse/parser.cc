// SPDX-License-Identifier: Apache-2.0
// Precedence climbing over the token stream. The first error is the answer; what follows a syntax
// error is not looked at. Semantic errors (an unknown function) let parsing go on, because a later
// one must not be reported before an earlier.
#include "promql/parser.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "base/try.h"
#include "model/number.h"
#include "promql/parse/function_table.h"
#include "promql/parse/precedence.h"
#include "promql/parse/selector_parser.h"
#include "promql/parse/text.h"
#include "promql/parse/type_check.h"

namespace varve::promql {
namespace {

class Parser : private SelectorParser {
 public:
  Parser(std::string_view text, const Features& features) : SelectorParser(text, features) {}

  Result<ExprPtr> expression() {
    if (current().is(TokenType::kEnd)) {
      fail({0, 0}, "no expression found in input");
      return *error_;
    }
    ExprPtr expr = binary(kLowestPrecedence);
    if (expr && !current().is(TokenType::kEnd)) unexpected();
    if (error_) return *error_;
    VARVE_TRY(check_types(*expr, text_));
    return expr;
  }

  Result<model::Matchers> selector() {
    std::unique_ptr<VectorSelector> result;
    const Token& token = current();
    if (token.is(TokenType::kLeftBrace)) {
      result = vector_selector(nullptr);
    } else if (is_metric_name(token)) {
      const Token name = take();
      result = vector_selector(&name);
    } else {
      unexpected();
    }
    if (result && !current().is(TokenType::kEnd)) unexpected();
    if (error_) return *error_;
    return std::move(result->matchers);
  }

 private:
  // ---- building ----

  // Takes the node if the tree under it is not too high.
  template <typename Node>
  ExprPtr finish(std::unique_ptr<Node> node, std::uint32_t start,
                 std::initializer_list<const Expr*> children) {
    std::uint32_t height = 0;
    for (const Expr* child : children) {
      if (child != nullptr) height = std::max(height, child->height);
    }
    node->height = height + 1;
    node->position = {start, last_end_};
    if (node->height > kExpressionDepthMax) return too_deep(start);
    return node;
  }
  // ---- expressions ----

  // Operators that bind at least as tightly as `lowest`.
  ExprPtr binary(int lowest) {
    const std::uint32_t start = current().start;
    if (depth_ >= kExpressionNestingMax) return too_deep(start, kExpressionNestingMax);
    ++depth_;
    ExprPtr lhs = unary();
    while (lhs && current().is(TokenType::kOperator) && precedence(current().op) >= lowest) {
      lhs = binary_rest(std::move(lhs));
    }
    --depth_;
    return lhs;
  }

  ExprPtr binary_rest(ExprPtr lhs) {
    const BinaryOp op = take().op;
    VectorMatching matching;
    bool return_bool = false;
    if (!binary_modifiers(matching, return_bool)) return nullptr;
    const int level = precedence(op);
    ExprPtr rhs = binary(op == BinaryOp::kPower ? level : level + 1);
    if (!rhs) return nullptr;
    const std::uint32_t start = lhs->position.start;
    if ((matching.fill_left || matching.fill_right) && !features_.binop_fill_modifiers) {
      fail({start, last_end_}, "binop fill modifiers are experimental and not enabled");
    }
    const bool scalars = lhs->type() == ValueType::kScalar && rhs->type() == ValueType::kScalar;
    auto node = std::make_unique<Binary>(scalars ? ValueType::kScalar : ValueType::kVector, op);
    node->matching = std::move(matching);
    node->return_bool = return_bool;
    node->lhs = std::move(lhs);
    node->rhs = std::move(rhs);
    const Expr* left = node->lhs.get();
    const Expr* right = node->rhs.get();
    ExprPtr finished = finish(std::move(node), start, {left, right});
    if (finished) finished->position.end = right->position.end;
    return finished;
  }

  bool binary_modifiers(VectorMatching& matching, bool& return_bool) {
    return_bool = accept(TokenType::kBool);
    if (current().is(TokenType::kOn) || current().is(TokenType::kIgnoring)) {
      matching.on = take().is(TokenType::kOn);
      if (!grouping_labels(matching.labels)) return false;
      if (current().is(TokenType::kGroupLeft) || current().is(TokenType::kGroupRight)) {
        matching.cardinality = take().is(TokenType::kGroupLeft) ? MatchCardinality::kManyToOne
                                                                : MatchCardinality::kOneToMany;
        if (current().is(TokenType::kLeftParen) && !grouping_labels(matching.include)) return false;
      }
    }
    return fill_modifiers(matching);
  }

  // fill(v), or fill_left(v) and fill_right(v) in either order.
  bool fill_modifiers(VectorMatching& matching) {
    if (current().is(TokenType::kFill)) {
      take();
      matching.fill_left = fill_value();
      matching.fill_right = matching.fill_left;
      return matching.fill_left.has_value();
    }
    for (;;) {
      std::optional<double>* target = nullptr;
      if (current().is(TokenType::kFillLeft)) target = &matching.fill_left;
      if (current().is(TokenType::kFillRight)) target = &matching.fill_right;
      if (target == nullptr) return true;
      if (target->has_value()) {
        unexpected();
        return false;
      }
      take();
      *target = fill_value();
      if (!target->has_value()) return false;
    }
  }

  std::optional<double> fill_value() {
    if (!accept(TokenType::kLeftParen)) {
      unexpected();
      return std::nullopt;
    }
    const std::optional<double> value = signed_number();
    if (!value || !accept(TokenType::kRightParen)) {
      unexpected();
      return std::nullopt;
    }
    return value;
  }

  ExprPtr unary() {
    const std::uint32_t start = current().start;
    if (!current().is_operator(BinaryOp::kAdd) && !current().is_operator(BinaryOp::kSubtract)) {
      return postfix();
    }
    const bool negate = take().op == BinaryOp::kSubtract;
    ExprPtr operand = binary(kPowerPrecedence);
    if (!operand) return nullptr;
    if (operand->kind() == ExprKind::kNumber) {
      auto& literal = as<NumberLiteral>(*operand);
      if (negate) literal.value = -literal.value;
      literal.position.start = start;
      return operand;
    }
    auto node = std::make_unique<Unary>(operand->type());
    node->negate = negate;
    node->operand = std::move(operand);
    const Expr* child = node->operand.get();
    return finish(std::move(node), start, {child});
  }

  // A primary expression and the brackets, offset, @, anchored and smoothed behind it.
  ExprPtr postfix() {
    ExprPtr expr = primary();
    while (expr) {
      switch (current().type) {
        case TokenType::kLeftBracket: expr = brackets(std::move(expr)); break;
        case TokenType::kOffset: expr = offset(std::move(expr)); break;
        case TokenType::kAt: expr = at(std::move(expr)); break;
        case TokenType::kAnchored:
        case TokenType::kSmoothed: extend(*expr, take()); break;
        default: return expr;
      }
    }
    return nullptr;
  }

  static bool is_function_name(const Token& token) {
    switch (token.type) {
      case TokenType::kIdentifier:
      case TokenType::kStart:
      case TokenType::kEndKeyword:
      case TokenType::kStep:
      case TokenType::kRange:
      case TokenType::kMinOf:
      case TokenType::kMaxOf: return true;
      default: return false;
    }
  }

  ExprPtr primary() {
    const std::uint32_t start = current().start;
    switch (current().type) {
      case TokenType::kNumber:
      case TokenType::kDuration: {
        auto node = std::make_unique<NumberLiteral>();
        node->with_unit = current().is(TokenType::kDuration);
        node->value = literal_value(take());
        return finish(std::move(node), start, {});
      }
      case TokenType::kString: {
        auto node = std::make_unique<StringLiteral>();
        node->value = unquote(take().text);
        return finish(std::move(node), start, {});
      }
      case TokenType::kLeftParen: return paren();
      case TokenType::kLeftBrace: return vector_selector(nullptr);
      default: break;
    }
    if (!is_metric_name(current())) return unexpected();
    const Token name = take();
    if (name.is(TokenType::kAggregator) &&
        (current().is(TokenType::kLeftParen) || current().is(TokenType::kBy) ||
         current().is(TokenType::kWithout))) {
      return aggregate(name);
    }
    if (current().is(TokenType::kLeftParen) && is_function_name(name)) return call(name);
    return vector_selector(&name);
  }

  ExprPtr paren() {
    const std::uint32_t start = take().start;
    ExprPtr inner = binary(kLowestPrecedence);
    if (!inner) return nullptr;
    if (!accept(TokenType::kRightParen)) return unexpected();
    auto node = std::make_unique<Paren>(inner->type());
    node->inner = std::move(inner);
    const Expr* child = node->inner.get();
    return finish(std::move(node), start, {child});
  }

  // ---- calls and aggregations ----

  // "(" and the arguments up to and with ")".
  bool arguments(std::vector<ExprPtr>& args) {
    if (!accept(TokenType::kLeftParen)) {
      unexpected();
      return false;
    }
    while (!current().is(TokenType::kRightParen)) {
      ExprPtr arg = binary(kLowestPrecedence);
      if (!arg) return false;
      args.push_back(std::move(arg));
      if (current().is(TokenType::kRightParen)) break;
      if (!current().is(TokenType::kComma)) {
        unexpected();
        return false;
      }
      const Token comma = take();
      if (current().is(TokenType::kRightParen) || current().is(TokenType::kComma)) {
        fail({comma.start, comma.end()}, "trailing commas not allowed in function call args");
        return false;
      }
    }
    take();
    return true;
  }

  ExprPtr call(const Token& name) {
    std::vector<ExprPtr> args;
    if (!arguments(args)) return nullptr;
    const Function* function = find_function(to_lower_if_keyword(name));
    const Position at{name.start, name.end()};
    if (function == nullptr) {
      fail(at, "unknown function with name " + quote(name.text));
      return nullptr;
    }
    if (function->experimental && !features_.experimental_functions) {
      fail(at, "function " + quote(name.text) + " is not enabled");
    }
    auto node = std::make_unique<Call>(function->return_type);
    node->function = function;
    node->args = std::move(args);
    std::uint32_t height = 0;
    for (const ExprPtr& arg : node->args) height = std::max(height, arg->height);
    ExprPtr finished = finish(std::move(node), name.start, {});
    finished->height = height + 1;
    if (finished->height > kExpressionDepthMax) return too_deep(name.start);
    return finished;
  }

  // Function names are case-sensitive, but the words the grammar knows are not.
  static std::string to_lower_if_keyword(const Token& name) {
    return name.is(TokenType::kIdentifier) ? std::string(name.text) : to_lower(name.text);
  }

  ExprPtr aggregate(const Token& name) {
    const std::string_view outer_context = std::exchange(context_, "aggregation");
    ExprPtr result = aggregate_body(name);
    context_ = outer_context;
    return result;
  }

  bool aggregate_modifier(Aggregate& node) {
    if (!current().is(TokenType::kBy) && !current().is(TokenType::kWithout)) return true;
    node.without = take().is(TokenType::kWithout);
    return grouping_labels(node.grouping);
  }

  ExprPtr aggregate_body(const Token& name) {
    auto node = std::make_unique<Aggregate>();
    node->op = name.aggregate;
    const bool modifier_first = !current().is(TokenType::kLeftParen);
    if (!aggregate_modifier(*node)) return nullptr;
    std::vector<ExprPtr> args;
    if (!arguments(args)) return nullptr;
    if (!modifier_first && !aggregate_modifier(*node)) return nullptr;

    const Position position{name.start, last_end_};
    const bool experimental =
        node->op == AggregateOp::kLimitk || node->op == AggregateOp::kLimitRatio;
    const std::size_t wanted = has_parameter(node->op) ? 2 : 1;
    if (args.empty()) {
      fail(position, "no arguments for aggregate expression provided");
      return nullptr;
    }
    if (experimental && !features_.experimental_functions) {
      fail(position, std::string(to_string(node->op)) +
                         "() is experimental and must be enabled with "
                         "--enable-feature=promql-experimental-functions");
      return nullptr;
    }
    if (args.size() != wanted) {
      fail(position, "wrong number of arguments for aggregate expression provided, expected " +
                         std::to_string(wanted) + ", got " + std::to_string(args.size()));
      return nullptr;
    }
    node->operand = std::move(args.back());
    if (wanted == 2) node->param = std::move(args.front());
    const Expr* operand = node->operand.get();
    const Expr* param = node->param.get();
    return finish(std::move(node), name.start, {operand, param});
  }

  // ---- selectors ----

  ExprPtr brackets(ExprPtr operand) {
    const std::uint32_t open = take().start;
    const std::uint32_t start = operand->position.start;
    std::optional<Duration> range = positive_duration("subquery or range selector",
                                                      kDurationExpected);
    if (!range) return nullptr;
    if (current().is(TokenType::kColon)) {
      take();
      auto node = std::make_unique<Subquery>();
      node->range = std::move(*range);
      if (!current().is(TokenType::kRightBracket)) {
        node->step = positive_duration("subquery selector",
                                       "number, duration, step(), range(), or \"]\"");
        if (!node->step) return nullptr;
      }
      if (!accept(TokenType::kRightBracket)) return unexpected("subquery selector", "\"]\"");
      node->operand = std::move(operand);
      const Expr* child = node->operand.get();
      return finish(std::move(node), start, {child});
    }
    if (!accept(TokenType::kRightBracket)) {
      return unexpected("subquery or range", "\":\" or \"]\"");
    }
    return matrix_selector(std::move(operand), std::move(*range), open);
  }

  ExprPtr matrix_selector(ExprPtr operand, Duration range, std::uint32_t open) {
    const Position in_brackets{open, last_end_};
    if (operand->kind() != ExprKind::kVectorSelector) {
      fail(in_brackets, "ranges only allowed for vector selectors");
      return nullptr;
    }
    std::unique_ptr<VectorSelector> selector(&as<VectorSelector>(*operand.release()));
    if (selector->offset.ms != 0 || selector->offset.expression) {
      fail(in_brackets, "no offset modifiers allowed before range");
    } else if (selector->at.anchor != AtAnchor::kNone) {
      fail(in_brackets, "no @ modifiers allowed before range");
    }
    const std::uint32_t start = selector->position.start;
    auto node = std::make_unique<MatrixSelector>();
    node->selector = std::move(selector);
    node->range = std::move(range);
    const Expr* child = node->selector.get();
    return finish(std::move(node), start, {child});
  }

  // The selector or subquery that offset, @ and the like belong to.
  struct Modified {
    Duration* offset = nullptr;
    AtModifier* at = nullptr;
  };
  static Modified modified(Expr& expr) {
    switch (expr.kind()) {
      case ExprKind::kVectorSelector: {
        auto& selector = as<VectorSelector>(expr);
        return {&selector.offset, &selector.at};
      }
      case ExprKind::kMatrixSelector: {
        VectorSelector& selector = *as<MatrixSelector>(expr).selector;
        return {&selector.offset, &selector.at};
      }
      case ExprKind::kSubquery: {
        auto& subquery = as<Subquery>(expr);
        return {&subquery.offset, &subquery.at};
      }
      default: return {};
    }
  }

  ExprPtr offset(ExprPtr expr) {
    take();
    std::optional<Duration> duration = offset_duration();
    if (!duration) return nullptr;
    const Modified target = modified(*expr);
    if (target.offset == nullptr) {
      fail(expr->position,
           "offset modifier must be preceded by an instant vector selector or range vector "
           "selector or a subquery");
    } else if (target.offset->ms != 0 || target.offset->expression) {
      fail(expr->position, "offset may not be set multiple times");
    } else {
      *target.offset = std::move(*duration);
      expr->position.end = last_end_;
    }
    return expr;
  }

  ExprPtr at(ExprPtr expr) {
    take();
    AtModifier modifier;
    if (current().is(TokenType::kStart) || current().is(TokenType::kEndKeyword)) {
      modifier.anchor = take().is(TokenType::kStart) ? AtAnchor::kStart : AtAnchor::kEnd;
      if (!accept(TokenType::kLeftParen)) return unexpected("@", "timestamp");
      if (!accept(TokenType::kRightParen)) return unexpected("@", "timestamp");
    } else if (const std::optional<double> seconds = signed_number()) {
      modifier.anchor = AtAnchor::kTime;
      constexpr double kInt64Max = 9223372036854775807.0;
      if (!(std::fabs(*seconds) < kInt64Max)) {
        fail(expr->position, "timestamp out of bounds for @ modifier: " +
                                 model::format_float_fixed(*seconds));
        return expr;
      }
      const double ms = std::round(*seconds * 1000);
      modifier.time_ms = ms >= kInt64Max    ? std::numeric_limits<Timestamp>::max()
                         : ms <= -kInt64Max ? std::numeric_limits<Timestamp>::min()
                                            : static_cast<Timestamp>(ms);
    } else {
      return unexpected("@", "timestamp");
    }
    const Modified target = modified(*expr);
    if (target.at == nullptr) {
      fail(expr->position,
           "@ modifier must be preceded by an instant vector selector or range vector selector or "
           "a subquery");
    } else if (target.at->anchor != AtAnchor::kNone) {
      fail(expr->position, "@ <timestamp> may not be set multiple times");
    } else {
      *target.at = modifier;
      expr->position.end = last_end_;
    }
    return expr;
  }

  void extend(Expr& expr, const Token& keyword) {
    const bool anchored = keyword.is(TokenType::kAnchored);
    const std::string word = anchored ? "anchored" : "smoothed";
    VectorSelector* selector = nullptr;
    if (expr.kind() == ExprKind::kVectorSelector) selector = &as<VectorSelector>(expr);
    if (expr.kind() == ExprKind::kMatrixSelector) {
      selector = as<MatrixSelector>(expr).selector.get();
    }
    const RangeExtension wanted = anchored ? RangeExtension::kAnchored : RangeExtension::kSmoothed;
    if (!features_.extended_range_selectors) {
      fail(expr.position, word + " modifier is experimental and not enabled");
    } else if (expr.kind() == ExprKind::kSubquery) {
      fail(expr.position, word + " modifier is not supported for subqueries");
    } else if (selector == nullptr) {
      fail(expr.position, word + " modifier not implemented");
    } else if (selector->extension != RangeExtension::kNone && selector->extension != wanted) {
      fail(expr.position, "anchored and smoothed modifiers cannot be used together");
    } else {
      selector->extension = wanted;
      expr.position.end = last_end_;
    }
  }

};

Status check_length(std::string_view text) {
  if (text.size() <= kExpressionBytesMax) return {};
  return Error(ErrorCode::kInvalidArgument,
               "expression of " + std::to_string(text.size()) + " bytes exceeds the limit of " +
                   std::to_string(kExpressionBytesMax));
}

}  // namespace

Result<ExprPtr> parse(std::string_view expression, const Features& features) {
  VARVE_TRY(check_length(expression));
  return Parser(expression, features).expression();
}

Result<model::Matchers> parse_selector(std::string_view selector) {
  VARVE_TRY(check_length(selector));
  return Parser(selector, Features{}).selector();
}

}  // namespace varve::promql
