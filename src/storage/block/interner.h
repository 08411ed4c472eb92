// SPDX-License-Identifier: Apache-2.0
// Numbers distinct strings in the order in which they come. For writers: one thread.
#pragma once

#include <xxhash.h>

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/memory_account.h"
#include "storage/index/id_table.h"
#include "storage/index/stable_array.h"

namespace varve::storage::block {

class Interner {
 public:
  Interner() : table_(account_), arena_(account_) {}

  std::uint32_t intern(std::string_view text) {
    const std::uint64_t hash = XXH3_64bits(text.data(), text.size());
    const std::uint32_t known = table_.find(hash, [&](std::uint32_t id) { return at(id) == text; });
    if (known != index::IdTable::kNone) return known;
    const auto id = static_cast<std::uint32_t>(strings_.size());
    const auto size = static_cast<std::uint32_t>(text.size());
    char* const stored = arena_.take(sizeof size + text.size(), 4);
    std::memcpy(stored, &size, sizeof size);
    std::memcpy(stored + sizeof size, text.data(), text.size());
    strings_.push_back(stored);
    table_.insert(hash, id);
    return id;
  }
  std::uint32_t size() const { return static_cast<std::uint32_t>(strings_.size()); }
  // Lives as long as this.
  std::string_view at(std::uint32_t id) const {
    std::uint32_t size = 0;
    std::memcpy(&size, strings_[id], sizeof size);
    return {strings_[id] + sizeof size, size};
  }

 private:
  base::MemoryAccount account_{"block_writer"};  // nobody asks: a writer lives for seconds
  index::IdTable table_;
  index::Arena arena_;
  std::vector<const char*> strings_;
};

}  // namespace varve::storage::block
