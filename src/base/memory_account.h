// SPDX-License-Identifier: Apache-2.0
// Who holds how much memory. Every large holder charges an account of its own, so that one limit
// can govern the process later and /metrics can name the owner of every megabyte now.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace varve::base {

// Thread-safe. Bytes are what the holder reserved, not what it filled.
class MemoryAccount {
 public:
  explicit MemoryAccount(std::string_view owner) : owner_(owner) {}
  MemoryAccount(const MemoryAccount&) = delete;
  MemoryAccount& operator=(const MemoryAccount&) = delete;

  void charge(std::int64_t bytes) { bytes_.fetch_add(bytes, std::memory_order_relaxed); }
  // Charges only if the account then holds `bytes_max` at most; of several charges at once, those
  // that fit are taken.
  [[nodiscard]] bool try_charge(std::int64_t bytes, std::int64_t bytes_max) {
    std::int64_t held = bytes_.load(std::memory_order_relaxed);
    do {
      if (bytes > bytes_max - held) return false;
    } while (!bytes_.compare_exchange_weak(held, held + bytes, std::memory_order_relaxed));
    return true;
  }
  void release(std::int64_t bytes) { charge(-bytes); }
  std::int64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  std::string_view owner() const { return owner_; }

 private:
  std::string_view owner_;  // a string literal
  std::atomic<std::int64_t> bytes_{0};
};

}  // namespace varve::base
