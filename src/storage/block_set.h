// SPDX-License-Identifier: Apache-2.0
// The blocks a reader sees, as one immutable version. A querier keeps the version it began with;
// who takes samples away (the head after a cut, compaction) waits until the versions that still
// need them are gone.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "storage/block/block.h"
#include "storage/ladder_state.h"
#include "varve/sample.h"

namespace varve::storage {

struct BlockSet {
  std::uint64_t version = 0;
  std::vector<std::shared_ptr<block::Block>> blocks;  // of samples; by range.min_ms, then ULID
  std::vector<std::shared_ptr<block::Block>> levels;  // of buckets, of all resolutions; likewise
  LadderState ladder;                                 // as of these blocks
  // Blocks that were set aside because they cannot be read: what a query of their time leaves out.
  std::vector<block::BlockMeta> unreadable;
  // In-order samples of the head before this time are in blocks: readers of this version take only
  // later ones from the head. What came late (out of order) behind the cut is still the head's.
  Timestamp head_from_ms = TimeRange::all().min_ms;

  // The time without samples: that of `given_up` and of what cannot be read, but for what another
  // block has instead. Late ones are few among many: a block of them is no loss, and mends none.
  Stretches lost_samples(Stretches given_up) const;
};

// Thread-safe.
class BlockSets {
 public:
  std::shared_ptr<const BlockSet> current() const;
  // Makes `next` the current version (its number is set here). One caller at a time.
  void publish(BlockSet next);
  // Whether nobody holds a version older than the current one any more.
  bool drained() const;

 private:
  mutable std::mutex mutex_;  // guards what follows
  std::shared_ptr<const BlockSet> current_ = std::make_shared<BlockSet>();
  std::vector<std::weak_ptr<const BlockSet>> older_;
};

}  // namespace varve::storage
