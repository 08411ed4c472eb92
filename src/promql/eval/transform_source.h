// SPDX-License-Identifier: Apache-2.0
// A source whose series are another one's, each changed on its own: element-wise functions,
// operators with a scalar, unary minus.
#pragma once

#include <functional>

#include "promql/eval/series_source.h"

namespace varve::promql {

// Changes the points of one series. Called by several tasks at once.
using SeriesTransform = std::function<void(StepSeries& series, AnnotationSink& sink)>;

SeriesSourcePtr transform(SeriesSourcePtr source, bool drops_name, SeriesTransform apply);

}  // namespace varve::promql
