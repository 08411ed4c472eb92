// SPDX-License-Identifier: Apache-2.0
// The Histogram message that remote write 1 and 2 share, to varve::HistogramSample.
#pragma once

#include <string_view>

#include "storage/write_batch.h"
#include "varve/result.h"

namespace varve::wire {

class BatchBudget;

// Decodes and validates (model::validate). Bucket deltas become absolute counts. Throws
// protozero::exception for broken protobuf: call it where that is caught. kInvalidArgument in
// Prometheus's words for a histogram that contradicts itself; kLimitExceeded if the budget does
// not have what the histogram takes, else that much is taken off it.
Status decode_native_histogram(std::string_view message, BatchBudget& budget,
                               storage::HistogramSample& out);

}  // namespace varve::wire
