// SPDX-License-Identifier: Apache-2.0
// Merges blocks as compaction_plan.h says, and rewrites those with deleted samples.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "storage/block_merge.h"
#include "storage/compaction_plan.h"
#include "storage/engine.h"
#include "varve/result.h"

namespace varve::storage {

// How long merges and levels wait for what may come late. Longer would be safe no more than shorter
// is: what comes later still marks buckets to be made anew and is merged with its window. But with
// a window as long as a history that is imported, nothing of that would ever be merged or thinned
// out.
inline constexpr std::int64_t kLateWaitMaxMs = 24LL * 60 * 60 * 1000;

// Blocks get no more samples from before it, but for what comes later than the out-of-order window
// (`wait_max_ms` if that is less) behind a cut. What comes late is in a block only after the next
// cut.
Timestamp settled_ms(const Engine& engine, std::int64_t wait_max_ms = kLateWaitMaxMs);

// ULIDs of those of the blocks that are damaged. Reads all of them.
std::vector<std::string> damaged_of(const std::vector<std::shared_ptr<block::Block>>& blocks);

// By one thread at a time (maintenance).
class Compaction {
 public:
  explicit Compaction(const Engine& engine);

  // The next merge there is, if any; whether there was one. `force`: CompactionInput::force.
  // Merges that do not fit on the disk are left for later: waiting() then says so.
  Result<bool> merge_next(bool force);
  Status waiting() const { return waiting_; }
  // Rewrites every block that has tombstones without what they delete.
  Status clean_tombstones();

 private:
  std::int64_t longest_ms() const;
  Result<bool> merge(const CompactionPlan& plan,
                     std::vector<std::shared_ptr<block::Block>> sources, std::uint64_t bytes);
  Status replace(std::vector<std::shared_ptr<block::Block>> sources, MergeRequest request);

  const Engine engine_;
  std::set<std::string> damaged_;  // ULIDs of blocks that a merge could not read
  Status waiting_;  // for space, as the last merge_next() found it
  bool space_reported_ = false;
  base::Counter& compactions_;
  base::Counter& failed_;
  base::Counter& triggered_;
};

}  // namespace varve::storage
