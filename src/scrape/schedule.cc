// SPDX-License-Identifier: Apache-2.0
#include "scrape/schedule.h"

#include <algorithm>
#include <cstdlib>

namespace varve::scrape {
namespace {
// prometheus scrape.go: ScrapeTimestampTolerance.
constexpr std::int64_t kToleranceMs = 2;
// The two clocks are read one after the other, in whole milliseconds.
constexpr std::int64_t kEarlyMs = 1;
}  // namespace

Pace::Pace(std::chrono::milliseconds interval, std::chrono::milliseconds offset, Timestamp wall_now,
           std::chrono::milliseconds monotonic_now)
    : interval_(std::max(interval, std::chrono::milliseconds(1))) {
  const std::int64_t period = interval_.count();
  const std::int64_t phase = ((wall_now % period) + period) % period;
  const std::int64_t wait = (offset.count() % period - phase + period) % period;
  due_ = monotonic_now + std::chrono::milliseconds(wait);
  aligned_ = wall_now + wait;
}

bool Pace::ripe(std::chrono::milliseconds monotonic_now) const {
  const std::int64_t early = std::min(interval_.count() / 100, kEarlyMs);
  return due_.count() - early <= monotonic_now.count();
}

Timestamp Pace::tick(Timestamp wall_now, std::chrono::milliseconds monotonic_now) {
  const std::int64_t period = interval_.count();
  const std::int64_t tolerance = std::min(period / 100, kToleranceMs);
  const std::int64_t late = std::max<std::int64_t>(0, (monotonic_now - due_).count());
  const std::int64_t missed = late / period;
  aligned_ += missed * period;
  // On time by the monotonic clock, yet not by the wall clock: that was set, or has drifted away.
  if (late <= tolerance && std::abs(wall_now - aligned_) > tolerance) aligned_ = wall_now;
  const Timestamp stamp = std::abs(wall_now - aligned_) <= tolerance ? aligned_ : wall_now;
  due_ += std::chrono::milliseconds((missed + 1) * period);
  aligned_ += period;
  return stamp;
}

}  // namespace varve::scrape
