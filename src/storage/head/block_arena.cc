// SPDX-License-Identifier: Apache-2.0
#include "storage/head/block_arena.h"

#include "base/check.h"

namespace varve::storage::head {

Result<std::unique_ptr<BlockMemory>> BlockMemory::create(base::MemoryAccount& account) {
  // What 32-bit references can name.
  constexpr std::size_t kBytesMax = (std::size_t{1} << 32) * kUnitBytes;
  Result<ReservedMemory> memory = ReservedMemory::create(kBytesMax, account);
  if (!memory.ok()) return std::move(memory).error().with("chunk memory");
  return std::unique_ptr<BlockMemory>(new BlockMemory(std::move(memory).value()));
}

BlockRef BlockMemory::take_page() {
  const std::lock_guard lock(mutex_);
  VARVE_CHECK(memory_.grow(used_ + kPageBytes).ok());
  const auto ref = static_cast<BlockRef>(used_ / kUnitBytes);
  used_ += kPageBytes;
  return ref;
}

BlockClass BlockArena::class_of(std::size_t bytes) {
  BlockClass block_class = 0;
  while (kBlockBytes[block_class] < bytes) ++block_class;
  return block_class;
}

BlockRef BlockArena::carve(BlockClass block_class) {
  Class& from = classes_[block_class];
  const std::uint32_t units = kBlockBytes[block_class] / BlockMemory::kUnitBytes;
  if (from.page_left < units) {
    const BlockRef page = memory_->take_page();
    from.page_next = page;
    from.page_left = BlockMemory::kPageBytes / BlockMemory::kUnitBytes;
  }
  const BlockRef ref = from.page_next;
  from.page_next += units;
  from.page_left -= units;
  return ref;
}

}  // namespace varve::storage::head
