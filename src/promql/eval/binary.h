// SPDX-License-Identifier: Apache-2.0
// Binary operators between vectors, and between vectors and scalars.
#pragma once

#include "promql/eval/query_state.h"
#include "promql/value/value.h"
#include "promql/ast.h"
#include "varve/result.h"

namespace varve::promql {

// series op scalar, or scalar op series if the scalar is on the left. Comparisons without bool keep
// or clear points, and always keep the vector's value. Labels are not touched.
void apply_scalar(const Binary& expr, bool scalar_on_left, const ScalarSteps& scalar,
                  StepSeries& series, AnnotationSink& sink);

// and, or, unless.
StepMatrix set_operation(const Binary& expr, StepMatrix lhs, StepMatrix rhs, std::size_t steps);

// Arithmetic, comparison and trim operators. kExecution with Prometheus's text if the matching is
// ambiguous at a step. Series of equal labels in the result are merged, or are an error, as
// Prometheus does outside instant queries with delayed name removal.
Result<StepMatrix> vector_operation(const Binary& expr, StepMatrix lhs, StepMatrix rhs,
                                    std::size_t steps, QueryState& state);

}  // namespace varve::promql
