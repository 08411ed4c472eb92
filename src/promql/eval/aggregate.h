// SPDX-License-Identifier: Apache-2.0
// The aggregation operators.
#pragma once

#include "promql/eval/query_state.h"
#include "promql/eval/series_source.h"
#include "promql/value/value.h"
#include "promql/ast.h"
#include "varve/result.h"

namespace varve::promql {

// sum avg count min max group stddev stdvar: every input series is folded into its group's
// accumulator as soon as it is read; the input is never held.
Result<StepMatrix> aggregate_fold(const Aggregate& expr, const SeriesSource& source,
                                  QueryState& state);

// topk bottomk limitk limit_ratio: some of the input's own series. On an instant query their order
// is that of the values. `param` is k or the ratio, by step.
Result<StepMatrix> aggregate_select(const Aggregate& expr, const ScalarSteps& param,
                                    StepMatrix input, std::size_t steps, QueryState& state);

Result<StepMatrix> aggregate_quantile(const Aggregate& expr, const ScalarSteps& param,
                                      StepMatrix input, std::size_t steps, QueryState& state);

Result<StepMatrix> aggregate_count_values(const Aggregate& expr, std::string_view label,
                                          const StepMatrix& input, std::size_t steps,
                                          QueryState& state);

}  // namespace varve::promql
