// SPDX-License-Identifier: Apache-2.0
// What the arrays of one batch of a remote write may still take.
#pragma once

#include <fmt/format.h>

#include <cstddef>

#include "varve/result.h"
#include "wire/remote_write.h"

namespace varve::wire {

// For one request and one thread.
class BatchBudget {
 public:
  // kLimitExceeded if the batch would pass kBatchMaxBytes; then nothing is taken.
  Status charge(std::size_t bytes) {
    if (bytes > left_bytes_) [[unlikely]]
      return exceeded();
    left_bytes_ -= bytes;
    return {};
  }

 private:
  static Error exceeded() {
    return Error(ErrorCode::kLimitExceeded,
                 fmt::format("remote write: the request would take more than {} bytes of memory",
                             kBatchMaxBytes));
  }

  std::size_t left_bytes_ = kBatchMaxBytes;
};

}  // namespace varve::wire
