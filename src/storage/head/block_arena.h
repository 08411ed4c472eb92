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

#include "storage/head/reserved_memory.h"

namespace varve::storage::head {

// A block, in units of 32 bytes from the start of the arena's memory. 0 is none.
using BlockRef = std::uint32_t;

inline constexpr std::array<std::uint16_t, 10> kBlockBytes = {32,  64,  96,  128, 192,
                                                              256, 384, 512, 768, 1024};
using BlockClass = std::uint8_t;  // index into kBlockBytes

// The memory all shards carve pages from. Thread-safe.
class BlockMemory {
 public:
  static constexpr std::size_t kUnitBytes = 32;
  static constexpr std::size_t kPageBytes = 16 * 1024;

  static Result<std::unique_ptr<BlockMemory>> create(base::MemoryAccount& account);

  // A zeroed page. Aborts like operator new if the machine is out of memory.
  BlockRef take_page();
  std::byte* at(BlockRef ref) const { return base_ + std::size_t{ref} * kUnitBytes; }

 private:
  explicit BlockMemory(ReservedMemory memory) : base_(memory.data()), memory_(std::move(memory)) {}
  std::byte* base_;
  std::mutex mutex_;  // guards what follows
  ReservedMemory memory_;
  std::size_t used_ = kPageBytes;  // the first page is not given out: reference 0 is none
};

// One shard's blocks. Used under the shard's lock.
class BlockArena {
 public:
  explicit BlockArena(BlockMemory& memory) : memory_(&memory) {}

  // The smallest class that holds `bytes`; precondition: bytes <= 1024.
  static BlockClass class_of(std::size_t bytes);

  // Contents are arbitrary. Aborts like operator new if the machine is out of memory.
  BlockRef allocate(BlockClass block_class) {
    Class& from = classes_[block_class];
    if (from.free != 0) {
      const BlockRef ref = from.free;
      __builtin_memcpy(&from.free, memory_->at(ref), sizeof(BlockRef));
      return ref;
    }
    return carve(block_class);
  }
  void release(BlockRef ref, BlockClass block_class) {
    Class& to = classes_[block_class];
    __builtin_memcpy(memory_->at(ref), &to.free, sizeof(BlockRef));
    to.free = ref;
  }
  std::byte* at(BlockRef ref) const { return memory_->at(ref); }

 private:
  struct Class {
    BlockRef free = 0;       // a list through the first bytes of the blocks
    BlockRef page_next = 0;  // the rest of the page being carved
    std::uint32_t page_left = 0;
  };
  BlockRef carve(BlockClass block_class);

  BlockMemory* memory_;
  std::array<Class, kBlockBytes.size()> classes_{};
};

}  // namespace varve::storage::head
