// SPDX-License-Identifier: Apache-2.0
#include "storage/head/block_arena.h"

#include <array>
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

namespace {

// By the number of units that the bytes take.
constexpr auto kClassOf = [] {
  std::array<BlockClass, kBlockBytes.back() / BlockMemory::kUnitBytes + 1> classes{};
  BlockClass block_class = 0;
  for (std::size_t units = 0; units < classes.size(); ++units) {
    if (kBlockBytes[block_class] < units * BlockMemory::kUnitBytes) ++block_class;
    classes[units] = block_class;
  }
  return classes;
}();

}  // namespace

BlockClass BlockArena::class_of(std::size_t bytes) {
  return kClassOf[(bytes + BlockMemory::kUnitBytes - 1) / BlockMemory::kUnitBytes];
}

std::size_t BlockArena::fullness(std::uint16_t used, BlockClass block_class) {
  // Shares of a page as multiples of 2^-16, because a division here is a tenth of an allocation.
  static constexpr auto kShare = [] {
    std::array<std::uint32_t, kBlockBytes.size()> shares{};
    for (std::size_t i = 0; i < shares.size(); ++i) {
      shares[i] = (std::uint32_t{kFullness} << 16) / capacity(static_cast<BlockClass>(i));
    }
    return shares;
  }();
  return used * kShare[block_class] >> 16;
}

void BlockArena::link(BlockRef page, BlockRef& first) {
  page_at(page).previous = 0;
  page_at(page).next = first;
  if (first != 0) page_at(first).previous = page;
  first = page;
}

void BlockArena::unlink(BlockRef page, BlockRef& first) {
  const Page& header = page_at(page);
  (header.previous != 0 ? page_at(header.previous).next : first) = header.next;
  if (header.next != 0) page_at(header.next).previous = header.previous;
}

BlockRef BlockArena::allocate(BlockClass block_class) {
  auto& lists = with_room_[block_class];
  std::size_t before = kFullness;
  while (before > 0 && lists[before - 1] == 0) --before;
  BlockRef page = 0;
  if (before > 0) {
    page = lists[--before];
  } else {
    page = memory_->take_page();
    page_at(page) = Page();
    link(page, lists[before]);
  }
  Page& header = page_at(page);
  BlockRef ref = header.free;
  if (ref != 0) {
    std::memcpy(&header.free, memory_->at(ref), sizeof(BlockRef));
    // Else whoever takes it waits for it: it was released long ago.
    __builtin_prefetch(memory_->at(header.free), 1);
  } else {
    ref =
        page + 1 + header.carved++ * (kBlockBytes[block_class] / BlockRef{BlockMemory::kUnitBytes});
  }
  ++header.used;
  const bool full = header.used == capacity(block_class);
  const std::size_t after = fullness(header.used, block_class);
  if (full || after != before) unlink(page, lists[before]);
  if (!full && after != before) link(page, lists[after]);
  return ref;
}

void BlockArena::release(BlockRef ref, BlockClass block_class) {
  auto& lists = with_room_[block_class];
  const BlockRef page = ref / BlockMemory::kPageUnits * BlockMemory::kPageUnits;
  Page& header = page_at(page);
  std::memcpy(memory_->at(ref), &header.free, sizeof(BlockRef));
  header.free = ref;
  const bool was_full = header.used == capacity(block_class);
  const std::size_t before = was_full ? kFullness : fullness(header.used, block_class);
  --header.used;
  const std::size_t after = fullness(header.used, block_class);
  if (header.used == 0) {
    if (!was_full) unlink(page, lists[before]);
    memory_->give_page(page);
  } else if (after != before) {
    if (!was_full) unlink(page, lists[before]);
    link(page, lists[after]);
  }
}

}  // namespace varve::storage::head
