// SPDX-License-Identifier: Apache-2.0
// The bound of what all queries together may hold (--query.memory-max), for everybody who works for
// one: the evaluator, and what counts series without an expression.
#pragma once

#include <cstdint>

#include "varve/result.h"

namespace varve::base {
class MemoryAccount;
}

namespace varve::promql {

// Charges the account of all queries for one that holds `held_bytes` in it already; what is charged
// is the caller's to release. kLimitExceeded if the query alone would hold more than `bytes_max`,
// kUnavailable if it would fit were it not for other queries. bytes_max 0: no bound; a null account
// is charged nothing.
Status charge_query_memory(base::MemoryAccount* account, std::int64_t bytes,
                           std::int64_t held_bytes, std::int64_t bytes_max);

// What one piece of work holds in that account; gives it back at its end. For one thread.
class QueryMemory {
 public:
  QueryMemory(base::MemoryAccount* account, std::int64_t bytes_max)
      : account_(account), bytes_max_(bytes_max) {}
  ~QueryMemory() { shrink(held_bytes_); }
  QueryMemory(const QueryMemory&) = delete;
  QueryMemory& operator=(const QueryMemory&) = delete;

  Status grow(std::int64_t bytes);
  void shrink(std::int64_t bytes);

 private:
  base::MemoryAccount* const account_;
  const std::int64_t bytes_max_;
  std::int64_t held_bytes_ = 0;
};

}  // namespace varve::promql
