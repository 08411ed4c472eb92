// SPDX-License-Identifier: Apache-2.0
// A hash table from keys to u32 ids that only grows: one writer inserts, readers find without
// locks. The keys live with the caller. Outgrown versions are kept until the end, as readers may
// still be in them; they double, so all of them together are smaller than the current one.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/memory_account.h"

namespace varve::storage::index {

class IdTable {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  explicit IdTable(base::MemoryAccount& account);
  ~IdTable();
  IdTable(const IdTable&) = delete;
  IdTable& operator=(const IdTable&) = delete;

  // The id inserted under `hash` for which is_it(id) holds, or kNone.
  template <typename IsIt>
  std::uint32_t find(std::uint64_t hash, IsIt is_it) const {
    const Version& version = *current_.load(std::memory_order_acquire);
    const std::uint64_t tag = hash >> 32;
    for (std::size_t at = tag & version.mask;; at = (at + 1) & version.mask) {
      const std::uint64_t slot = version.slots[at].load(std::memory_order_acquire);
      if (slot == 0) return kNone;
      if (slot >> 32 != tag) continue;
      const auto id = static_cast<std::uint32_t>(slot) - 1;
      if (is_it(id)) return id;
    }
  }
  // The writer's. Precondition: not in it yet; id < kNone.
  void insert(std::uint64_t hash, std::uint32_t id);

 private:
  struct Version {
    std::size_t mask = 0;
    std::unique_ptr<std::atomic<std::uint64_t>[]> slots;  // tag << 32 | id + 1; 0: free
  };

  void grow(std::size_t slots);
  static void put(const Version& version, std::uint64_t slot);

  base::MemoryAccount& account_;
  std::vector<std::unique_ptr<Version>> versions_;  // the writer's
  std::atomic<const Version*> current_{nullptr};
  std::size_t size_ = 0;
};

}  // namespace varve::storage::index
