// SPDX-License-Identifier: Apache-2.0
// Inside functions/: quantile_over_time over buckets that have sketches of their values.
#pragma once

#include "promql/value/level_windows.h"

namespace varve::promql::function_impls {

// A LevelKernel. Precondition: every bucket of more than one sample has a sketch.
void level_quantile_kernel(const LevelWindows&, const CallArgs&, EvalContext&, StepSeries& out);

}  // namespace varve::promql::function_impls
