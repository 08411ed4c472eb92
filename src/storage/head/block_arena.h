// SPDX-License-Identifier: Apache-2.0
// Small blocks of a few sizes, named by 32-bit references: open chunks and lists of closed ones.
// A malloc per series would cost a header each and scatter what one scrape touches.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "storage/head/reserved_memory.h"

namespace varve::storage::head {

// A block, in units of 32 bytes from the start of the arena's memory. 0 is none.
using BlockRef = std::uint32_t;

// Steps of an eighth to a quarter: what open chunks have behind their ends is a tenth of them.
inline constexpr std::array<std::uint16_t, 16> kBlockBytes = {
    32, 64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024};
using BlockClass = std::uint8_t;  // index into kBlockBytes

// The memory all shards take pages from. Thread-safe.
class BlockMemory {
 public:
  static constexpr std::size_t kUnitBytes = 32;
  static constexpr std::size_t kPageBytes = 8 * 1024;
  static constexpr BlockRef kPageUnits = kPageBytes / kUnitBytes;

  static Result<std::unique_ptr<BlockMemory>> create(base::MemoryAccount& account);

  // The first block of a page of arbitrary content. Aborts like operator new if the machine is out
  // of memory.
  BlockRef take_page();
  void give_page(BlockRef page);
  std::byte* at(BlockRef ref) const { return base_ + std::size_t{ref} * kUnitBytes; }

 private:
  explicit BlockMemory(ReservedMemory memory) : base_(memory.data()), memory_(std::move(memory)) {}
  std::byte* base_;
  std::mutex mutex_;  // guards what follows
  ReservedMemory memory_;
  std::size_t used_ = kPageBytes;  // the first page is not given out: reference 0 is none
  std::vector<BlockRef> free_pages_;
};

// One shard's blocks. Used under the shard's lock. A page holds blocks of one size behind a header;
// when its last block is released it goes back for blocks of any size. That matters because the
// chunks of a scrape grow in step: without it, memory of each size would stay at its own peak.
// New blocks go where fewest are missing, so that sparse pages empty: taking the page released to
// last instead left a third of the memory of 100,000 series unused inside half-empty pages.
class BlockArena {
 public:
  explicit BlockArena(BlockMemory& memory) : memory_(&memory) {}

  // The smallest class that holds `bytes`; precondition: bytes <= 1024.
  static BlockClass class_of(std::size_t bytes);

  // Contents are arbitrary. Aborts like operator new if the machine is out of memory.
  BlockRef allocate(BlockClass block_class);
  void release(BlockRef ref, BlockClass block_class);
  std::byte* at(BlockRef ref) const { return memory_->at(ref); }
  // What release() of this block will touch beside it.
  void prefetch_page(BlockRef ref) const {
    __builtin_prefetch(memory_->at(ref / BlockMemory::kPageUnits * BlockMemory::kPageUnits), 1);
  }

 private:
  // The first unit of a page.
  struct Page {
    BlockRef previous = 0, next = 0;  // in the list of the pages of its class and fullness
    BlockRef free = 0;                // released blocks, linked through their first bytes
    std::uint16_t used = 0;           // blocks given out
    std::uint16_t carved = 0;         // blocks ever given out, from the front
  };
  static_assert(sizeof(Page) <= BlockMemory::kUnitBytes);
  static constexpr std::uint16_t capacity(BlockClass block_class) {
    return static_cast<std::uint16_t>((BlockMemory::kPageBytes - BlockMemory::kUnitBytes) /
                                      kBlockBytes[block_class]);
  }
  // Pages with room are told apart by how many quarters of them are given out.
  static constexpr std::size_t kFullness = 4;
  static std::size_t fullness(std::uint16_t used, BlockClass block_class);
  Page& page_at(BlockRef page) const { return *reinterpret_cast<Page*>(memory_->at(page)); }
  void link(BlockRef page, BlockRef& first);
  void unlink(BlockRef page, BlockRef& first);

  BlockMemory* memory_;
  // The first page with room of each class and fullness.
  std::array<std::array<BlockRef, kFullness>, kBlockBytes.size()> with_room_{};
};

}  // namespace varve::storage::head
