// SPDX-License-Identifier: Apache-2.0
// The Histogram message that remote write 1 and 2 share, to varve::HistogramSample.
#pragma once

#include <cstddef>
#include <string_view>

#include "storage/write_batch.h"
#include "varve/result.h"

namespace varve::wire {

// Decodes and validates (model::validate). Bucket deltas become absolute counts. Throws
// protozero::exception for broken protobuf: call it where that is caught. kInvalidArgument in
// Prometheus's words for a histogram that contradicts itself; kLimitExceeded if the histogram would
// take more than max_bytes, else that much is taken off max_bytes.
Status decode_native_histogram(std::string_view message, std::size_t& max_bytes,
                               storage::HistogramSample& out);

}  // namespace varve::wire
