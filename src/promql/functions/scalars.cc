// SPDX-License-Identifier: Apache-2.0
// Functions that answer a scalar.
#include <limits>
#include <numbers>

#include "promql/functions/go_math.h"
#include "promql/functions/implementations.h"

namespace varve::promql::function_impls {
namespace {

template <double (*kChoose)(double, double)>
ScalarSteps choose(const CallArgs& args, const EvalContext& context) {
  ScalarSteps steps(context.grid.count);
  for (std::size_t step = 0; step < steps.size(); ++step) {
    steps[step] = kChoose(args.scalar(0, step), args.scalar(1, step));
  }
  return steps;
}

}  // namespace

// The value of the only float of a step; NaN if there is none or more than one.
Result<ScalarSteps> scalar(const CallArgs& args, EvalContext& context) {
  const std::size_t count = context.grid.count;
  ScalarSteps steps(count, std::numeric_limits<double>::quiet_NaN());
  std::vector<bool> found(count);
  for (const StepSeries& series : args.values[0].vector->series) {
    for (std::size_t step = 0; step < count; ++step) {
      if (series.kinds[step] != PointKind::kFloat) continue;
      steps[step] = found[step] ? std::numeric_limits<double>::quiet_NaN() : series.values[step];
      found[step] = true;
    }
  }
  return steps;
}

Result<ScalarSteps> time(const CallArgs&, EvalContext& context) {
  ScalarSteps steps(context.grid.count);
  for (std::size_t step = 0; step < steps.size(); ++step) {
    steps[step] = static_cast<double>(context.grid.at(step)) / 1000;
  }
  return steps;
}

Result<ScalarSteps> pi(const CallArgs&, EvalContext& context) {
  return ScalarSteps(context.grid.count, std::numbers::pi);
}

Result<ScalarSteps> max_of(const CallArgs& args, EvalContext& context) {
  return choose<go_max>(args, context);
}
Result<ScalarSteps> min_of(const CallArgs& args, EvalContext& context) {
  return choose<go_min>(args, context);
}

}  // namespace varve::promql::function_impls
