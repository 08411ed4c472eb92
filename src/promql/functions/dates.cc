// SPDX-License-Identifier: Apache-2.0
// Calendar functions: seconds since the epoch to a field of the date in UTC. Years are those of the
// proleptic Gregorian calendar, far beyond what std::chrono::year holds.
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

#include "promql/functions/implementations.h"

namespace varve::promql::function_impls {
namespace {

constexpr std::int64_t kDaySeconds = 86'400;

// Go's conversion on amd64: what does not fit, NaN too, is the smallest int64.
std::int64_t whole_seconds(double value) {
  if (!(value >= -9223372036854775808.0 && value < 9223372036854775808.0)) {
    return std::numeric_limits<std::int64_t>::min();
  }
  return static_cast<std::int64_t>(value);
}

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

bool is_leap(std::int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

int days_in(std::int64_t year, int month) {
  constexpr std::array kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month == 2 && is_leap(year)) return 29;
  return kDays[static_cast<std::size_t>(month - 1)];
}

struct Date {
  std::int64_t year = 1970;
  int month = 1;        // 1 … 12
  int day = 1;          // 1 …
  int day_of_year = 1;  // 1 …
};

Date date_of(std::int64_t seconds) {
  // Whole cycles of 400 years (146 097 days) first; within one the year is found by its first day.
  constexpr std::int64_t kCycleDays = 146'097;
  const std::int64_t days = floor_div(seconds, kDaySeconds);
  const std::int64_t cycle = floor_div(days, kCycleDays);
  const std::int64_t rest = days - cycle * kCycleDays;
  const auto first_day = [](std::int64_t year) {  // of 1970 + year, counted from 1970
    const std::int64_t past = 1969 + year;        // leap days are those of years before it
    const auto leap_days = [](std::int64_t y) { return y / 4 - y / 100 + y / 400; };
    return year * 365 + leap_days(past) - leap_days(1969);
  };
  std::int64_t year = rest / 366;
  while (first_day(year + 1) <= rest) ++year;

  Date date;
  date.year = 1970 + cycle * 400 + year;
  int day = static_cast<int>(rest - first_day(year));
  date.day_of_year = day + 1;
  while (day >= days_in(date.year, date.month)) day -= days_in(date.year, date.month++);
  date.day = day + 1;
  return date;
}

double minute_of(std::int64_t seconds) {
  return static_cast<double>((seconds - floor_div(seconds, 3600) * 3600) / 60);
}
double hour_of(std::int64_t seconds) {
  return static_cast<double>((seconds - floor_div(seconds, kDaySeconds) * kDaySeconds) / 3600);
}
double day_of_week_of(std::int64_t seconds) {
  const std::int64_t days = floor_div(seconds, kDaySeconds) + 4;  // 1970 began on a Thursday
  return static_cast<double>(days - floor_div(days, 7) * 7);
}
double day_of_month_of(std::int64_t seconds) { return date_of(seconds).day; }
double day_of_year_of(std::int64_t seconds) { return date_of(seconds).day_of_year; }
double days_in_month_of(std::int64_t seconds) {
  const Date date = date_of(seconds);
  return days_in(date.year, date.month);
}
double month_of(std::int64_t seconds) { return date_of(seconds).month; }
double year_of(std::int64_t seconds) { return static_cast<double>(date_of(seconds).year); }

template <double (*kField)(std::int64_t)>
PointValue element(const PointValue& point, std::size_t, const CallArgs&, EvalContext&) {
  if (point.kind != PointKind::kFloat) return PointValue::none();
  return PointValue::of(kField(whole_seconds(point.value)));
}

template <double (*kField)(std::int64_t)>
constexpr FunctionImpl impl_of() {
  FunctionImpl impl;
  impl.element = element<kField>;
  return impl;
}

constexpr FunctionImpl kDayOfMonth = impl_of<day_of_month_of>();
constexpr FunctionImpl kDayOfWeek = impl_of<day_of_week_of>();
constexpr FunctionImpl kDayOfYear = impl_of<day_of_year_of>();
constexpr FunctionImpl kDaysInMonth = impl_of<days_in_month_of>();
constexpr FunctionImpl kHour = impl_of<hour_of>();
constexpr FunctionImpl kMinute = impl_of<minute_of>();
constexpr FunctionImpl kMonth = impl_of<month_of>();
constexpr FunctionImpl kYear = impl_of<year_of>();

}  // namespace

const FunctionImpl* date_impl(FunctionId id) {
  switch (id) {
    case FunctionId::kDayOfMonth:
      return &kDayOfMonth;
    case FunctionId::kDayOfWeek:
      return &kDayOfWeek;
    case FunctionId::kDayOfYear:
      return &kDayOfYear;
    case FunctionId::kDaysInMonth:
      return &kDaysInMonth;
    case FunctionId::kHour:
      return &kHour;
    case FunctionId::kMinute:
      return &kMinute;
    case FunctionId::kMonth:
      return &kMonth;
    case FunctionId::kYear:
      return &kYear;
    default:
      return nullptr;
  }
}

}  // namespace varve::promql::function_impls
