// SPDX-License-Identifier: Apache-2.0
// A function call ready to be handed arguments: the expression is parsed, scalars are constants.
#pragma once

#include <catch2/catch.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "promql/value/function_impl.h"
#include "promql/parser.h"

namespace varve::promql {

class CallFixture {
 public:
  // Every scalar argument must be a number.
  CallFixture(std::string_view expression, StepGrid step_grid) : grid(step_grid) {
    features.experimental_functions = true;
    Result<ExprPtr> parsed = parse(expression, features);
    REQUIRE(parsed.ok());
    expr_ = std::move(parsed).value();
    REQUIRE(expr_->kind() == ExprKind::kCall);
    const Call& parsed_call = as<Call>(*expr_);
    scalars_.reserve(parsed_call.args.size());
    for (const ExprPtr& arg : parsed_call.args) {
      ArgValue value;
      value.expr = arg.get();
      if (arg->type() == ValueType::kScalar) {
        scalars_.emplace_back(grid.count, number(*arg));
        value.scalar = &scalars_.back();
      } else if (arg->type() == ValueType::kString) {
        value.text = as<StringLiteral>(*arg).value;
      }
      values_.push_back(value);
    }
  }

  const FunctionImpl& impl() const {
    const FunctionImpl* found = find_function_impl(as<Call>(*expr_).function->id);
    REQUIRE(found != nullptr);
    return *found;
  }
  CallArgs args() { return {as<Call>(*expr_), values_}; }
  void set_vector(std::size_t arg, StepMatrix& matrix) { values_[arg].vector = &matrix; }

  StepGrid grid;
  Features features;
  AnnotationSink annotations;
  EvalContext context{grid, features, annotations, 300'000};

 private:
  static double number(const Expr& expr) {
    const Expr& bare = without_parens(expr);
    if (bare.kind() == ExprKind::kUnary) return -number(*as<Unary>(bare).operand);
    REQUIRE(bare.kind() == ExprKind::kNumber);
    return as<NumberLiteral>(bare).value;
  }

  ExprPtr expr_;
  std::vector<ScalarSteps> scalars_;
  std::vector<ArgValue> values_;
};

}  // namespace varve::promql
