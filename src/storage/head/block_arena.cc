// SPDX-License-Identifier: Apache-2.0
#include "storage/head/block_arena.h"

#include <cstring>

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
  if (!free_pages_.empty()) {
    const BlockRef page = free_pages_.back();
    free_pages_.pop_back();
    return page;
  }
  VARVE_CHECK(memory_.grow(used_ + kPageBytes).ok());
  const auto page = static_cast<BlockRef>(used_ / kUnitBytes);
  used_ += kPageBytes;
  return page;
}

void BlockMemory::give_page(BlockRef page) {
  const std::lock_guard lock(mutex_);
  free_pages_.push_back(page);
}

BlockClass BlockArena::class_of(std::size_t bytes) {
  BlockClass block_class = 0;
  while (kBlockBytes[block_class] < bytes) ++block_class;
  return block_class;
}

void BlockArena::link(BlockRef page, BlockClass block_class) {
  BlockRef& first = with_room_[block_class];
  page_at(page).previous = 0;
  page_at(page).next = first;
  if (first != 0) page_at(first).previous = page;
  first = page;
}

void BlockArena::unlink(BlockRef page, BlockClass block_class) {
  const Page& header = page_at(page);
  (header.previous != 0 ? page_at(header.previous).next : with_room_[block_class]) = header.next;
  if (header.next != 0) page_at(header.next).previous = header.previous;
}

BlockRef BlockArena::allocate(BlockClass block_class) {
  BlockRef page = with_room_[block_class];
  if (page == 0) {
    page = memory_->take_page();
    page_at(page) = Page();
    link(page, block_class);
  }
  Page& header = page_at(page);
  BlockRef ref = header.free;
  if (ref != 0) {
    std::memcpy(&header.free, memory_->at(ref), sizeof(BlockRef));
  } else {
    ref = page + 1 + header.carved++ * (kBlockBytes[block_class] / BlockRef{BlockMemory::kUnitBytes});
  }
  if (++header.used == capacity(block_class)) unlink(page, block_class);
  return ref;
}

void BlockArena::release(BlockRef ref, BlockClass block_class) {
  const BlockRef page = ref / BlockMemory::kPageUnits * BlockMemory::kPageUnits;
  Page& header = page_at(page);
  std::memcpy(memory_->at(ref), &header.free, sizeof(BlockRef));
  header.free = ref;
  if (header.used-- == capacity(block_class)) link(page, block_class);
  if (header.used == 0) {
    unlink(page, block_class);
    memory_->give_page(page);
  }
}

}  // namespace varve::storage::head
