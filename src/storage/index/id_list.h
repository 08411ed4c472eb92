// SPDX-License-Identifier: Apache-2.0
// A list of ascending u32s that one writer appends to while others read it. It grows by linking
// segments instead of copying, so nothing ever has to be reclaimed, and the slack stays below a
// third. The first element is inline: most label values of a large head name one series.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "storage/index/stable_array.h"

namespace varve::storage::index {

// Valid when all bytes are zero: an empty list. Invariant: everything up to count_ was written
// before count_ was stored with release, so a reader that loads count_ first needs no other
// ordering.
class IdList {
 public:
  // The writer's. Precondition: id is greater than the last one.
  void append(std::uint32_t id, Arena& arena);

  std::uint32_t size() const { return count_.load(std::memory_order_acquire); }
  // Precondition: size() > 0.
  std::uint32_t front() const { return first_id_; }

  // Appends all ids <= bound to `out`.
  void copy_to(std::uint32_t bound, std::vector<std::uint32_t>& out) const;

  // Calls visit(span) for the ids in runs, as long as it returns true.
  template <typename Visit>
  void visit_runs(Visit visit) const;

  class Cursor;

 private:
  struct Segment {
    Segment* next;
    std::uint32_t begin;  // index in the list of ids()[0]
    std::uint32_t capacity;
    std::uint32_t* ids() { return reinterpret_cast<std::uint32_t*>(this + 1); }
    const std::uint32_t* ids() const { return reinterpret_cast<const std::uint32_t*>(this + 1); }
  };

  std::atomic<std::uint32_t> count_;
  std::uint32_t first_id_;
  Segment* first_;  // holds the ids from index 1 on
  Segment* last_;   // the writer's
};

// Walks a snapshot of a list forward.
class IdList::Cursor {
 public:
  explicit Cursor(const IdList& list) : list_(&list), count_(list.size()) {}

  // Moves to the first id >= target; whether it is target. Targets must not descend.
  bool seek(std::uint32_t target);

 private:
  const IdList* list_;
  std::uint32_t count_;
  const Segment* segment_ = nullptr;  // nullptr: at the first id, or at the end if done_
  std::uint32_t at_ = 0;              // in segment_
  bool done_ = false;
};

template <typename Visit>
void IdList::visit_runs(Visit visit) const {
  const std::uint32_t count = size();
  if (count == 0 || !visit(std::span<const std::uint32_t>(&first_id_, 1)) || count == 1) return;
  for (const Segment* segment = first_;; segment = segment->next) {
    const std::uint32_t length = std::min(segment->capacity, count - segment->begin);
    if (!visit(std::span<const std::uint32_t>(segment->ids(), length)) ||
        segment->begin + length == count) {
      return;
    }
  }
}

}  // namespace varve::storage::index
