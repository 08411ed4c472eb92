// SPDX-License-Identifier: Apache-2.0
// When a group is evaluated: at slots of wall time, an interval apart and the group's own offset
// into it, so that groups do not all come at once and come at the same times after a restart. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "varve/sample.h"

namespace varve::rules {

class Schedule {
 public:
  // `key` names the group. The first slot is the second that follows `now_ms`'s own.
  Schedule(const std::string& key, std::chrono::milliseconds interval, Timestamp now_ms);

  Timestamp next() const { return next_; }
  // Whether a slot has come, or the clock was set back by so much that none would for long.
  bool due(Timestamp now_ms) const;

  struct Slot {
    Timestamp time_ms = 0;
    std::int64_t missed = 0;  // slots that went by since the last one taken
  };
  // The newest slot that has come. Precondition: due(now_ms).
  Slot take(Timestamp now_ms);

 private:
  Timestamp slot_at(Timestamp now_ms) const;

  std::int64_t interval_ms_;
  std::int64_t offset_ms_;
  Timestamp next_;
};

}  // namespace varve::rules
