// SPDX-License-Identifier: Apache-2.0
// Inside functions/: what windows over buckets give whose samples are native histograms, alone or
// beside floats.
#pragma once

#include "promql/value/level_windows.h"

namespace varve::promql::function_impls {

// All are LevelMixedFunctions.
PointValue level_count(const LevelWindows&, std::size_t, const PointValue&, const CallArgs&,
                       EvalContext&);
PointValue level_present(const LevelWindows&, std::size_t, const PointValue&, const CallArgs&,
                         EvalContext&);
PointValue level_first(const LevelWindows&, std::size_t, const PointValue&, const CallArgs&,
                       EvalContext&);
PointValue level_last(const LevelWindows&, std::size_t, const PointValue&, const CallArgs&,
                      EvalContext&);
PointValue level_first_time(const LevelWindows&, std::size_t, const PointValue&, const CallArgs&,
                            EvalContext&);
PointValue level_last_time(const LevelWindows&, std::size_t, const PointValue&, const CallArgs&,
                           EvalContext&);
// Floats only: histograms are ignored with a remark if floats are there too.
PointValue level_floats(const LevelWindows&, std::size_t, const PointValue&, const CallArgs&,
                        EvalContext&);
PointValue level_sum(const LevelWindows&, std::size_t, const PointValue&, const CallArgs&,
                     EvalContext&);
PointValue level_average(const LevelWindows&, std::size_t, const PointValue&, const CallArgs&,
                         EvalContext&);
PointValue level_rate(const LevelWindows&, std::size_t, const PointValue&, const CallArgs&,
                      EvalContext&);
PointValue level_increase(const LevelWindows&, std::size_t, const PointValue&, const CallArgs&,
                          EvalContext&);
PointValue level_delta(const LevelWindows&, std::size_t, const PointValue&, const CallArgs&,
                       EvalContext&);
PointValue level_resets(const LevelWindows&, std::size_t, const PointValue&, const CallArgs&,
                        EvalContext&);

}  // namespace varve::promql::function_impls
