// SPDX-License-Identifier: Apache-2.0
// How a query gets out: the index picks series, a short copy under the shard's lock pins what a
// series has, and everything else (spill files, decoding) happens without locks.
#pragma once

#include <memory>

#include "base/memory_account.h"
#include "base/metrics.h"
#include "storage/head/head.h"
#include "storage/querier.h"

namespace varve::storage {

// What the read path reports. Owned by the database; outlives every querier.
struct ReadObservers {
  base::MemoryAccount& memory;      // what selections hold
  base::Counter& corrupt_chunks;    // closed chunks that failed their checksum or did not decode
};

// A querier over the head that sees nothing outside `range`. The head must outlive it and its
// selections.
std::unique_ptr<Querier> make_head_querier(const head::Head& head, TimeRange range,
                                           ReadObservers observers);

}  // namespace varve::storage
