// SPDX-License-Identifier: Apache-2.0
// Walks the syntax tree of one query and gives every expression its value on a grid of steps.
// Vectors that can be computed series by series stay sources as long as possible: an aggregation
// then folds them without their ever being held.
#pragma once

#include <string_view>

#include "promql/value/function_impl.h"
#include "promql/eval/plan.h"
#include "promql/eval/query_state.h"
#include "promql/eval/selector_source.h"
#include "promql/eval/series_source.h"
#include "promql/value/value.h"
#include "promql/ast.h"
#include "varve/query.h"
#include "varve/result.h"

namespace varve::promql {

// Belongs to one query and its thread; tasks see only sources. The tree, the plan and the state
// must outlive it. Recursion is as deep as the tree, which the parser bounds.
class Evaluator {
 public:
  Evaluator(const Plan& plan, QueryState& state) : plan_(plan), state_(state) {}

  // Preconditions: expr.type() is kScalar, kVector, kMatrix respectively.
  Result<ScalarSteps> scalar(const Expr& expr, const StepGrid& grid);
  // Names that go are gone, or marked if the feature delays that; label sets are unique as far as
  // Prometheus demands at this place.
  Result<StepMatrix> vector(const Expr& expr, const StepGrid& grid);
  // The raw samples of a range selector, or the points of a subquery, as seen from the only step.
  Result<Matrix> range_vector(const Expr& expr, const StepGrid& grid);

  // End of the query: with delayed name removal, removes the names and joins what became equal.
  Status finish_names(StepMatrix& matrix) const;

 private:
  // The value as a source, computed while it is read where the expression allows that.
  Result<SeriesSourcePtr> source(const Expr& expr, const StepGrid& grid);
  Result<SeriesSourcePtr> lazy_source(const Expr& expr, const StepGrid& grid);
  Result<SeriesSourcePtr> call_source(const Call& call, const StepGrid& grid);
  Result<SeriesSourcePtr> range_call_source(const Call& call, const FunctionImpl& function,
                                            const StepGrid& grid);
  Result<SeriesSourcePtr> element_call_source(const Call& call, const FunctionImpl& function,
                                              const StepGrid& grid);
  Result<SeriesSourcePtr> timestamp_source(const Call& call, const StepGrid& grid);
  Result<SeriesSourcePtr> scalar_operation_source(const Binary& binary, const StepGrid& grid);
  // Sees to it that no two series of a source become equal by losing their names. Range functions
  // (`strict`) refuse that even where the series share no step.
  Result<SeriesSourcePtr> settle_names(SeriesSourcePtr source, bool strict);

  Result<StepMatrix> matrix_call(const Call& call, const FunctionImpl& function,
                                 const StepGrid& grid);
  Result<StepMatrix> absent_over_time(const Call& call, const StepGrid& grid);
  Result<StepMatrix> info(const Call& call, const StepGrid& grid);
  Result<StepMatrix> aggregate(const Aggregate& expr, const StepGrid& grid);
  Result<StepMatrix> vector_binary(const Binary& binary, const StepGrid& grid);
  Result<ScalarSteps> scalar_call(const Call& call, const StepGrid& grid);

  // Evaluates the scalar, vector and string arguments; a range vector stays an expression.
  Result<BoundArgs> bind_args(const Call& call, const StepGrid& grid, bool with_vectors);
  Result<std::shared_ptr<storage::Selection>> select(const VectorSelector& selector,
                                                     const Timing& timing, TimeRange range,
                                                     const StepGrid& grid,
                                                     std::int64_t whole_ms = 0);
  // `whole_ms`: buckets of a resolution that divides it give what finer ones would; 0: none do.
  Result<std::shared_ptr<storage::Selection>> select(const model::Matchers& matchers,
                                                     TimeRange range,
                                                     storage::SelectHints hints,
                                                     std::int64_t whole_ms = 0);
  // A subquery with more steps than samples may be held is refused before anything is allocated.
  Status check_steps(const StepGrid& grid) const;
  EvalContext context(const StepGrid& grid) {
    return {grid, state_.features(), state_.annotations(), state_.settings().lookback_ms,
            &state_};
  }

  const Plan& plan_;
  QueryState& state_;
  std::string_view
      function_hint_;  // the innermost function or aggregation around what is evaluated
};

// timestamp() and start_timestamp(): what they answer is not in the value of their argument.
inline bool reads_times(FunctionId id) {
  return id == FunctionId::kTimestamp || id == FunctionId::kStartTimestamp;
}

// The function's implementation, or kUnimplemented naming it.
Result<const FunctionImpl*> implementation_of(const Call& call);

// The points of a series with their times.
Series to_series(const StepSeries& points, const StepGrid& grid);

// One step's values at all steps of a grid.
void replicate(StepMatrix& matrix, std::size_t steps);

}  // namespace varve::promql
