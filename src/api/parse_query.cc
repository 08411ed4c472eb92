// SPDX-License-Identifier: Apache-2.0
// The syntax tree of an expression as JSON, for tree views: Prometheus's field names, keys sorted
// as its encoder sorts them. What needs a feature flag (anchored, smoothed, fillValues) is only
// there if the expression uses it, so that plain expressions look the same to clients of any 3.x.
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "api/call.h"
#include "api/json.h"
#include "api/routes.h"
#include "model/number.h"
#include "promql/ast.h"
#include "promql/engine.h"
#include "promql/parser.h"

namespace varve::api {
namespace {

using promql::as;
using promql::ExprKind;

void append_bool(std::string& out, bool value) { out += value ? "true" : "false"; }

void append_anchor(std::string& out, const promql::AtModifier& at) {
  out += ",\"startOrEnd\":";
  out += at.anchor == promql::AtAnchor::kStart ? "\"start\""
         : at.anchor == promql::AtAnchor::kEnd ? "\"end\""
                                               : "null";
}

void append_timestamp(std::string& out, const promql::AtModifier& at) {
  out += ",\"timestamp\":";
  out += at.anchor == promql::AtAnchor::kTime ? std::to_string(at.time_ms) : "null";
}

void append_matchers(std::string& out, const model::Matchers& matchers) {
  out += "\"matchers\":[";
  for (const model::Matcher& matcher : matchers) {
    if (&matcher != &matchers.front()) out += ',';
    out += "{\"name\":";
    append_json_string(out, matcher.name());
    out += ",\"type\":";
    append_json_string(out, model::to_string(matcher.type()));
    out += ",\"value\":";
    append_json_string(out, matcher.value());
    out += '}';
  }
  out += ']';
}

// Of a selector, with the range of a matrix selector if there is one.
void append_selector(std::string& out, const promql::VectorSelector& selector,
                     const promql::Duration* range) {
  out += '{';
  if (selector.extension == promql::RangeExtension::kAnchored) out += "\"anchored\":true,";
  append_matchers(out, selector.matchers);
  out += ",\"name\":";
  append_json_string(out, selector.name);
  out += ",\"offset\":" + std::to_string(selector.offset.ms);
  if (range != nullptr) out += ",\"range\":" + std::to_string(range->ms);
  if (selector.extension == promql::RangeExtension::kSmoothed) out += ",\"smoothed\":true";
  append_anchor(out, selector.at);
  append_timestamp(out, selector.at);
  out += range != nullptr ? ",\"type\":\"matrixSelector\"}" : ",\"type\":\"vectorSelector\"}";
}

void append_matching(std::string& out, const std::optional<promql::VectorMatching>& matching) {
  out += ",\"matching\":";
  if (!matching) {
    out += "null";
    return;
  }
  out += "{\"card\":";
  append_json_string(out, promql::to_string(matching->cardinality));
  if (matching->fill_left || matching->fill_right) {
    const auto append_fill = [&out](std::string_view name, const std::optional<double>& fill) {
      out.append("\"").append(name).append("\":");
      out += fill ? model::format_float(*fill) : "null";
    };
    out += ",\"fillValues\":{";
    append_fill("lhs", matching->fill_left);
    out += ',';
    append_fill("rhs", matching->fill_right);
    out += '}';
  }
  out += ",\"include\":";
  append_json_strings(out, matching->include);
  out += ",\"labels\":";
  append_json_strings(out, matching->labels);
  out += ",\"on\":";
  append_bool(out, matching->on);
  out += '}';
}

void append_function(std::string& out, const promql::FunctionSignature& function) {
  out += "\"func\":{\"argTypes\":[";
  bool first = true;
  for (const promql::ValueType type : function.arg_types) {
    if (!first) out += ',';
    first = false;
    append_json_string(out, promql::to_string(type));
  }
  out += "],\"name\":";
  append_json_string(out, function.name);
  out += ",\"returnType\":";
  append_json_string(out, promql::to_string(function.return_type));
  out += ",\"variadic\":" + std::to_string(function.variadic) + '}';
}

// As deep as the tree, which the parser bounds.
void append_tree(std::string& out, const promql::Expr& expr) {
  switch (expr.kind()) {
    case ExprKind::kNumber:
      out += "{\"type\":\"numberLiteral\",\"val\":";
      append_json_string(out,
                         model::format_float_positional(as<promql::NumberLiteral>(expr).value));
      out += '}';
      return;
    case ExprKind::kString:
      out += "{\"type\":\"stringLiteral\",\"val\":";
      append_json_string(out, as<promql::StringLiteral>(expr).value);
      out += '}';
      return;
    case ExprKind::kVectorSelector:
      return append_selector(out, as<promql::VectorSelector>(expr), nullptr);
    case ExprKind::kMatrixSelector: {
      const auto& matrix = as<promql::MatrixSelector>(expr);
      return append_selector(out, *matrix.selector, &matrix.range);
    }
    case ExprKind::kSubquery: {
      const auto& subquery = as<promql::Subquery>(expr);
      out += "{\"expr\":";
      append_tree(out, *subquery.operand);
      out += ",\"offset\":" + std::to_string(subquery.offset.ms);
      out += ",\"range\":" + std::to_string(subquery.range.ms);
      append_anchor(out, subquery.at);
      out += ",\"step\":" + std::to_string(subquery.step ? subquery.step->ms : 0);
      append_timestamp(out, subquery.at);
      out += ",\"type\":\"subquery\"}";
      return;
    }
    case ExprKind::kCall: {
      const auto& call = as<promql::Call>(expr);
      out += "{\"args\":[";
      for (std::size_t i = 0; i < call.args.size(); ++i) {
        if (i > 0) out += ',';
        append_tree(out, *call.args[i]);
      }
      out += "],";
      append_function(out, promql::signature_of(*call.function));
      out += ",\"type\":\"call\"}";
      return;
    }
    case ExprKind::kAggregate: {
      const auto& aggregate = as<promql::Aggregate>(expr);
      out += "{\"expr\":";
      append_tree(out, *aggregate.operand);
      out += ",\"grouping\":";
      append_json_strings(out, aggregate.grouping);
      out += ",\"op\":";
      append_json_string(out, promql::to_string(aggregate.op));
      out += ",\"param\":";
      if (aggregate.param) {
        append_tree(out, *aggregate.param);
      } else {
        out += "null";
      }
      out += ",\"type\":\"aggregation\",\"without\":";
      append_bool(out, aggregate.without);
      out += '}';
      return;
    }
    case ExprKind::kBinary: {
      const auto& binary = as<promql::Binary>(expr);
      out += "{\"bool\":";
      append_bool(out, binary.return_bool);
      out += ",\"lhs\":";
      append_tree(out, *binary.lhs);
      append_matching(out, binary.matching);
      out += ",\"op\":";
      append_json_string(out, promql::to_string(binary.op));
      out += ",\"rhs\":";
      append_tree(out, *binary.rhs);
      out += ",\"type\":\"binaryExpr\"}";
      return;
    }
    case ExprKind::kUnary: {
      const auto& unary = as<promql::Unary>(expr);
      out += "{\"expr\":";
      append_tree(out, *unary.operand);
      out += unary.negate ? ",\"op\":\"-\"" : ",\"op\":\"+\"";
      out += ",\"type\":\"unaryExpr\"}";
      return;
    }
    case ExprKind::kParen:
      out += "{\"expr\":";
      append_tree(out, *as<promql::Paren>(expr).inner);
      out += ",\"type\":\"parenExpr\"}";
      return;
  }
}

void parse_query(const CallPtr& call) {
  auto expression =
      promql::parse(call->parameter("query"), call->services.engine->options().features);
  if (!expression.ok()) {
    return call->fail(std::move(expression).error().with("invalid parameter \"query\""));
  }
  std::string json;
  append_tree(json, **expression);
  call->succeed(std::move(json));
}

constexpr Route kRoutes[] = {
    {"GET,POST", "/api/v1/parse_query", Kind::kWorker, parse_query},
};

}  // namespace

std::span<const Route> parse_query_routes() { return kRoutes; }

}  // namespace varve::api
