// SPDX-License-Identifier: Apache-2.0
// `anchored` and `smoothed`: rate, increase and delta over such ranges, and smoothed instants,
// which the evaluator asks for.
#pragma once

#include "promql/value/function_impl.h"

namespace varve::promql::function_impls {

// Precondition: window.extension is not kNone, and the window has floats or histograms, not both.
PointValue extended_rate(const Window& window, const CallArgs& args, EvalContext& context,
                         bool counter, bool per_second);

// What such a range selector selects outside a function: the samples within the range, with a point
// on each of its ends. Nothing if no sample lies within it. Precondition: floats only.
std::vector<Sample> extended_points(const Window& window);

// What `smoothed` makes of an instant selector: the value at `at_ms`, interpolated between the
// samples on both sides; the last one if there is none after it.
PointValue smoothed_value(const Window& window, Timestamp at_ms, Position position,
                          AnnotationSink& sink);

}  // namespace varve::promql::function_impls
