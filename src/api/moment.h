// SPDX-License-Identifier: Apache-2.0
// A point in time as a client named it, which reaches further than a Timestamp: year 9999 is
// nothing special to Prometheus's API, nor are NaN, infinities and 9e15 seconds.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "varve/sample.h"

namespace varve::api {

// Seconds since 1970 and nanoseconds in [0, 1e9) on top of them, as Go's time.Time.
struct Moment {
  std::int64_t seconds = 0;
  std::int32_t nanos = 0;

  static Moment of(Timestamp time_ms);
  // What absent bounds of metadata requests mean.
  static Moment earliest();
  static Moment latest();

  // Milliseconds, cut to what a Timestamp holds.
  Timestamp ms() const;
  // Milliseconds as the query endpoints of Prometheus see them: its engine takes the time as
  // nanoseconds in 64 bits, which wrap beyond the years 1678 to 2262. No data is there, so all that
  // shows is which time the (empty or constant) answer carries.
  Timestamp query_ms() const;

  friend bool operator==(const Moment&, const Moment&) = default;
  friend bool operator<(const Moment& a, const Moment& b);
};

// end - start in nanoseconds, cut to 64 bits.
std::int64_t nanos_between(const Moment& start, const Moment& end);

// Unix seconds as Go reads floats, or RFC 3339, or the texts with which Prometheus's clients write
// the earliest and the latest time there is.
std::optional<Moment> parse_moment(std::string_view text);

}  // namespace varve::api
