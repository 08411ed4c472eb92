// SPDX-License-Identifier: Apache-2.0
// The sources that read storage: instant vector selectors and functions over range selectors.
#pragma once

#include <memory>
#include <vector>

#include "promql/value/function_impl.h"
#include "promql/eval/plan.h"
#include "promql/eval/series_source.h"
#include "storage/querier.h"

namespace varve::promql {

// What an instant selector answers with: the sample, the time of it (timestamp()) or its start time
// (start_timestamp(); 0 where that is not known), both in seconds.
enum class SelectorValue : std::uint8_t { kSample, kTime, kStart };

// For each step the newest sample in (t - lookback, t], none if that is a stale marker. `one_name`:
// the matchers fix the metric name.
SeriesSourcePtr source_of_selector(std::shared_ptr<storage::Selection> selection,
                                   const Timing& timing, const StepGrid& grid,
                                   SelectorValue value, bool one_name, QueryState& state);

// The same with `smoothed`: values between samples. `shape` reaches one lookback back and ahead;
// `position` is the selector's.
struct WindowShape;
SeriesSourcePtr source_of_smoothed_selector(std::shared_ptr<storage::Selection> selection,
                                            const WindowShape& shape, Position position,
                                            bool one_name, QueryState& state);

// The arguments of a call as functions see them, with the storage their views need.
struct BoundArgs {
  explicit BoundArgs(const Call& function_call) : call(function_call) {}
  CallArgs view() { return {call, values}; }

  const Call& call;
  std::vector<ArgValue> values;
  std::vector<std::unique_ptr<ScalarSteps>> scalars;
  std::vector<std::unique_ptr<StepMatrix>> vectors;
};

// A range function over a selector of storage. `args` has the scalar arguments.
SeriesSourcePtr source_of_range_call(std::shared_ptr<storage::Selection> selection,
                                     const MatrixSelector& selector, const Timing& timing,
                                     const StepGrid& grid, const FunctionImpl& function,
                                     bool one_name, BoundArgs args, QueryState& state);

// The same over the points of a subquery, evaluated on `inner_grid`.
SeriesSourcePtr source_of_subquery_call(StepMatrix points, const StepGrid& inner_grid,
                                        const Timing& timing, const StepGrid& grid,
                                        const FunctionImpl& function, BoundArgs args,
                                        QueryState& state);

// The samples of one series without stale markers; times_id goes to 0 if one was removed.
void remove_stale(storage::SeriesSamples& samples);

}  // namespace varve::promql
