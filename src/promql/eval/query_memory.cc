// SPDX-License-Identifier: Apache-2.0
#include "promql/query_memory.h"

#include <string>

#include "base/memory_account.h"
#include "base/try.h"

namespace varve::promql {

Status charge_query_memory(base::MemoryAccount* account, std::int64_t bytes,
                           std::int64_t held_bytes, std::int64_t bytes_max) {
  if (account == nullptr) return {};
  if (bytes_max <= 0) {
    account->charge(bytes);
    return {};
  }
  if (account->try_charge(bytes, bytes_max)) return {};
  const std::string limit = "(--query.memory-max=" + std::to_string(bytes_max) + "B)";
  if (held_bytes + bytes > bytes_max) {
    return Error(ErrorCode::kLimitExceeded,
                 "the query needs more memory than all queries together may have " + limit);
  }
  return Error(ErrorCode::kUnavailable,
               "all queries together would need more memory than they may have " + limit +
                   "; try again later");
}

Status QueryMemory::grow(std::int64_t bytes) {
  VARVE_TRY(charge_query_memory(account_, bytes, held_bytes_, bytes_max_));
  held_bytes_ += bytes;
  return {};
}

void QueryMemory::shrink(std::int64_t bytes) {
  held_bytes_ -= bytes;
  if (account_ != nullptr) account_->release(bytes);
}

}  // namespace varve::promql
