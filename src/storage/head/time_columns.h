// SPDX-License-Identifier: Apache-2.0
// The timestamps of closed chunks. All series of one scrape close chunks with the same timestamps,
// so these are kept apart, once, and a chunk names its column by a number. In memory a column is 32
// bytes; its encoded times lie in the spill store.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>

#include "storage/head/reserved_memory.h"
#include "storage/head/spill_store.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::storage::head {

using TimeColumnId = std::uint32_t;

struct TimeColumn {
  TimeRange range;             // of the samples, both ends included
  SpillPlace place;            // of the encoded times; length 0: the chunk itself holds them
  std::uint32_t checksum = 0;  // of the encoded times
  std::uint32_t count = 0;
};
static_assert(sizeof(TimeColumn) == 32);

// The low half of XXH3-64: what closed chunks and columns are verified with when they are read.
std::uint32_t spill_checksum(std::string_view bytes);

// Thread-safe. A column never changes, and its id is only learned after it was written.
class TimeColumns {
 public:
  static Result<std::unique_ptr<TimeColumns>> create(SpillStore& spill,
                                                     base::MemoryAccount& account);

  // The id of a column with these times: an equal one that was interned lately, or a new one.
  // Precondition: 1 to codec::kTimesMax times, ascending.
  TimeColumnId intern(std::span<const Timestamp> times);
  // A column that only knows its bounds, for chunks that hold their own times.
  TimeColumnId add_bounds(TimeRange range, std::uint32_t count);

  const TimeColumn& operator[](TimeColumnId id) const {
    return reinterpret_cast<const TimeColumn*>(memory_.data())[id];
  }
  std::size_t size() const;

 private:
  // Which of the latest columns have which content. Direct-mapped: a forgotten one is stored again.
  struct Known {
    std::uint64_t low = 0, high = 0;
    TimeColumnId id = 0;
  };
  static constexpr std::size_t kKnown = 8192;

  TimeColumns(SpillStore& spill, ReservedMemory memory);
  TimeColumnId add(const TimeColumn& column);

  SpillStore& spill_;
  ReservedMemory memory_;
  mutable std::mutex mutex_;  // guards what follows; take before SpillStore's
  std::uint32_t size_ = 0;
  std::uint64_t seed_ = 0;
  std::unique_ptr<std::array<Known, kKnown>> known_;
};

}  // namespace varve::storage::head
