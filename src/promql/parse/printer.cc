// SPDX-License-Identifier: Apache-2.0
// Syntax tree to text, byte for byte as Prometheus prints it.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "model/duration.h"
#include "model/number.h"
#include "promql/parse/function_table.h"
#include "promql/parser.h"
#include "promql/parse/text.h"
#include "varve/labels.h"

namespace varve::promql {
namespace {

constexpr std::size_t kLineWidth = 100;

std::string print_labels(const std::vector<std::string>& labels) {
  std::string out = "(";
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (i > 0) out += ", ";
    out += is_plain_label_name(labels[i]) ? labels[i] : quote(labels[i]);
  }
  return out + ")";
}

std::string print_seconds(double seconds, bool with_unit) {
  if (!with_unit) return model::format_float_positional(seconds);
  const auto ms = static_cast<std::int64_t>(std::round(std::fabs(seconds) * 1000));
  return (seconds < 0 ? "-" : "") + model::format_duration(ms);
}

std::string print(const DurationExpr& expr) {
  const auto infix = [&](std::string_view op) {
    return print(*expr.lhs) + " " + std::string(op) + " " + print(*expr.rhs);
  };
  const auto of_two = [&](std::string_view name) {
    return std::string(name) + "(" + print(*expr.lhs) + ", " + print(*expr.rhs) + ")";
  };
  std::string out;
  switch (expr.op) {
    case DurationOp::kNumber: out = print_seconds(expr.seconds, expr.with_unit); break;
    case DurationOp::kStep: out = "step()"; break;
    case DurationOp::kRange: out = "range()"; break;
    case DurationOp::kPlus: out = print(*expr.lhs); break;
    case DurationOp::kNegate: out = "-" + print(*expr.lhs); break;
    case DurationOp::kAdd: out = infix("+"); break;
    case DurationOp::kSubtract: out = infix("-"); break;
    case DurationOp::kMultiply: out = infix("*"); break;
    case DurationOp::kDivide: out = infix("/"); break;
    case DurationOp::kModulo: out = infix("%"); break;
    case DurationOp::kPower: out = infix("^"); break;
    case DurationOp::kMinOf: out = of_two("min_of"); break;
    case DurationOp::kMaxOf: out = of_two("max_of"); break;
  }
  return expr.parenthesized ? "(" + out + ")" : out;
}

std::string print(const Duration& duration) {
  return duration.expression ? print(*duration.expression) : model::format_duration(duration.ms);
}

// Whether there is an operator outside of all brackets, signs aside.
bool is_infix(const DurationExpr& expr) {
  if (expr.parenthesized) return false;
  if (expr.op == DurationOp::kNegate) return is_infix(*expr.lhs);
  return expr.op >= DurationOp::kAdd && expr.op <= DurationOp::kPower;
}

std::string print_offset(const Duration& offset) {
  if (!offset.expression && offset.ms == 0) return "";
  // Without brackets `offset (1m)*2` would read as a product with the selector.
  if (offset.expression && is_infix(*offset.expression)) {
    return " offset (" + print(offset) + ")";
  }
  return " offset " + print(offset);
}

std::string print_at(const AtModifier& at) {
  switch (at.anchor) {
    case AtAnchor::kNone: return "";
    case AtAnchor::kStart: return " @ start()";
    case AtAnchor::kEnd: return " @ end()";
    case AtAnchor::kTime: break;
  }
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, " @ %.3f", static_cast<double>(at.time_ms) / 1000);
  return buffer;
}

std::string print_extension(RangeExtension extension) {
  switch (extension) {
    case RangeExtension::kNone: return "";
    case RangeExtension::kAnchored: return " anchored";
    case RangeExtension::kSmoothed: return " smoothed";
  }
  return "";
}

// The selector without its modifiers. Matchers are sorted as text.
std::string print_bare(const VectorSelector& selector) {
  std::vector<std::string> matchers;
  for (const model::Matcher& matcher : selector.matchers) {
    const bool is_name = matcher.name() == kMetricName && !matcher.value().empty() &&
                         matcher.type() == model::MatchType::kEqual &&
                         matcher.value() == selector.name;
    if (is_name) continue;
    const std::string& name = matcher.name();
    matchers.push_back((is_plain_label_name(name) ? name : quote(name)) +
                       std::string(to_string(matcher.type())) + quote(matcher.value()));
  }
  std::string out = selector.name;
  if (matchers.empty()) return out.empty() ? "{}" : out;
  std::sort(matchers.begin(), matchers.end());
  for (std::size_t i = 0; i < matchers.size(); ++i) out += (i == 0 ? "{" : ",") + matchers[i];
  return out + "}";
}

std::string print(const VectorSelector& selector) {
  return print_bare(selector) + print_at(selector.at) + print_extension(selector.extension) +
         print_offset(selector.offset);
}

std::string print(const MatrixSelector& matrix) {
  const VectorSelector& selector = *matrix.selector;
  return print_bare(selector) + "[" + print(matrix.range) + "]" +
         print_extension(selector.extension) + print_at(selector.at) +
         print_offset(selector.offset);
}

std::string print_subquery_suffix(const Subquery& subquery) {
  return "[" + print(subquery.range) + ":" + (subquery.step ? print(*subquery.step) : "") + "]" +
         print_at(subquery.at) + print_offset(subquery.offset);
}

// "sum by (a) ", "sum": what stands before the bracket.
std::string print_aggregate_head(const Aggregate& aggregate) {
  std::string out(to_string(aggregate.op));
  if (aggregate.without) return out + " without " + print_labels(aggregate.grouping) + " ";
  if (aggregate.grouping.empty()) return out;
  return out + " by " + print_labels(aggregate.grouping) + " ";
}

// The operator with everything between the operands.
std::string print_operator(const Binary& binary) {
  std::string out(to_string(binary.op));
  if (binary.return_bool) out += " bool";
  if (!binary.matching) return out;
  const VectorMatching& matching = *binary.matching;
  const bool left = matching.cardinality == MatchCardinality::kManyToOne;
  const bool right = matching.cardinality == MatchCardinality::kOneToMany;
  if (!matching.labels.empty() || matching.on || left || right) {
    out += (matching.on ? " on " : " ignoring ") + print_labels(matching.labels);
  }
  if (left || right) {
    out += (left ? " group_left " : " group_right ") + print_labels(matching.include);
  }
  const auto fill = [](std::string_view word, double value) {
    return " " + std::string(word) + " (" + model::format_float_g(value) + ")";
  };
  if (matching.fill_left && matching.fill_left == matching.fill_right) {
    return out + fill("fill", *matching.fill_left);
  }
  if (matching.fill_left) out += fill("fill_left", *matching.fill_left);
  if (matching.fill_right) out += fill("fill_right", *matching.fill_right);
  return out;
}

void print(const Expr& expr, std::string& out);

// A left operand. The sign of `+Inf ^ 2` would read as a unary plus around the power.
void print_base(const Expr& expr, BinaryOp op, std::string& out) {
  const bool infinite =
      expr.kind() == ExprKind::kNumber && std::isinf(as<NumberLiteral>(expr).value);
  if (op == BinaryOp::kPower && infinite) {
    out += "Inf";
  } else {
    print(expr, out);
  }
}

void print(const Expr& expr, std::string& out) {
  switch (expr.kind()) {
    case ExprKind::kNumber: {
      const auto& number = as<NumberLiteral>(expr);
      out += print_seconds(number.value, number.with_unit);
      return;
    }
    case ExprKind::kString: out += quote(as<StringLiteral>(expr).value); return;
    case ExprKind::kVectorSelector: out += print(as<VectorSelector>(expr)); return;
    case ExprKind::kMatrixSelector: out += print(as<MatrixSelector>(expr)); return;
    case ExprKind::kSubquery: {
      const auto& subquery = as<Subquery>(expr);
      print(*subquery.operand, out);
      out += print_subquery_suffix(subquery);
      return;
    }
    case ExprKind::kCall: {
      const auto& call = as<Call>(expr);
      out += call.function->name;
      out += '(';
      for (std::size_t i = 0; i < call.args.size(); ++i) {
        if (i > 0) out += ", ";
        print(*call.args[i], out);
      }
      out += ')';
      return;
    }
    case ExprKind::kAggregate: {
      const auto& aggregate = as<Aggregate>(expr);
      out += print_aggregate_head(aggregate) + "(";
      if (aggregate.param) {
        print(*aggregate.param, out);
        out += ", ";
      }
      print(*aggregate.operand, out);
      out += ')';
      return;
    }
    case ExprKind::kBinary: {
      const auto& binary = as<Binary>(expr);
      print_base(*binary.lhs, binary.op, out);
      out += " " + print_operator(binary) + " ";
      print(*binary.rhs, out);
      return;
    }
    case ExprKind::kUnary: {
      const auto& unary = as<Unary>(expr);
      out += unary.negate ? '-' : '+';
      print(*unary.operand, out);
      return;
    }
    case ExprKind::kParen:
      out += '(';
      print(*as<Paren>(expr).inner, out);
      out += ')';
      return;
  }
}

// What does not fit on a line is broken at its outermost node, its operands one level deeper. Every
// piece begins with its own indentation.
class PrettyPrinter {
 public:
  static std::string print(const Expr& expr, std::size_t level) {
    std::string line = to_string(expr);
    if (line.size() <= kLineWidth) return indent(level) + line;
    switch (expr.kind()) {
      case ExprKind::kAggregate: {
        const auto& node = as<Aggregate>(expr);
        std::string out = indent(level) + print_aggregate_head(node) + "(\n";
        if (node.param) out += print(*node.param, level + 1) + ",\n";
        return out + print(*node.operand, level + 1) + "\n" + indent(level) + ")";
      }
      case ExprKind::kBinary: {
        const auto& node = as<Binary>(expr);
        return print(*node.lhs, level + 1) + "\n" + indent(level) + print_operator(node) + "\n" +
               print(*node.rhs, level + 1);
      }
      case ExprKind::kCall: {
        const auto& node = as<Call>(expr);
        std::string out = indent(level) + std::string(node.function->name) + "(\n";
        for (std::size_t i = 0; i < node.args.size(); ++i) {
          if (i > 0) out += ",\n";
          out += print(*node.args[i], level + 1);
        }
        return out + "\n" + indent(level) + ")";
      }
      case ExprKind::kParen:
        return indent(level) + "(\n" + print(*as<Paren>(expr).inner, level + 1) + "\n" +
               indent(level) + ")";
      case ExprKind::kSubquery: {
        const auto& node = as<Subquery>(expr);
        return print(*node.operand, level) + print_subquery_suffix(node);
      }
      case ExprKind::kUnary: {
        const auto& node = as<Unary>(expr);
        const std::string operand = print(*node.operand, level);
        return indent(level) + (node.negate ? "-" : "+") +
               operand.substr(operand.find_first_not_of(' '));
      }
      default: return indent(level) + line;
    }
  }

 private:
  static std::string indent(std::size_t level) { return std::string(2 * level, ' '); }
};

}  // namespace

std::string to_string(const Expr& expr) {
  std::string out;
  print(expr, out);
  return out;
}

std::string pretty(const Expr& expr) { return PrettyPrinter::print(expr, 0); }

}  // namespace varve::promql
