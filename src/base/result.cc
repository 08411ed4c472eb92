// SPDX-License-Identifier: Apache-2.0
#include "varve/result.h"

namespace varve {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return "invalid_argument";
    case ErrorCode::kNotFound: return "not_found";
    case ErrorCode::kAlreadyExists: return "already_exists";
    case ErrorCode::kOutOfOrder: return "out_of_order";
    case ErrorCode::kTooOld: return "too_old";
    case ErrorCode::kDuplicate: return "duplicate";
    case ErrorCode::kLimitExceeded: return "limit_exceeded";
    case ErrorCode::kCorruption: return "corruption";
    case ErrorCode::kIo: return "io";
    case ErrorCode::kUnavailable: return "unavailable";
    case ErrorCode::kTimeout: return "timeout";
    case ErrorCode::kCanceled: return "canceled";
    case ErrorCode::kExecution: return "execution";
    case ErrorCode::kUnimplemented: return "unimplemented";
    case ErrorCode::kInternal: return "internal";
  }
  return "unknown";
}

}  // namespace varve
