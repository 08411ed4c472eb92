// SPDX-License-Identifier: Apache-2.0
// A range query out of steps that are known and steps that must be computed.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "promql/eval/plan.h"
#include "promql/eval/query_state.h"
#include "promql/range_cache.h"
#include "promql/value/value.h"
#include "varve/query.h"
#include "varve/result.h"

namespace varve::storage {
class Queryable;
}

namespace varve::promql {

struct CachedRange {
  RangeCache& cache;
  const storage::Queryable& storage;
  const Plan& plan;
  const Expr& expr;
  QueryState& state;
  std::string key;  // all that the values of the steps depend on, but for the steps
};

// Computes the steps of a grid, names settled, against storage as it is at that time.
using ComputeSteps = std::function<Result<StepMatrix>(const StepGrid& grid)>;

// The series of the result in no particular order. Preconditions: stepwise(expr); grid.count > 1.
// The result is what compute(grid) would give, except that sums of floats may differ in their last
// bits: series that have no sample in a part do not take part in splitting its work.
Result<Matrix> evaluate_cached(const CachedRange& query, const StepGrid& grid,
                               const ComputeSteps& compute);

}  // namespace varve::promql
