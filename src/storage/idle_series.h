// SPDX-License-Identifier: Apache-2.0
// Series that get no samples any more leave memory: what they have is written to blocks of its own,
// then their names, hot structs and postings are given back, so that memory follows the series that
// are alive and not hours of churn. One that comes back is a new series with the same labels.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "fs/file_system.h"
#include "storage/block_store.h"
#include "storage/head/head.h"
#include "storage/write_path.h"
#include "varve/result.h"

namespace varve::storage {

// The series that nothing has come to since `before_ms`, ascending.
index::Ids find_idle_series(const head::Head& head, Timestamp before_ms);

// For one thread at a time (the one that cuts and compacts); everything must outlive this.
class IdleSeries {
 public:
  struct Parts {
    fs::FileSystem& files;
    head::Head& head;
    WritePath& write_path;
    BlockStore& store;
    const base::Clock& clock;
    base::Logger& log;
  };
  explicit IdleSeries(Parts parts) : parts_(parts) {}

  // Lets series go that are idle for `idle_after` behind the head's newest sample, if there are
  // enough of them to be worth blocks of their own. Readers that began before the blocks were there
  // still need the series: then they go in a later call. kCanceled if `stop` was set meanwhile.
  Status run(std::chrono::milliseconds idle_after, const std::atomic<bool>* stop);

  // How many have gone. Thread-safe.
  std::uint64_t retired() const { return retired_.load(std::memory_order_relaxed); }

 private:
  // A tenth of the series, or this many.
  static constexpr std::size_t kEnough = 10'000;

  Status write(const index::Ids& idle, const std::atomic<bool>* stop);
  void retire();

  Parts parts_;
  std::vector<Retiring> leaving_;  // blocks have what they have
  std::atomic<std::uint64_t> retired_{0};
};

}  // namespace varve::storage
