// SPDX-License-Identifier: Apache-2.0
// Linked segments, each half as large as all before it together, within bounds.
#include "storage/index/id_list.h"

#include <algorithm>

#include "base/check.h"

namespace varve::storage::index {
namespace {

constexpr std::uint32_t kSegmentMin = 4;
constexpr std::uint32_t kSegmentMax = 16'384;

}  // namespace

void IdList::append(std::uint32_t id, Arena& arena) {
  const std::uint32_t count = count_.load(std::memory_order_relaxed);
  if (count == 0) {
    first_id_ = id;
  } else {
    if (last_ == nullptr || count - last_->begin == last_->capacity) {
      const std::uint32_t capacity = std::clamp(count / 2, kSegmentMin, kSegmentMax);
      auto* const segment = reinterpret_cast<Segment*>(
          arena.take(sizeof(Segment) + capacity * sizeof(std::uint32_t), alignof(Segment)));
      *segment = {nullptr, count, capacity};
      (last_ == nullptr ? first_ : last_->next) = segment;
      last_ = segment;
    }
    last_->ids()[count - last_->begin] = id;
  }
  count_.store(count + 1, std::memory_order_release);
}

void IdList::copy_to(std::uint32_t bound, std::vector<std::uint32_t>& out) const {
  visit_runs([&](std::span<const std::uint32_t> run) {
    if (run.back() <= bound) {
      out.insert(out.end(), run.begin(), run.end());
      return true;
    }
    out.insert(out.end(), run.begin(), std::upper_bound(run.begin(), run.end(), bound));
    return false;
  });
}

bool IdList::Cursor::seek(std::uint32_t target) {
  if (done_ || count_ == 0) return false;
  if (segment_ == nullptr) {
    if (list_->first_id_ >= target) return list_->first_id_ == target;
    if (count_ == 1) {
      done_ = true;
      return false;
    }
    segment_ = list_->first_;
    at_ = 0;
  }
  std::uint32_t length = std::min(segment_->capacity, count_ - segment_->begin);
  while (segment_->ids()[length - 1] < target) {
    if (segment_->begin + length == count_) {
      done_ = true;
      return false;
    }
    segment_ = segment_->next;
    at_ = 0;
    length = std::min(segment_->capacity, count_ - segment_->begin);
  }
  const std::uint32_t* const ids = segment_->ids();
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

}  // namespace varve::storage::index
