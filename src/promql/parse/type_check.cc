// SPDX-License-Identifier: Apache-2.0
#include "promql/parse/type_check.h"

#include <algorithm>
#include <string>

#include "base/try.h"
#include "promql/parse/function_table.h"
#include "promql/parser.h"
#include "promql/parse/text.h"
#include "varve/labels.h"

namespace varve::promql {
namespace {

class Checker {
 public:
  explicit Checker(std::string_view text) : text_(text) {}

  // Operands first, so that the innermost mistake is the one reported. The tree is at most
  // kExpressionDepthMax high, which bounds the recursion.
  Status check(Expr& expr) const {
    switch (expr.kind()) {
      case ExprKind::kNumber:
      case ExprKind::kString: return {};
      case ExprKind::kVectorSelector: return check_selector(as<VectorSelector>(expr));
      case ExprKind::kMatrixSelector: return check_selector(*as<MatrixSelector>(expr).selector);
      case ExprKind::kSubquery: return check_subquery(as<Subquery>(expr));
      case ExprKind::kCall: return check_call(as<Call>(expr));
      case ExprKind::kAggregate: return check_aggregate(as<Aggregate>(expr));
      case ExprKind::kBinary: return check_binary(as<Binary>(expr));
      case ExprKind::kUnary: return check_unary(as<Unary>(expr));
      case ExprKind::kParen: return check(*as<Paren>(expr).inner);
    }
    return {};
  }

 private:
  Error refused(Position position, std::string_view message) const {
    return Error(ErrorCode::kInvalidArgument, line_and_column(text_, position.start) +
                                                  ": parse error: " + std::string(message));
  }

  Status expect_type(Expr& expr, ValueType wanted, std::string_view context) const {
    VARVE_TRY(check(expr));
    if (expr.type() == wanted) return {};
    return refused(expr.position, "expected type " + std::string(documented_name(wanted)) + " in " +
                                      std::string(context) + ", got " +
                                      std::string(documented_name(expr.type())));
  }

  Status check_selector(const VectorSelector& selector) const {
    if (!selector.name.empty()) {
      // The last matcher is that of the name before the braces.
      for (std::size_t i = 0; i + 1 < selector.matchers.size(); ++i) {
        if (selector.matchers[i].name() != kMetricName) continue;
        return refused(selector.position, "metric name must not be set twice: " +
                                              quote(selector.name) + " or " +
                                              quote(selector.matchers[i].value()));
      }
      return {};
    }
    const bool selects = std::any_of(selector.matchers.begin(), selector.matchers.end(),
                                     [](const model::Matcher& m) { return !m.matches_empty(); });
    if (selects || selector.may_match_empty) return {};
    return refused(selector.position,
                   "vector selector must contain at least one non-empty matcher");
  }

  Status check_subquery(Subquery& subquery) const {
    VARVE_TRY(check(*subquery.operand));
    if (subquery.operand->type() == ValueType::kVector) return {};
    return refused(subquery.position, "subquery is only allowed on instant vector, got " +
                                          std::string(to_string(subquery.operand->type())) +
                                          " instead");
  }

  Status check_unary(Unary& unary) const {
    VARVE_TRY(check(*unary.operand));
    const ValueType type = unary.operand->type();
    if (type == ValueType::kScalar || type == ValueType::kVector) return {};
    return refused(unary.position,
                   "unary expression only allowed on expressions of type scalar or instant vector, "
                   "got " +
                       quote(documented_name(type)));
  }

  Status check_aggregate(Aggregate& aggregate) const {
    VARVE_TRY(expect_type(*aggregate.operand, ValueType::kVector, "aggregation expression"));
    if (!aggregate.param) return {};
    const ValueType wanted =
        aggregate.op == AggregateOp::kCountValues ? ValueType::kString : ValueType::kScalar;
    return expect_type(*aggregate.param, wanted, "aggregation parameter");
  }

  Status check_call(Call& call) const {
    const Function& function = *call.function;
    const std::string name = quote(function.name);
    const std::size_t count = call.args.size();
    const std::size_t declared = function.arg_types.size();
    const auto wrong_count = [&](std::string_view how, std::size_t wanted) {
      return refused(call.position, "expected " + std::string(how) + std::to_string(wanted) +
                                        " argument(s) in call to " + name + ", got " +
                                        std::to_string(count));
    };
    if (function.variadic == 0) {
      if (count != declared) return wrong_count("", declared);
    } else if (count + 1 < declared) {
      return wrong_count("at least ", declared - 1);
    } else if (function.variadic > 0) {
      const std::size_t count_max = declared - 1 + static_cast<std::size_t>(function.variadic);
      if (count > count_max) return wrong_count("at most ", count_max);
    }
    if (function.id == FunctionId::kInfo && count > 1) VARVE_TRY(check_info_selector(call));
    for (std::size_t i = 0; i < count; ++i) {
      const ValueType wanted = function.arg_types[std::min(i, declared - 1)];
      VARVE_TRY(expect_type_of_argument(*call.args[i], wanted, name));
    }
    return {};
  }

  Status expect_type_of_argument(Expr& arg, ValueType wanted, const std::string& function) const {
    VARVE_TRY(check(arg));
    if (arg.type() == wanted) return {};
    return refused(arg.position, "expected type " + std::string(documented_name(wanted)) +
                                     " in call to function " + function + ", got " +
                                     std::string(documented_name(arg.type())));
  }

  Status check_info_selector(Call& call) const {
    Expr& arg = *call.args[1];
    if (arg.type() != ValueType::kVector) {
      return refused(call.position,
                     "expected type instant vector in call to function \"info\", got " +
                         std::string(documented_name(arg.type())));
    }
    if (arg.kind() != ExprKind::kVectorSelector) {
      return refused(arg.position, "expected label selectors only");
    }
    auto& selector = as<VectorSelector>(arg);
    if (!selector.name.empty()) {
      return refused(arg.position, "expected label selectors only, got vector selector instead");
    }
    selector.may_match_empty = true;
    return {};
  }

  // The operator itself, between the operands.
  Position operator_position(const Binary& binary) const {
    std::uint32_t start = binary.lhs->position.end;
    while (start < text_.size() && is_space(static_cast<unsigned char>(text_[start]))) ++start;
    return {start, binary.rhs->position.start};
  }

  Status check_binary(Binary& binary) const {
    VARVE_TRY(check(*binary.lhs));
    VARVE_TRY(check(*binary.rhs));
    const ValueType left = binary.lhs->type();
    const ValueType right = binary.rhs->type();
    const bool set_operator = is_set_operator(binary.op);
    const std::string op = quote(to_string(binary.op));
    VectorMatching& matching = *binary.matching;

    if (binary.return_bool && !is_comparison(binary.op)) {
      return refused(operator_position(binary),
                     "bool modifier can only be used on comparison operators");
    }
    if (is_comparison(binary.op) && !binary.return_bool && left == ValueType::kScalar &&
        right == ValueType::kScalar) {
      return refused(operator_position(binary),
                     "comparisons between scalars must use BOOL modifier");
    }
    if (set_operator && matching.cardinality == MatchCardinality::kOneToOne) {
      matching.cardinality = MatchCardinality::kManyToMany;
    }
    for (const std::string& label : matching.labels) {
      const auto& include = matching.include;
      if (matching.on && std::find(include.begin(), include.end(), label) != include.end()) {
        return refused(operator_position(binary),
                       "label " + quote(label) + " must not occur in ON and GROUP clause at once");
      }
    }
    for (const Expr* operand : {binary.lhs.get(), binary.rhs.get()}) {
      if (operand->type() != ValueType::kScalar && operand->type() != ValueType::kVector) {
        return refused(operand->position,
                       "binary expression must contain only scalar and instant vector types");
      }
    }
    const bool fills = matching.fill_left || matching.fill_right;
    if (left != ValueType::kVector || right != ValueType::kVector) {
      if (!matching.labels.empty()) {
        return refused(binary.position, "vector matching only allowed between instant vectors");
      }
      if (fills) {
        return refused(binary.position,
                       "filling in missing series only allowed between instant vectors");
      }
      if (set_operator) {
        return refused(binary.position,
                       "set operator " + op + " not allowed in binary scalar expression");
      }
      binary.matching.reset();
    } else if (set_operator) {
      if (matching.cardinality != MatchCardinality::kManyToMany) {
        return refused(binary.position, "no grouping allowed for " + op + " operation");
      }
      if (fills) {
        return refused(binary.position, "filling in missing series not allowed for set operators");
      }
    }
    return {};
  }

  std::string_view text_;
};

}  // namespace

Status check_types(Expr& expr, std::string_view text) { return Checker(text).check(expr); }

}  // namespace varve::promql
