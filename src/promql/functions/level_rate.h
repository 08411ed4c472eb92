// SPDX-License-Identifier: Apache-2.0
// Inside functions/: rate, increase and delta over buckets.
#pragma once

#include "promql/value/level_windows.h"

namespace varve::promql::function_impls {

// All are LevelKernels.
void level_rate_kernel(const LevelWindows&, const CallArgs&, EvalContext&, StepSeries& out);
void level_increase_kernel(const LevelWindows&, const CallArgs&, EvalContext&, StepSeries& out);
void level_delta_kernel(const LevelWindows&, const CallArgs&, EvalContext&, StepSeries& out);

}  // namespace varve::promql::function_impls
