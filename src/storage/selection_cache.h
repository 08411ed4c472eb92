// SPDX-License-Identifier: Apache-2.0
// What the selections of one querier share of the head: decoded time columns, mapped spill files.
// Entries are added and never removed, so that readers need no lock.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/memory_account.h"
#include "fs/file_system.h"
#include "storage/chunk_decode.h"
#include "storage/head/spill_store.h"
#include "storage/head/time_columns.h"
#include "varve/result.h"

namespace varve::storage {

// A chained hash table that only grows. Thread-safe and lock-free; of two threads that add one key
// the first wins.
template <typename Value, std::size_t kBuckets>
class GrowOnlyMap {
 public:
  GrowOnlyMap() = default;
  GrowOnlyMap(const GrowOnlyMap&) = delete;
  GrowOnlyMap& operator=(const GrowOnlyMap&) = delete;
  ~GrowOnlyMap() {
    for (auto& bucket : buckets_) {
      for (Node* node = bucket.load(std::memory_order_acquire); node != nullptr;) {
        delete std::exchange(node, node->next);
      }
    }
  }

  const Value* find(std::uint64_t key) const {
    return find_in(buckets_[key % kBuckets].load(std::memory_order_acquire), key);
  }

  const Value* add(std::uint64_t key, Value value) {
    auto* node = new Node{key, nullptr, std::move(value)};
    auto& bucket = buckets_[key % kBuckets];
    node->next = bucket.load(std::memory_order_acquire);
    for (;;) {
      if (const Value* other = find_in(node->next, key)) {
        delete node;
        return other;
      }
      if (bucket.compare_exchange_weak(node->next, node, std::memory_order_acq_rel,
                                       std::memory_order_acquire)) {
        return &node->value;
      }
    }
  }

 private:
  struct Node {
    std::uint64_t key;
    Node* next;
    Value value;
  };
  static const Value* find_in(const Node* node, std::uint64_t key) {
    for (; node != nullptr; node = node->next) {
      if (node->key == key) return &node->value;
    }
    return nullptr;
  }
  std::array<std::atomic<Node*>, kBuckets> buckets_{};
};

// Thread-safe.
class SelectionCache {
 public:
  SelectionCache(const head::SpillStore& spill, const head::TimeColumns& columns,
                 base::MemoryAccount& memory)
      : spill_(spill), columns_(columns), memory_(memory) {}
  ~SelectionCache();

  // The bytes of a place, verified. In a mapped file that lives as long as the cache, or in
  // `scratch`. kNotFound: expired meanwhile.
  Result<std::string_view> bytes(head::SpillPlace place, std::vector<char>& scratch);
  // The times of a column that has them (place.length() > 0).
  Result<const DecodedTimes*> times(head::TimeColumnId id, std::vector<char>& scratch);

 private:
  // Null where the mapped file, as long as it was when first wanted, does not reach.
  const char* mapped(head::SpillPlace place);

  const head::SpillStore& spill_;
  const head::TimeColumns& columns_;
  base::MemoryAccount& memory_;
  std::atomic<std::int64_t> charged_{0};
  GrowOnlyMap<std::shared_ptr<const fs::MappedFile>, 64> file_map_;  // by file number
  GrowOnlyMap<DecodedTimes, 1024> column_map_;
};

}  // namespace varve::storage
