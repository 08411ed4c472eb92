// SPDX-License-Identifier: Apache-2.0
#include "storage/head/block_arena.h"

#include "base/check.h"

namespace varve::storage::head {

Result<std::unique_ptr<BlockMemory>> BlockMemory::create(base::MemoryAccount& account) {
  // What 32-bit references can name.
  constexpr std::size_t kBytesMax = (std::size_t{1} << 32) * sizeof(Block);
  Result<ReservedMemory> memory = ReservedMemory::create(kBytesMax, account);
  if (!memory.ok()) return std::move(memory).error().with("chunk memory");
  return std::unique_ptr<BlockMemory>(new BlockMemory(std::move(memory).value()));
}

BlockRef BlockMemory::take_page() {
  const std::lock_guard lock(mutex_);
  VARVE_CHECK(used_ <= ~BlockRef{0} - kPageBlocks);  // 256 GiB
  VARVE_CHECK(memory_.grow((std::size_t{used_} + kPageBlocks) * sizeof(Block)).ok());
  const BlockRef page = used_;
  used_ += kPageBlocks;
  return page;
}

BlockRef BlockArena::allocate(BlockRef older) {
  BlockRef ref = free_;
  if (ref != 0) {
    free_ = at(ref).older;
    --free_count_;
    // Else whoever takes it next waits for it, if it was released long ago.
    prefetch(free_);
  } else {
    if (fresh_ == fresh_end_) {
      fresh_ = memory_->take_page();
      fresh_end_ = fresh_ + BlockMemory::kPageBlocks;
    }
    ref = fresh_++;
  }
  at(ref).older = older;
  return ref;
}

void BlockArena::release(BlockRef newest) {
  if (newest == 0) return;
  BlockRef oldest = newest;
  ++free_count_;
  while (at(oldest).older != 0) {
    oldest = at(oldest).older;
    ++free_count_;
  }
  at(oldest).older = free_;
  free_ = newest;
}

}  // namespace varve::storage::head
