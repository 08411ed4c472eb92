// SPDX-License-Identifier: Apache-2.0
// Inside functions/: rate, increase and delta over `anchored` and `smoothed` ranges.
#pragma once

#include "promql/eval/function_impl.h"

namespace varve::promql::function_impls {

// Precondition: window.extension is not kNone, and the window has floats or histograms, not both.
PointValue extended_rate(const Window& window, const CallArgs& args, EvalContext& context,
                         bool counter, bool per_second);

}  // namespace varve::promql::function_impls
