// SPDX-License-Identifier: Apache-2.0
// Inside functions/: what the start time of a sample, since when its counter has been counting,
// says about the sample before it. 0 is a start time that is not known. One that is not before its
// own sample says nothing: in OpenTelemetry that is how a counter of unknown start begins.
#pragma once

#include <cstddef>
#include <span>

#include "varve/sample.h"

namespace varve::promql::function_impls {

// A sample without its value.
struct Started {
  Timestamp start_ms = 0;
  Timestamp time_ms = 0;
};

// Whether the counter began anew between two samples: it started after the first, or just at it.
// The latter is a reset for deltas, whose every sample starts at the one before, and none for a
// counter of unknown start, which points to its own first sample ever after; that one has no start
// before it.
inline bool restarted(Started previous, Started current) {
  if (current.start_ms == 0 || current.start_ms >= current.time_ms) return false;
  if (current.start_ms != previous.time_ms) return current.start_ms > previous.time_ms;
  return previous.start_ms != 0 && previous.start_ms < previous.time_ms;
}

// Whether two samples claim to have counted the same time from different starts, which no writer in
// order does.
inline bool overlaps(Started previous, Started current) {
  return current.start_ms != 0 && current.start_ms < previous.time_ms &&
         current.start_ms != previous.start_ms;
}

// The samples of a window; `starts` is empty or as long as `times`.
class StartTimes {
 public:
  StartTimes(std::span<const Timestamp> times, std::span<const Timestamp> starts)
      : times_(times), starts_(starts) {}

  bool any() const { return !starts_.empty(); }
  // Between sample i - 1 and sample i, i > 0.
  bool restarted_before(std::size_t i) const { return any() && restarted(at(i - 1), at(i)); }
  bool overlaps_before(std::size_t i) const { return any() && overlaps(at(i - 1), at(i)); }
  // The start of the first sample if it lies between the start of the range (excluded) and the
  // sample: there the counter was zero. Else 0.
  Timestamp start_after(Timestamp range_start_ms) const {
    if (!any()) return 0;
    const Timestamp start = starts_.front();
    return start > range_start_ms && start < times_.front() ? start : 0;
  }

 private:
  Started at(std::size_t i) const { return {starts_[i], times_[i]}; }

  std::span<const Timestamp> times_;
  std::span<const Timestamp> starts_;
};

}  // namespace varve::promql::function_impls
