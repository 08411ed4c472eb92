// SPDX-License-Identifier: Apache-2.0
// Memory that grows without moving: a range of addresses is reserved at once and made usable from
// the front in steps of a huge page. What is indexed by a dense id (hot series, chunk blocks) lives
// in one, so that an id is an address and no reader ever sees a reallocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/memory_account.h"
#include "varve/result.h"

namespace varve::storage::head {

// grow() is called by one thread at a time; what lies below size() may be used by any thread that
// learned of it with acquire order. Memory is zeroed.
class ReservedMemory {
 public:
  static constexpr std::size_t kStepBytes = std::size_t{2} << 20;

  ReservedMemory() = default;
  ReservedMemory(ReservedMemory&& other) noexcept { *this = std::move(other); }
  ReservedMemory& operator=(ReservedMemory&& other) noexcept;
  ~ReservedMemory();

  // Reserves `bytes_max` of addresses, or as much as the process may have (not less than 1 GiB).
  static Result<ReservedMemory> create(std::size_t bytes_max, base::MemoryAccount& account);

  // Makes at least `bytes` usable. kLimitExceeded if the range or the machine is full.
  Status grow(std::size_t bytes);

  // Gives the whole pages inside [begin, end) back to the machine; they read as zeros from now on,
  // for every thread. A page must not be given back twice, nor be written to before reuse().
  void discard(std::size_t begin, std::size_t end);
  // Takes whole pages that were given back into use again. Precondition: of whole pages.
  void reuse(std::size_t begin, std::size_t end);

  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::size_t size_max() const { return size_max_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t size_max_ = 0;
  std::size_t discarded_ = 0;
  base::MemoryAccount* account_ = nullptr;
};

}  // namespace varve::storage::head
