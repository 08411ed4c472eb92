// SPDX-License-Identifier: Apache-2.0
// What a database tells of itself beside what its parts count: gauges that are read when somebody
// asks for them.
#pragma once

#include <functional>

#include "base/memory_account.h"
#include "base/metrics.h"
#include "storage/block_store.h"
#include "storage/head/head.h"
#include "storage/limits.h"
#include "storage/write_path.h"

namespace varve::storage {

struct MeasuredDb {
  head::Head& head;
  const BlockStore& blocks;
  const WritePath& write_path;
  const Limits& limits;
  const base::MemoryAccount& query_memory;
  std::function<Timestamp()> min_time_ms;  // of all there is
};

// The parts outlive the registration, which MetricsRegistry::remove_callbacks(owner) ends.
void register_metrics(const MeasuredDb& db, const void* owner, base::MetricsRegistry& metrics);

}  // namespace varve::storage
