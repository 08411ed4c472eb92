// SPDX-License-Identifier: Apache-2.0
// Go's times and durations: their text and the methods that templates call. All in UTC, in
// nanoseconds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace varve::templates {

// "2006-01-02 15:04:05.999999999 +0000 UTC".
std::string format_time(std::int64_t time_ns);
// By a layout that shows how the reference time Mon Jan 2 15:04:05 MST 2006 would look.
std::string format_time(std::int64_t time_ns, std::string_view layout);
// "1h2m3.5s".
std::string format_duration(std::int64_t duration_ns);

std::string_view month_name(std::int64_t month);      // 1: January
std::string_view weekday_name(std::int64_t weekday);  // 0: Sunday

// A time in the civil calendar.
struct Civil {
  std::int64_t year = 1970;
  int month = 1, day = 1, hour = 0, minute = 0, second = 0, weekday = 4, day_of_year = 1;
  std::int64_t nanosecond = 0;
};
Civil civil_of(std::int64_t time_ns);
// Days out of their month and months out of their year are carried over.
std::int64_t days_from_civil(std::int64_t year, std::int64_t month, std::int64_t day);

}  // namespace varve::templates
