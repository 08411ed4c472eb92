// SPDX-License-Identifier: Apache-2.0
// Knowing when nobody reads an old version any more. Readers of a structure that is replaced as a
// whole (a grown table) hold a Guard; the replacer publishes the new version, then waits until
// every reader that could have seen the old one has left. Readers pay two uncontended atomic adds.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <thread>

namespace varve::storage::head {

// Thread-safe; wait() by one thread at a time. Guards must be short (a batch, not a query).
class Quiescence {
 public:
  class Guard {
   public:
    explicit Guard(Quiescence& owner) : count_(owner.enter()) {}
    ~Guard() { count_.fetch_sub(1, std::memory_order_release); }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    std::atomic<std::uint64_t>& count_;
  };

  // Returns when all guards taken before the call are gone. The caller holds none.
  void wait() {
    const std::uint64_t old = epoch_.fetch_add(1, std::memory_order_seq_cst);
    while (readers_[old & 1].value.load(std::memory_order_seq_cst) != 0) std::this_thread::yield();
  }

 private:
  std::atomic<std::uint64_t>& enter() {
    for (;;) {
      const std::uint64_t epoch = epoch_.load(std::memory_order_seq_cst);
      auto& count = readers_[epoch & 1].value;
      count.fetch_add(1, std::memory_order_seq_cst);
      // If the epoch moved in between, a wait() may already have looked at this counter.
      if (epoch_.load(std::memory_order_seq_cst) == epoch) return count;
      count.fetch_sub(1, std::memory_order_release);
    }
  }

  struct alignas(64) Count {
    std::atomic<std::uint64_t> value{0};
  };
  std::array<Count, 2> readers_;
  alignas(64) std::atomic<std::uint64_t> epoch_{0};
};

}  // namespace varve::storage::head
