// SPDX-License-Identifier: Apache-2.0
// Which samples are old enough to go, and the blocks that go with them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
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

// ULIDs of the oldest blocks (by the end of their range) without which all together, with
// `other_bytes`, take at most `bytes_max`; all of them if nothing less is enough. 0: no bound.
std::vector<std::string> excess_blocks(std::span<const KeptBlock> blocks, std::uint64_t other_bytes,
                                       std::uint64_t bytes_max);

// From when ages are counted: the newest sample or now, whichever is earlier; the minimum Timestamp
// if there is no sample. Thread-safe.
Timestamp newest_ms(const base::Clock& clock, const head::Head& head, const BlockStore& blocks);

// Whether a block has something that is held: samples, or buckets whose samples had gone when a
// hold was made.
bool is_held(const Keeping& keeping, const LadderState& ladder, const block::Block& block);
// Whether a hold is about what a block has of its series, whatever these are.
bool holds_block(const Keeping& keeping, const LadderState& ladder, const Hold& hold,
                 const block::BlockMeta& meta);

// Up to which time what a level is made of (samples: 0, or buckets of this resolution) may go of
// what is expired: not what a block of it was made of that is set aside, for it may be made again.
Timestamp spared_ms(const Keeping& keeping, const BlockSet& set, std::int64_t resolution_ms,
                    Timestamp expired_ms);

// The oldest late sample up to `until_ms` that only the head has, of those that levels can still be
// made of; a later time if there is none. Levels are made of blocks, so the samples around it are
// needed until it is in one.
Timestamp oldest_late_ms(const Keeping& keeping, const LadderState& ladder, const head::Head& head,
                         Timestamp until_ms);
// Up to which time samples may go of what is expired for it to be added to its buckets.
Timestamp spared_for_late_ms(const Keeping& keeping, Timestamp oldest_late_ms,
                             Timestamp expired_ms);

// By one thread at a time (maintenance).
class Retention {
 public:
  explicit Retention(const Engine& engine);

  // Removes the blocks that have to go, the head's expired samples too.
  Status run();
  // Whether it is not clear that the time is right, and nothing goes by its age.
  bool waits() const { return waits_; }

 private:
  // Whether all samples in blocks are older than what came next by more than a month: a clock may
  // have jumped, and what it lets go cannot be brought back. If it is right, an hour more does no
  // harm.
  bool is_jump(const BlockSet& set, Timestamp newest_ms);
  void note_seams(const Keeping& keeping, const LadderState& ladder, Timestamp newest_ms);
  std::vector<std::string> too_much(const Keeping& keeping, const BlockSet& set,
                                    const std::vector<KeptBlock>& raw,
                                    const std::vector<KeptBlock>& levels, std::uint64_t other,
                                    std::uint64_t bytes_max);
  // What counts for the bound by size beside the blocks: log, head files and snapshots of the head.
  Result<std::uint64_t> other_bytes() const;

  const Engine engine_;
  std::vector<SeriesPlan> plans_;  // as of the last run, by class
  bool noted_ = false;
  bool waits_ = false;
  std::optional<std::chrono::nanoseconds> jumped_at_;  // monotonic
  bool held_reported_ = false;
  base::Counter& time_retentions_;
  base::Counter& size_retentions_;
};

}  // namespace varve::storage
