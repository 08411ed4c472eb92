// SPDX-License-Identifier: Apache-2.0
#include "scrape/series_cache.h"

#include <xxhash.h>

#include <algorithm>
#include <utility>

namespace varve::scrape {
namespace {
constexpr std::size_t kCapacityMin = 64;
}  // namespace

void SeriesCache::begin() {
  ++generation_;
  order_.resize(std::min(order_.size(), next_));
  next_ = 0;
  tracked_before_count_ = std::exchange(tracked_count_, 0);
  seen_count_ = 0;
  kept_count_ = 0;
  unknown_met_ = false;
}

void SeriesCache::rebuild(std::size_t capacity) {
  std::vector<Slot> old = std::move(slots_);
  slots_.assign(capacity, Slot{});
  used_ = 0;
  grow_at_ = capacity / 2;
  order_.clear();
  next_ = 0;
  for (const Slot& slot : old) {
    if (slot.hash_low == 0 && slot.hash_high == 0) continue;
    std::size_t at = slot.hash_low & (capacity - 1);
    while (slots_[at].hash_low != 0 || slots_[at].hash_high != 0) at = (at + 1) & (capacity - 1);
    slots_[at] = slot;
    ++used_;
  }
}

SeriesCache::Slot& SeriesCache::find(std::string_view series) {
  if (next_ + kAhead < order_.size()) __builtin_prefetch(&slots_[order_[next_ + kAhead]], 1);
  const std::size_t at = locate(series);
  if (next_ < order_.size()) {
    order_[next_] = static_cast<std::uint32_t>(at);
  } else {
    order_.push_back(static_cast<std::uint32_t>(at));
  }
  ++next_;
  unknown_met_ |= slots_[at].state == State::kUnknown;
  return slots_[at];
}

SeriesCache::Slot& SeriesCache::again(std::string_view series) { return slots_[locate(series)]; }

std::size_t SeriesCache::locate(std::string_view series) {
  if (used_ >= grow_at_) rebuild(std::max(kCapacityMin, slots_.size() * 2));
  const XXH128_hash_t hash = XXH3_128bits(series.data(), series.size());
  const std::uint64_t low = hash.low64;
  const std::uint64_t high = hash.high64 | 1;  // never the mark of a free slot
  std::size_t at = low & (slots_.size() - 1);
  while (slots_[at].hash_low != low || slots_[at].hash_high != high) {
    if (slots_[at].hash_low == 0 && slots_[at].hash_high == 0) {
      slots_[at].hash_low = low;
      slots_[at].hash_high = high;
      ++used_;
      break;
    }
    at = (at + 1) & (slots_.size() - 1);
  }
  return at;
}

void SeriesCache::mark_tracked(Slot& slot) {
  if (slot.tracked == generation_) return;
  slot.tracked_before = slot.tracked == generation_ - 1;
  slot.tracked = generation_;
  ++tracked_count_;
  kept_count_ += slot.tracked_before ? 1 : 0;
}

void SeriesCache::finish(std::vector<storage::SeriesId>& stale) {
  if (!unknown_met_ && orphans_.empty() && kept_count_ == tracked_before_count_ &&
      seen_count_ == used_) {
    whole_ = generation_;
    return;
  }
  std::vector<storage::SeriesId> gone = std::move(orphans_);
  orphans_.clear();
  for (Slot& slot : slots_) {
    if (slot.state == State::kPending) slot.state = State::kUnknown;
    if (slot.state == State::kKnown && slot.tracked == generation_ - 1) gone.push_back(slot.id);
  }
  if (!gone.empty()) {
    // A series may be here still under another text.
    std::vector<storage::SeriesId> here;
    for (const Slot& slot : slots_) {
      if (slot.state == State::kKnown && slot.tracked == generation_) here.push_back(slot.id);
    }
    std::sort(here.begin(), here.end());
    for (const storage::SeriesId id : gone) {
      if (!std::binary_search(here.begin(), here.end(), id)) stale.push_back(id);
    }
  }
  whole_ = generation_;
  trim([this](const Slot& slot) { return slot.seen != generation_; });
}

// So that churn is paid for in proportion and a value in a label cannot grow the table without end.
template <typename Gone>
void SeriesCache::trim(Gone gone) {
  std::size_t freed = 0;
  for (const Slot& slot : slots_) {
    if (slot.hash_high != 0 && gone(slot)) ++freed;
  }
  if (freed * 4 <= used_ || used_ <= kCapacityMin / 2) return;
  for (Slot& slot : slots_) {
    if (gone(slot)) slot = Slot{};
  }
  std::size_t capacity = kCapacityMin;
  while (capacity / 2 <= used_ - freed) capacity *= 2;
  rebuild(capacity);
}

void SeriesCache::abort(std::vector<storage::SeriesId>& stale) {
  for (Slot& slot : slots_) {
    if (slot.state == State::kPending) slot.state = State::kUnknown;
    if (slot.state != State::kKnown) continue;
    const bool before =
        slot.tracked == generation_ - 1 || (slot.tracked == generation_ && slot.tracked_before);
    if (before) stale.push_back(slot.id);
  }
  stale.insert(stale.end(), orphans_.begin(), orphans_.end());
  orphans_.clear();
  // What has an id was in a whole scrape and waits for the next one. Of what relabelling drops one
  // cannot tell; to find that out again is cheap.
  trim([this](const Slot& slot) {
    return slot.state == State::kUnknown || (slot.state == State::kDropped && slot.seen > whole_);
  });
  ++generation_;  // so that the next scrape finds nothing tracked in the one before it
  tracked_count_ = 0;
}

void SeriesCache::forget_meanings() {
  for (const Slot& slot : slots_) {
    if (slot.state == State::kKnown && slot.tracked == generation_) orphans_.push_back(slot.id);
  }
  tracked_count_ = 0;  // the orphans are remembered
  slots_.clear();
  order_.clear();
  next_ = 0;
  used_ = 0;
  grow_at_ = 0;
}

}  // namespace varve::scrape
