// SPDX-License-Identifier: Apache-2.0
// Blocks of one cache line, named by 32-bit references: open chunks and lists of closed ones are
// chains of them. A malloc per series would cost a header each and scatter what one scrape touches.
// There is one size, because the chunks of a scrape grow in step: with blocks of many sizes, each
// copied into the next, a third of this memory was half-empty pages of sizes just grown out of, and
// a tenth the room behind the ends of chunks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "storage/head/reserved_memory.h"

namespace varve::storage::head {

// A block, counted from the start of the arena's memory. 0 is none.
using BlockRef = std::uint32_t;

struct alignas(64) Block {
  BlockRef older = 0;  // the block before it in its chain
  std::array<std::byte, 60> bytes;
};
static_assert(sizeof(Block) == 64);

// The memory all shards take pages from. Thread-safe.
class BlockMemory {
 public:
  static constexpr BlockRef kPageBlocks = 128;

  static Result<std::unique_ptr<BlockMemory>> create(base::MemoryAccount& account);

  // The first block of a page of zeros. Aborts like operator new if the machine is out of memory.
  BlockRef take_page();
  Block& at(BlockRef ref) const { return base_[ref]; }

 private:
  explicit BlockMemory(ReservedMemory memory)
      : base_(reinterpret_cast<Block*>(memory.data())), memory_(std::move(memory)) {}
  Block* base_;
  std::mutex mutex_;  // guards what follows
  ReservedMemory memory_;
  BlockRef used_ = kPageBlocks;  // the first page is not given out: reference 0 is none
};

// One shard's blocks. Used under the shard's lock. What is released is given out again, the latest
// first, as it is in a cache then; pages stay with the shard, whose series are like all others'.
class BlockArena {
 public:
  explicit BlockArena(BlockMemory& memory) : memory_(&memory) {}

  // A block before `older`, with arbitrary bytes. Aborts like operator new if the machine is out of
  // memory.
  BlockRef allocate(BlockRef older);
  // Gives a whole chain back.
  void release(BlockRef newest);
  Block& at(BlockRef ref) const { return memory_->at(ref); }
  // Of blocks that were released and not given out since.
  std::uint64_t free_bytes() const { return free_count_ * sizeof(Block); }
  void prefetch(BlockRef ref) const { __builtin_prefetch(&memory_->at(ref), 1); }

 private:
  BlockMemory* memory_;
  BlockRef free_ = 0;  // a chain
  std::uint64_t free_count_ = 0;  // of its blocks
  BlockRef fresh_ = 0, fresh_end_ = 0;  // of the newest page, never given out
};

}  // namespace varve::storage::head
