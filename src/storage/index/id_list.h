// SPDX-License-Identifier: Apache-2.0
// A list of ascending u32s that one writer appends to while others read it. It grows by linking
// segments instead of copying, so nothing ever has to be reclaimed, and the slack stays below a
// third. What a sender's series share, names of hosts and jobs, they have one after the other: such
// lists are runs of consecutive ids, which are kept as two numbers each, the first one inline. (At
// four bytes an id a million series' postings took as much as their labels.)
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "storage/index/stable_array.h"

namespace varve::storage::index {

// Valid when all bytes are zero: an empty list. Invariant: everything up to count_ was written
// before count_ was stored with release, so a reader that loads count_ first finds all of that;
// what it finds beyond it leaves alone.
class IdList {
 public:
  // The writer's. Precondition: id is greater than the last one.
  void append(std::uint32_t id, Arena& arena);

  std::uint32_t size() const { return count_.load(std::memory_order_acquire); }
  // Precondition: size() > 0.
  std::uint32_t front() const { return first_id_; }

  // Appends all ids <= bound to `out`.
  void copy_to(std::uint32_t bound, std::vector<std::uint32_t>& out) const;

  // Calls visit(span) for the ids, some at a time, as long as it returns true.
  template <typename Visit>
  void visit_runs(Visit visit) const;

  class Cursor;

 private:
  // Of consecutive ids, up to where the next one begins.
  struct Run {
    std::uint32_t first;  // its first id
    std::uint32_t begin;  // that one's index in the list
  };
  // Before an array of ids or of runs.
  struct Segment {
    std::atomic<Segment*> next;
    std::uint32_t begin;  // index in the list of its first id
    std::uint32_t capacity;
    std::atomic<std::uint32_t> run_count;  // 0: it has ids
    std::uint32_t* ids() { return reinterpret_cast<std::uint32_t*>(this + 1); }
    const std::uint32_t* ids() const { return reinterpret_cast<const std::uint32_t*>(this + 1); }
    Run* runs() { return reinterpret_cast<Run*>(this + 1); }
    // Those that begin before the index `end`; none if the segment has ids.
    std::span<const Run> runs(std::uint32_t end) const;
    bool append(std::uint32_t id, std::uint32_t index);
  };

  Segment* add_segment(std::uint32_t id, std::uint32_t count, Arena& arena);
  // The segment behind one, the first behind null, and where that ends for a reader of `count` ids.
  const Segment* after(const Segment* segment) const {
    return (segment == nullptr ? first_ : segment->next).load(std::memory_order_acquire);
  }
  std::uint32_t end_of(const Segment* segment, std::uint32_t count) const {
    const Segment* const next = after(segment);
    return next == nullptr ? count : std::min(count, next->begin);
  }
  // Calls run(first, length) or ids(span) for each part, as long as they return true.
  template <typename VisitRun, typename VisitIds>
  void visit_parts(const VisitRun& run, const VisitIds& ids) const;

  std::atomic<std::uint32_t> count_;
  std::uint32_t first_id_;       // the list begins with a run of it
  std::atomic<Segment*> first_;  // holds the ids behind that run
  Segment* last_;                // the writer's
};

// Walks a snapshot of a list forward.
class IdList::Cursor {
 public:
  explicit Cursor(const IdList& list) : list_(&list), count_(list.size()), done_(count_ == 0) {}

  // Moves to the first id >= target; whether it is target. Targets must not descend.
  bool seek(std::uint32_t target);

 private:
  bool seek_ids(const std::uint32_t* ids, std::uint32_t length, std::uint32_t target);

  const IdList* list_;
  std::uint32_t count_;
  bool done_;                         // behind the last id
  const Segment* segment_ = nullptr;  // nullptr: in the first run
  std::uint32_t at_ = 0;              // of the ids or runs of segment_
};

template <typename VisitRun, typename VisitIds>
void IdList::visit_parts(const VisitRun& run, const VisitIds& ids) const {
  const std::uint32_t count = size();
  if (count == 0 || !run(first_id_, end_of(nullptr, count))) return;
  for (const Segment* s = after(nullptr); s != nullptr && s->begin < count; s = after(s)) {
    const std::uint32_t end = end_of(s, count);
    const std::span<const Run> runs = s->runs(end);
    if (runs.empty() && !ids(std::span(s->ids(), end - s->begin))) return;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const std::uint32_t run_end = i + 1 < runs.size() ? runs[i + 1].begin : end;
      if (!run(runs[i].first, run_end - runs[i].begin)) return;
    }
  }
}

template <typename Visit>
void IdList::visit_runs(Visit visit) const {
  const auto run = [&visit](std::uint32_t first, std::uint32_t length) {
    std::array<std::uint32_t, 256> ids;
    while (length > 0) {
      const std::uint32_t some = std::min<std::uint32_t>(length, ids.size());
      for (std::uint32_t i = 0; i < some; ++i) ids[i] = first + i;
      if (!visit(std::span<const std::uint32_t>(ids.data(), some))) return false;
      first += some;
      length -= some;
    }
    return true;
  };
  visit_parts(run, visit);
}

}  // namespace varve::storage::index
