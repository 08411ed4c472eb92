// SPDX-License-Identifier: Apache-2.0
#include "rules/evaluation_order.h"

#include <set>
#include <string>
#include <string_view>

#include "rules/alert.h"

namespace varve::rules {
namespace {

using promql::Expr;
using promql::ExprKind;

// The metrics that an expression reads, or that it may read any.
struct Inputs {
  std::set<std::string, std::less<>> metrics;
  bool anything = false;
};

void add_selector(const promql::VectorSelector& selector, Inputs& inputs) {
  std::string_view name = selector.name;
  for (const model::Matcher& matcher : selector.matchers) {
    if (name.empty() && matcher.name() == kMetricName &&
        matcher.type() == model::MatchType::kEqual) {
      name = matcher.value();
    }
  }
  if (name.empty() || name == kAlertsMetric || name == kForStateMetric) {
    inputs.anything = true;
  } else {
    inputs.metrics.emplace(name);
  }
}

void add_inputs(const Expr* expr, Inputs& inputs) {
  if (expr == nullptr) return;
  switch (expr->kind()) {
    case ExprKind::kNumber:
    case ExprKind::kString:
      return;
    case ExprKind::kVectorSelector:
      return add_selector(promql::as<promql::VectorSelector>(*expr), inputs);
    case ExprKind::kMatrixSelector:
      return add_selector(*promql::as<promql::MatrixSelector>(*expr).selector, inputs);
    case ExprKind::kSubquery:
      return add_inputs(promql::as<promql::Subquery>(*expr).operand.get(), inputs);
    case ExprKind::kCall:
      for (const auto& arg : promql::as<promql::Call>(*expr).args) add_inputs(arg.get(), inputs);
      return;
    case ExprKind::kAggregate:
      add_inputs(promql::as<promql::Aggregate>(*expr).operand.get(), inputs);
      return add_inputs(promql::as<promql::Aggregate>(*expr).param.get(), inputs);
    case ExprKind::kBinary:
      add_inputs(promql::as<promql::Binary>(*expr).lhs.get(), inputs);
      return add_inputs(promql::as<promql::Binary>(*expr).rhs.get(), inputs);
    case ExprKind::kUnary:
      return add_inputs(promql::as<promql::Unary>(*expr).operand.get(), inputs);
    case ExprKind::kParen:
      return add_inputs(promql::as<promql::Paren>(*expr).inner.get(), inputs);
  }
}

std::vector<std::vector<std::size_t>> one_by_one(std::size_t count) {
  std::vector<std::vector<std::size_t>> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back({i});
  return out;
}

}  // namespace

std::vector<std::vector<std::size_t>> evaluation_order(std::span<const RuleDependencies> rules) {
  std::set<std::string, std::less<>> written, read;
  std::vector<Inputs> inputs(rules.size());
  for (std::size_t i = 0; i < rules.size(); ++i) {
    add_inputs(rules[i].expression, inputs[i]);
    if (inputs[i].anything) return one_by_one(rules.size());
    read.insert(inputs[i].metrics.begin(), inputs[i].metrics.end());
    if (rules[i].options->kind == RuleKind::kRecording) written.insert(rules[i].options->name);
  }
  std::vector<std::size_t> first, last;
  std::vector<std::vector<std::size_t>> out;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    bool depends = false;
    for (const std::string& metric : inputs[i].metrics) depends |= written.contains(metric);
    const bool is_read =
        rules[i].options->kind == RuleKind::kRecording && read.contains(rules[i].options->name);
    if (!depends) {
      first.push_back(i);
    } else if (is_read) {
      out.push_back({i});
    } else {
      last.push_back(i);
    }
  }
  if (!first.empty()) out.insert(out.begin(), std::move(first));
  if (!last.empty()) out.push_back(std::move(last));
  return out;
}

}  // namespace varve::rules
