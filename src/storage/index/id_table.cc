// SPDX-License-Identifier: Apache-2.0
// Linear probing over words that hold a piece of the hash and the id, so that growing needs no
// keys.
#include "storage/index/id_table.h"

#include "base/check.h"

namespace varve::storage::index {
namespace {

constexpr std::size_t kSlotsMin = 1024;

}  // namespace

IdTable::IdTable(base::MemoryAccount& account) : account_(account) { grow(kSlotsMin); }

IdTable::~IdTable() {
  for (const auto& version : versions_) {
    account_.release(static_cast<std::int64_t>((version->mask + 1) * sizeof(std::uint64_t)));
  }
}

void IdTable::put(const Version& version, std::uint64_t slot) {
  std::size_t at = (slot >> 32) & version.mask;
  while (version.slots[at].load(std::memory_order_relaxed) != 0) at = (at + 1) & version.mask;
  // Release: whoever sees the id sees what it names.
  version.slots[at].store(slot, std::memory_order_release);
}

void IdTable::grow(std::size_t slots) {
  auto version = std::make_unique<Version>();
  version->mask = slots - 1;
  version->slots.reset(new std::atomic<std::uint64_t>[slots]());
  account_.charge(static_cast<std::int64_t>(slots * sizeof(std::uint64_t)));
  if (!versions_.empty()) {
    const Version& old = *versions_.back();
    for (std::size_t i = 0; i <= old.mask; ++i) {
      const std::uint64_t slot = old.slots[i].load(std::memory_order_relaxed);
      if (slot != 0) put(*version, slot);
    }
  }
  current_.store(version.get(), std::memory_order_release);
  versions_.push_back(std::move(version));
}

void IdTable::insert(std::uint64_t hash, std::uint32_t id) {
  VARVE_CHECK(id != kNone);
  // At most two thirds full.
  const std::size_t slots = versions_.back()->mask + 1;
  if ((size_ + 1) * 3 > slots * 2) grow(slots * 2);
  put(*versions_.back(), hash >> 32 << 32 | (id + 1));
  ++size_;
}

}  // namespace varve::storage::index
