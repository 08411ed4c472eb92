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
#include <string>
#include <string_view>
#include <vector>

#include "storage/head/reserved_memory.h"
#include "storage/head/spill_store.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::storage::head {

using TimeColumnId = std::uint32_t;

struct TimeColumn {
  TimeRange range;   // of the samples, both ends included
  SpillPlace place;  // of the encoded times; length 0: the chunk itself holds them
  std::uint32_t count = 0;
};
static_assert(sizeof(TimeColumn) == 32);

// Thread-safe. A column never changes, and its id is only learned after it was written. Ids ascend
// and wrap; those given back by drop_before() are given again after 2^32 others.
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
  std::size_t size() const;  // held

  // Gives back the memory of columns that end before `time_ms`, a few megabytes at a time and in
  // the order of their ids. Nobody may refer to a column that ends before that time any more.
  void drop_before(Timestamp time_ms);

  // For snapshots: which columns there are, as counted from the first ever; id is the low half.
  struct Span {
    std::uint64_t begin = 0, end = 0;
  };
  Span span() const;
  // Some of them; precondition: inside span(), which does not change meanwhile but at its end.
  void copy(Span part, std::vector<TimeColumn>& out) const;
  // Into an empty store, piece by piece and in order; they are counted from 0 again.
  // kLimitExceeded: no memory.
  Status restore(std::span<const TimeColumn> columns);
  bool held(TimeColumnId id) const;

 private:
  // Which of the latest columns have which content. Direct-mapped: a forgotten one is stored again.
  struct Known {
    std::uint64_t low = 0, high = 0;
    TimeColumnId id = 0;
  };
  static constexpr std::size_t kKnown = 8192;

  TimeColumns(SpillStore& spill, ReservedMemory memory);
  TimeColumnId add(const TimeColumn& column);
  TimeColumn& at(std::uint64_t number) const {
    return reinterpret_cast<TimeColumn*>(memory_.data())[number % kIds];
  }
  bool held_locked(TimeColumnId id) const {
    return first_ + ((id - first_) & (kIds - 1)) < size_;
  }

  static constexpr std::uint64_t kIds = std::uint64_t{1} << 32;
  static constexpr std::uint64_t kStep = ReservedMemory::kStepBytes / sizeof(TimeColumn);

  SpillStore& spill_;
  ReservedMemory memory_;
  mutable std::mutex mutex_;  // guards what follows; take before SpillStore's
  std::uint64_t first_ = 0;  // a multiple of kStep
  std::uint64_t size_ = 0;   // the number of the next one
  std::uint64_t seed_ = 0;
  std::unique_ptr<std::array<Known, kKnown>> known_;
};

// A piece of a snapshot: columns from the number `begin` on, and back. Any bytes will do.
void encode_columns(std::uint64_t begin, std::span<const TimeColumn> columns, std::string& out);
Status decode_columns(std::string_view bytes, std::uint64_t& begin, std::vector<TimeColumn>& out);

}  // namespace varve::storage::head
