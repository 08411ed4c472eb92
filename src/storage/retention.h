// SPDX-License-Identifier: Apache-2.0
// Which samples are old enough to go, and the blocks that go with them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "storage/block/meta.h"
#include "storage/engine.h"
#include "varve/result.h"

namespace varve::storage {

// A block as retention sees it.
struct KeptBlock {
  block::BlockMeta meta;
  std::uint64_t bytes = 0;
};

// ULIDs of the blocks that have nothing at or after `oldest_kept_ms`.
std::vector<std::string> expired_blocks(std::span<const KeptBlock> blocks, Timestamp oldest_kept_ms);
// ULIDs of the oldest blocks (by the end of their range) without which all together, with
// `other_bytes`, take at most `bytes_max`; all of them if nothing less is enough. 0: no bound.
std::vector<std::string> excess_blocks(std::span<const KeptBlock> blocks, std::uint64_t other_bytes,
                                       std::uint64_t bytes_max);

// Samples before this are past their retention and not shown any more. Counted from the newest sample
// or from now, whichever is earlier: data that nobody adds to stays, and neither a wrong clock nor a
// sample from the future makes all of it go. Thread-safe.
Timestamp oldest_kept_ms(const Limits& limits, const base::Clock& clock, const head::Head& head,
                         const BlockStore& blocks);

// By one thread at a time (maintenance).
class Retention {
 public:
  explicit Retention(const Engine& engine);

  // Removes the blocks that have to go, the head's expired samples too.
  Status run();

 private:
  // What counts for the bound by size beside the blocks: log, head files and snapshots of the head.
  Result<std::uint64_t> other_bytes() const;

  const Engine engine_;
  base::Counter& time_retentions_;
  base::Counter& size_retentions_;
};

}  // namespace varve::storage
