// SPDX-License-Identifier: Apache-2.0
// Linked segments, each half as large as all before it together, within bounds.
#include "storage/index/id_list.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"

namespace varve::storage::index {
namespace {

constexpr std::uint32_t kSegmentMin = 4;
constexpr std::uint32_t kSegmentMax = 16'384;
// A run takes as much as two ids.
constexpr std::uint32_t kRunIdsMin = 3;

std::uint32_t count_runs(std::span<const std::uint32_t> ids) {
  std::uint32_t runs = 1;
  for (std::size_t i = 1; i < ids.size(); ++i) runs += ids[i] != ids[i - 1] + 1;
  return runs;
}

}  // namespace

std::span<const IdList::Run> IdList::Segment::runs(std::uint32_t end) const {
  std::uint32_t count = run_count.load(std::memory_order_acquire);
  const auto* const first = reinterpret_cast<const Run*>(this + 1);
  while (count > 0 && first[count - 1].begin >= end) --count;
  return {first, count};
}

// False: it is full.
bool IdList::Segment::append(std::uint32_t id, std::uint32_t index) {
  const std::uint32_t count = run_count.load(std::memory_order_relaxed);
  if (count == 0) {
    if (index - begin == capacity) return false;
    ids()[index - begin] = id;
    return true;
  }
  const Run& last = runs()[count - 1];
  if (id - last.first == index - last.begin) return true;  // the run goes on
  if (count == capacity) return false;
  runs()[count] = {id, index};
  run_count.store(count + 1, std::memory_order_release);
  return true;
}

void IdList::append(std::uint32_t id, Arena& arena) {
  const std::uint32_t count = count_.load(std::memory_order_relaxed);
  if (count == 0) {
    first_id_ = id;
  } else if (last_ == nullptr ? id - first_id_ != count : !last_->append(id, count)) {
    last_ = add_segment(id, count, arena);
  }
  count_.store(count + 1, std::memory_order_release);
}

// Of runs if those before it were long: what a list is like it mostly stays like.
IdList::Segment* IdList::add_segment(std::uint32_t id, std::uint32_t count, Arena& arena) {
  std::uint32_t capacity = kSegmentMin;
  std::uint32_t ids_before = count;
  std::uint32_t runs_before = 1;
  if (last_ != nullptr) {
    capacity = std::min(last_->capacity + last_->capacity / 2, kSegmentMax);
    ids_before = count - last_->begin;
    runs_before = last_->run_count.load(std::memory_order_relaxed);
    if (runs_before == 0) runs_before = count_runs({last_->ids(), ids_before});
  }
  const bool runs = ids_before / runs_before >= kRunIdsMin;
  const std::size_t entry_bytes = runs ? sizeof(Run) : sizeof(std::uint32_t);
  auto* const segment = reinterpret_cast<Segment*>(
      arena.take(sizeof(Segment) + capacity * entry_bytes, alignof(Segment)));
  segment->next.store(nullptr, std::memory_order_relaxed);
  segment->begin = count;
  segment->capacity = capacity;
  segment->run_count.store(runs ? 1 : 0, std::memory_order_relaxed);
  if (runs) {
    segment->runs()[0] = {id, count};
  } else {
    segment->ids()[0] = id;
  }
  (last_ == nullptr ? first_ : last_->next).store(segment, std::memory_order_release);
  return segment;
}

void IdList::copy_to(std::uint32_t bound, std::vector<std::uint32_t>& out) const {
  const auto run = [&](std::uint32_t first, std::uint32_t length) {
    if (first > bound) return false;
    const std::uint32_t some = bound - first < length ? bound - first + 1 : length;
    out.resize(out.size() + some);
    std::iota(out.end() - some, out.end(), first);
    return some == length;
  };
  const auto ids = [&](std::span<const std::uint32_t> some) {
    if (some.back() <= bound) {
      out.insert(out.end(), some.begin(), some.end());
      return true;
    }
    out.insert(out.end(), some.begin(), std::upper_bound(some.begin(), some.end(), bound));
    return false;
  };
  visit_parts(run, ids);
}

// To the first of the ids from at_ on that is not below the target, which the last one is not.
bool IdList::Cursor::seek_ids(const std::uint32_t* ids, std::uint32_t length,
                              std::uint32_t target) {
  // Gallop: the last id is not below target, so this ends.
  std::uint32_t low = at_;
  std::uint32_t step = 1;
  std::uint32_t high = at_;
  while (high < length && ids[high] < target) {
    low = high + 1;
    high += step;
    step *= 2;
  }
  high = std::min(high, length - 1);
  at_ = static_cast<std::uint32_t>(std::lower_bound(ids + low, ids + high, target) - ids);
  return ids[at_] == target;
}

bool IdList::Cursor::seek(std::uint32_t target) {
  while (!done_) {
    const std::uint32_t end = list_->end_of(segment_, count_);
    if (segment_ == nullptr) {
      if (target < list_->first_id_) return false;
      if (target - list_->first_id_ < end) return true;
    } else if (const std::span<const Run> runs = segment_->runs(end); !runs.empty()) {
      // The run that the target lies in or behind.
      const auto behind =
          std::partition_point(runs.begin() + at_, runs.end(),
                               [target](const Run& run) { return run.first <= target; });
      const auto index = static_cast<std::uint32_t>(behind - runs.begin());
      if (index == at_) return false;  // it lies before the run at hand
      at_ = index - 1;
      const std::uint32_t run_end = behind == runs.end() ? end : behind->begin;
      if (target - runs[at_].first < run_end - runs[at_].begin) return true;
      if (behind != runs.end()) return false;
    } else {
      const std::uint32_t length = end - segment_->begin;
      if (target <= segment_->ids()[length - 1]) return seek_ids(segment_->ids(), length, target);
    }
    segment_ = list_->after(segment_);
    at_ = 0;
    done_ = segment_ == nullptr || segment_->begin >= count_;
  }
  return false;
}

}  // namespace varve::storage::index
