// SPDX-License-Identifier: Apache-2.0
// An array that grows by blocks and never moves: one writer extends it, readers index into it at
// the same time. And an arena for what has no index. Both charge what they reserve.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <type_traits>
#include <vector>

#include "base/check.h"
#include "base/memory_account.h"

namespace varve::storage::index {

// Blocks of 2^block_bits zero bytes-initialised elements, at most blocks_max of them. T must be
// valid when all its bytes are zero and need no destructor. reserve() is for the writer; an element
// may be read by whoever learned of its index through a release store made after it was written.
template <typename T, unsigned block_bits, std::size_t blocks_max>
class StableArray {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  static constexpr std::size_t kBlockSize = std::size_t{1} << block_bits;
  static constexpr std::size_t kSizeMax = kBlockSize * blocks_max;

  // As for blocks, calloc: of the largest of these tables, half a megabyte, small heads touch a
  // page.
  explicit StableArray(base::MemoryAccount& account)
      : account_(account),
        blocks_(static_cast<std::atomic<T*>*>(std::calloc(blocks_max, sizeof(std::atomic<T*>)))) {
    VARVE_CHECK(blocks_ != nullptr);
    account_.charge(blocks_max * sizeof(T*));
  }
  ~StableArray() {
    std::size_t count = 0;
    for (; count < blocks_max; ++count) {
      T* const block = blocks_[count].load(std::memory_order_relaxed);
      if (block == nullptr) break;
      std::free(block);
    }
    std::free(blocks_);
    account_.release(
        static_cast<std::int64_t>(count * kBlockSize * sizeof(T) + blocks_max * sizeof(T*)));
  }
  StableArray(const StableArray&) = delete;
  StableArray& operator=(const StableArray&) = delete;

  // Makes the elements up to and including `index` exist. Precondition: index < kSizeMax.
  void reserve(std::size_t index) {
    VARVE_CHECK(index < kSizeMax);
    while (index >= reserved_) {
      // calloc's pages stay untouched, and so not resident, until they are written.
      auto* const block = static_cast<T*>(std::calloc(kBlockSize, sizeof(T)));
      VARVE_CHECK(block != nullptr);
      account_.charge(static_cast<std::int64_t>(kBlockSize * sizeof(T)));
      blocks_[reserved_ >> block_bits].store(block, std::memory_order_release);
      reserved_ += kBlockSize;
    }
  }
  // Precondition: reserved.
  T& operator[](std::size_t index) const {
    return blocks_[index >> block_bits].load(std::memory_order_acquire)[index & (kBlockSize - 1)];
  }

 private:
  base::MemoryAccount& account_;
  std::atomic<T*>* blocks_;  // null pointers are zero bytes
  std::size_t reserved_ = 0;
};

// Memory that is freed all at once. For the writer only; what it hands out may be read by others.
class Arena {
 public:
  explicit Arena(base::MemoryAccount& account) : account_(account) {}
  ~Arena() {
    for (void* block : blocks_) std::free(block);
    account_.release(static_cast<std::int64_t>(charged_));
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Uninitialised; `alignment` is a power of two up to 8.
  char* take(std::size_t size, std::size_t alignment) {
    const std::size_t skip =
        (alignment - reinterpret_cast<std::uintptr_t>(at_) % alignment) % alignment;
    if (size + skip > left_) {
      if (size > kBlockBytes / 4) return new_block(size);
      at_ = new_block(kBlockBytes);
      left_ = kBlockBytes;
      return advance(0, size);
    }
    return advance(skip, size);
  }

 private:
  static constexpr std::size_t kBlockBytes = 256 << 10;

  char* advance(std::size_t skip, std::size_t size) {
    char* const taken = at_ + skip;
    at_ += skip + size;
    left_ -= skip + size;
    return taken;
  }
  char* new_block(std::size_t size) {
    auto* const block = static_cast<char*>(std::malloc(size));
    VARVE_CHECK(block != nullptr);
    blocks_.push_back(block);
    charged_ += size;
    account_.charge(static_cast<std::int64_t>(size));
    return block;
  }

  base::MemoryAccount& account_;
  std::vector<void*> blocks_;
  std::size_t charged_ = 0;
  char* at_ = nullptr;
  std::size_t left_ = 0;
};

}  // namespace varve::storage::index
