// SPDX-License-Identifier: Apache-2.0
#include "template/moment.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace varve::templates {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr std::int64_t kNanosPerDay = 86'400 * kNanosPerSecond;

constexpr std::array<std::string_view, 12> kMonths = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};
constexpr std::array<std::string_view, 7> kWeekdays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                       "Thursday", "Friday", "Saturday"};

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a / b - (a % b != 0 && (a % b < 0) != (b < 0) ? 1 : 0);
}

// ".123": `digits` of the fraction, without trailing zeros if asked, then without the point too.
std::string fraction(std::int64_t nanosecond, std::size_t digits, bool trim, char point) {
  std::string text = fmt::format("{:09}", nanosecond).substr(0, std::min<std::size_t>(digits, 9));
  while (trim && text.ends_with('0')) text.pop_back();
  return text.empty() ? text : point + text;
}

// Writes the element that `rest` begins with; returns how long it is, 0 if it is none.
std::size_t write_element(std::string_view rest, const Civil& t, std::string& out) {
  const auto is = [&](std::string_view name) { return rest.starts_with(name); };
  const auto put = [&](std::size_t size, std::string text) {
    out += text;
    return size;
  };
  const std::string_view month = month_name(t.month), day = weekday_name(t.weekday);
  const int hour12 = t.hour % 12 == 0 ? 12 : t.hour % 12;
  if (is("January")) return put(7, std::string(month));
  if (is("Jan") && !(rest.size() > 3 && rest[3] >= 'a' && rest[3] <= 'z')) {
    return put(3, std::string(month.substr(0, 3)));
  }
  if (is("Monday")) return put(6, std::string(day));
  if (is("Mon") && !(rest.size() > 3 && rest[3] >= 'a' && rest[3] <= 'z')) {
    return put(3, std::string(day.substr(0, 3)));
  }
  if (is("MST")) return put(3, "UTC");
  if (is("2006")) return put(4, fmt::format("{:04}", t.year));
  if (is("002")) return put(3, fmt::format("{:03}", t.day_of_year));
  if (is("__2")) return put(3, fmt::format("{:3}", t.day_of_year));
  if (is("01")) return put(2, fmt::format("{:02}", t.month));
  if (is("02")) return put(2, fmt::format("{:02}", t.day));
  if (is("03")) return put(2, fmt::format("{:02}", hour12));
  if (is("04")) return put(2, fmt::format("{:02}", t.minute));
  if (is("05")) return put(2, fmt::format("{:02}", t.second));
  if (is("06")) return put(2, fmt::format("{:02}", t.year % 100));
  if (is("15")) return put(2, fmt::format("{:02}", t.hour));
  if (is("_2006")) return put(5, fmt::format("_{:04}", t.year));
  if (is("_2")) return put(2, fmt::format("{:2}", t.day));
  if (is("PM")) return put(2, t.hour >= 12 ? "PM" : "AM");
  if (is("pm")) return put(2, t.hour >= 12 ? "pm" : "am");
  for (const std::string_view zone : {"-07:00:00", "-07:00", "-070000", "-0700", "-07"}) {
    if (is(zone)) {
      std::string text(zone);
      text[0] = '+';
      std::replace(text.begin(), text.end(), '7', '0');
      return put(zone.size(), text);
    }
  }
  for (const std::string_view zone : {"Z07:00:00", "Z07:00", "Z070000", "Z0700", "Z07"}) {
    if (is(zone)) return put(zone.size(), "Z");
  }
  if (is(".") || is(",")) {
    const char digit = rest.size() > 1 ? rest[1] : '\0';
    const std::size_t end = std::min(rest.find_first_not_of(digit, 1), rest.size());
    const bool number_follows = end < rest.size() && rest[end] >= '0' && rest[end] <= '9';
    if ((digit == '0' || digit == '9') && !number_follows) {
      return put(end, fraction(t.nanosecond, end - 1, digit == '9', rest[0]));
    }
  }
  if (is("1")) return put(1, std::to_string(t.month));
  if (is("2")) return put(1, std::to_string(t.day));
  if (is("3")) return put(1, std::to_string(hour12));
  if (is("4")) return put(1, std::to_string(t.minute));
  if (is("5")) return put(1, std::to_string(t.second));
  return 0;
}

}  // namespace

std::string_view month_name(std::int64_t month) {
  return month >= 1 && month <= 12 ? kMonths[static_cast<std::size_t>(month - 1)] : "%!Month(0)";
}

std::string_view weekday_name(std::int64_t weekday) {
  return weekday >= 0 && weekday <= 6 ? kWeekdays[static_cast<std::size_t>(weekday)]
                                      : "%!Weekday(0)";
}

std::int64_t days_from_civil(std::int64_t year, std::int64_t month, std::int64_t day) {
  year += floor_div(month - 1, 12);
  month = (month - 1) - floor_div(month - 1, 12) * 12 + 1;
  // Counts from 1 March, so that the leap day ends a year; 400 years are 146097 days.
  const std::int64_t y = month <= 2 ? year - 1 : year;
  const std::int64_t era = floor_div(y, 400);
  const std::int64_t year_of_era = y - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5;
  const std::int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468 + day - 1;
}

Civil civil_of(std::int64_t time_ns) {
  const std::int64_t days = floor_div(time_ns, kNanosPerDay);
  const std::int64_t in_day = time_ns - days * kNanosPerDay;
  const std::chrono::sys_days date{std::chrono::days(static_cast<int>(days))};
  const std::chrono::year_month_day ymd(date);
  Civil out;
  out.year = static_cast<int>(ymd.year());
  out.month = static_cast<int>(static_cast<unsigned>(ymd.month()));
  out.day = static_cast<int>(static_cast<unsigned>(ymd.day()));
  out.weekday = static_cast<int>(std::chrono::weekday(date).c_encoding());
  out.day_of_year = static_cast<int>(days - days_from_civil(out.year, 1, 1)) + 1;
  const std::int64_t second = in_day / kNanosPerSecond;
  out.hour = static_cast<int>(second / 3600);
  out.minute = static_cast<int>(second / 60 % 60);
  out.second = static_cast<int>(second % 60);
  out.nanosecond = in_day % kNanosPerSecond;
  return out;
}

std::string format_time(std::int64_t time_ns) {
  return format_time(time_ns, "2006-01-02 15:04:05.999999999 -0700 MST");
}

std::string format_time(std::int64_t time_ns, std::string_view layout) {
  const Civil civil = civil_of(time_ns);
  std::string out;
  while (!layout.empty()) {
    std::size_t size = write_element(layout, civil, out);
    if (size == 0) {
      out += layout.front();
      size = 1;
    }
    layout.remove_prefix(size);
  }
  return out;
}

std::string format_duration(std::int64_t duration_ns) {
  if (duration_ns == 0) return "0s";
  const std::string sign = duration_ns < 0 ? "-" : "";
  const std::uint64_t ns = duration_ns < 0 ? 0 - static_cast<std::uint64_t>(duration_ns)
                                           : static_cast<std::uint64_t>(duration_ns);
  const auto with_fraction = [](std::uint64_t value, std::uint64_t unit, std::size_t digits) {
    std::string text = std::to_string(value / unit);
    std::string rest = fmt::format("{:0{}}", value % unit, digits);
    while (rest.ends_with('0')) rest.pop_back();
    return rest.empty() ? text : text + "." + rest;
  };
  if (ns < 1000) return fmt::format("{}{}ns", sign, ns);
  if (ns < 1'000'000) return sign + with_fraction(ns, 1000, 3) + "µs";
  if (ns < 1'000'000'000) return sign + with_fraction(ns, 1'000'000, 6) + "ms";
  const std::uint64_t minutes = ns / 60'000'000'000, hours = minutes / 60;
  std::string out = sign;
  if (hours > 0) out += fmt::format("{}h", hours);
  if (minutes > 0) out += fmt::format("{}m", minutes % 60);
  return out + with_fraction(ns % 60'000'000'000, 1'000'000'000, 9) + "s";
}

}  // namespace varve::templates
