// SPDX-License-Identifier: Apache-2.0
// Keeps the levels of the ladder up to date: writes buckets once their time is settled, makes those
// anew whose samples have changed since, and merges blocks of levels. Each step ends in one edit of
// the MANIFEST; what a crash or a full disk interrupts is begun again.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/memory_account.h"
#include "base/metrics.h"
#include "storage/engine.h"
#include "storage/level_build.h"
#include "storage/read_context.h"
#include "varve/result.h"

namespace varve::storage {

// The time that a level's blocks are first written for: its buckets that end in a stretch of this
// length, which is a multiple of the resolution.
std::int64_t level_window_ms(std::int64_t resolution_ms);

// By one thread at a time (maintenance).
class Rollup {
 public:
  explicit Rollup(const Engine& engine);

  // What is configured becomes part of the state: levels that are new or changed, and of holds what
  // had gone before them. Comes before anything else that goes by the configuration.
  Status adopt();
  // The next step there is, if any; whether there was one.
  Result<bool> next();
  // Rewrites every block of a level that has tombstones without what they delete.
  Status clean_tombstones();
  // Rewrites a block without some series.
  Status leave_out(std::shared_ptr<block::Block> block, std::function<bool(const Labels&)> series,
                   LadderState ladder);

 private:
  void add_level(const Keeping& keeping, const LevelOptions& level, const BlockSet& set,
                 LadderState& ladder) const;
  static HeldSince held_since(const Keeping& keeping, const Hold& hold, const LadderState& ladder);
  Result<bool> repair(const Keeping& keeping, std::int64_t resolution_ms);
  Result<bool> extend(const Keeping& keeping, std::int64_t resolution_ms);
  // Makes a block that is damaged or was set aside anew, if all is there that it was made of.
  Result<bool> remake(const Keeping& keeping, std::int64_t resolution_ms);
  Result<bool> merge(std::int64_t resolution_ms);
  // Whether the step failed for damage in `blocks`: these are left as they are from now on.
  bool leave_damaged(const Status& status,
                     const std::vector<std::shared_ptr<block::Block>>& blocks);

  LevelRequest request(const Keeping& keeping, const std::shared_ptr<const BlockSet>& set,
                       std::int64_t resolution_ms, TimeRange ends) const;
  // Writes the block and makes it count in place of `request.old` and `removed`, together with
  // `ladder`.
  Status replace(LevelRequest request, LadderState ladder, std::vector<std::string> removed = {});

  const Engine engine_;
  std::set<std::string> damaged_;  // ULIDs of blocks of levels that could not be read to the end
  base::MemoryAccount memory_{"rollup"};
  mutable DamageLog damages_;
  base::Counter& written_;
  base::Counter& repaired_;
  base::Counter& merged_;
  base::Counter& failed_;
};

}  // namespace varve::storage
