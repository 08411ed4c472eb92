// SPDX-License-Identifier: Apache-2.0
// When a target is scraped, and which timestamps its samples get. Pure.
#pragma once

#include <chrono>
#include <cstdint>

#include "varve/sample.h"

namespace varve::scrape {

// The pace of one target. Due times are of the monotonic clock, so that a wall clock that is set
// back or forth neither stops scraping nor makes it hurry.
class Pace {
 public:
  // The first tick is at the next wall time that is `offset` into an interval.
  Pace(std::chrono::milliseconds interval, std::chrono::milliseconds offset, Timestamp wall_now,
       std::chrono::milliseconds monotonic_now);

  std::chrono::milliseconds due() const { return due_; }
  std::chrono::milliseconds interval() const { return interval_; }
  // Whether the tick may be taken now: from a millisecond before it is due, as far as the interval
  // is long beside that. Ticks that are meant for one moment, but whose pace began by other
  // readings of the clocks, are then taken together.
  bool ripe(std::chrono::milliseconds monotonic_now) const;
  // The wall time that the next tick is meant for.
  Timestamp due_wall() const { return aligned_; }

  // The timestamp of the samples of the tick that is due now: the aligned time if that is at most
  // 2 ms (and 1 % of the interval) away, else the wall time. Steady timestamps compress to almost
  // nothing. Then moves on to the next tick that is still to come. Precondition: it is ripe.
  Timestamp tick(Timestamp wall_now, std::chrono::milliseconds monotonic_now);

 private:
  std::chrono::milliseconds interval_;
  std::chrono::milliseconds due_;
  Timestamp aligned_;
};

}  // namespace varve::scrape
