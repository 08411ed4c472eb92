// SPDX-License-Identifier: Apache-2.0
#include "rules/schedule.h"

#include <xxhash.h>

#include <algorithm>

namespace varve::rules {

Schedule::Schedule(const std::string& key, std::chrono::milliseconds interval, Timestamp now_ms)
    : interval_ms_(std::max<std::int64_t>(1, interval.count())),
      offset_ms_(static_cast<std::int64_t>(XXH3_64bits(key.data(), key.size()) %
                                           static_cast<std::uint64_t>(interval_ms_))),
      next_(slot_at(now_ms) + interval_ms_) {}

// The slot at or before a time.
Timestamp Schedule::slot_at(Timestamp now_ms) const {
  const std::int64_t shifted = now_ms - offset_ms_;
  std::int64_t slots = shifted / interval_ms_;
  if (shifted % interval_ms_ < 0) --slots;
  return slots * interval_ms_ + offset_ms_;
}

bool Schedule::due(Timestamp now_ms) const {
  return now_ms >= next_ || now_ms < next_ - 2 * interval_ms_;
}

Schedule::Slot Schedule::take(Timestamp now_ms) {
  const Timestamp slot = slot_at(now_ms);
  const std::int64_t missed = std::max<std::int64_t>(0, (slot - next_) / interval_ms_);
  next_ = slot + interval_ms_;
  return {slot, missed};
}

}  // namespace varve::rules
