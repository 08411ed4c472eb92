// SPDX-License-Identifier: Apache-2.0
// info(v, {…}): adds to series the labels of info metrics that name the same job and instance.
#pragma once

#include <memory>
#include <vector>

#include "model/matcher.h"
#include "promql/value/value.h"
#include "promql/ast.h"
#include "varve/result.h"

namespace varve::promql {

// What the second argument asks for.
struct InfoRequest {
  model::Matchers data_matchers;  // of labels to add; none: all labels
  model::Matchers name_matchers;  // which info metrics; at least one
};

// `selector` may be null: all labels of target_info.
Result<InfoRequest> info_request(const VectorSelector* selector);

// The series that are to be enriched: not those that are info metrics themselves.
std::vector<bool> enrichable(const StepMatrix& base, const InfoRequest& request);

// Matchers of the info series that can match any of these; empty if none can.
Result<model::Matchers> info_matchers(const StepMatrix& base, const std::vector<bool>& enriched,
                                      const InfoRequest& request);

// An info metric's series; values are the times of its newest sample at each step, in seconds.
struct InfoSeries {
  Labels labels;
  StepSeries times;
};

// kExecution for two info series of one metric with equally new samples, for info metrics that
// disagree about a label, and for results of equal labels at one step.
Result<StepMatrix> join_info(StepMatrix base, const std::vector<bool>& enriched,
                             const std::vector<InfoSeries>& info, const InfoRequest& request,
                             const StepGrid& grid);

}  // namespace varve::promql
