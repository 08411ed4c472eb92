// SPDX-License-Identifier: Apache-2.0
// Times as text, and what Go's arithmetic makes of those that lie far out.
#include "api/moment.h"

#include <cmath>
#include <ctime>
#include <limits>
#include <string>

#include "model/number.h"

namespace varve::api {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr std::int64_t kInt64Max = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kInt64Min = std::numeric_limits<std::int64_t>::min();

constexpr std::string_view kEarliestText = "-292273086-05-16T16:47:06Z";
constexpr std::string_view kLatestText = "292277025-08-18T07:12:54.999999999Z";

std::int64_t wrapping_add(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

// seconds * per_second + rest, cut to 64 bits. The rest is less than a second.
std::int64_t scaled(std::int64_t seconds, std::int64_t per_second, std::int64_t rest) {
  std::int64_t total = 0;
  if (__builtin_mul_overflow(seconds, per_second, &total) ||
      __builtin_add_overflow(total, rest, &total)) {
    return seconds < 0 ? kInt64Min : kInt64Max;
  }
  return total;
}

// Go's conversion on amd64: what does not fit, NaN included, becomes the smallest number.
std::int64_t truncate(double value) {
  return value >= -0x1p63 && value < 0x1p63 ? static_cast<std::int64_t>(value) : kInt64Min;
}

// time.Unix(seconds, nanos) of Go, for any nanos.
Moment normalized(std::int64_t seconds, std::int64_t nanos) {
  seconds = wrapping_add(seconds, nanos / kNanosPerSecond);
  nanos %= kNanosPerSecond;
  if (nanos < 0) {
    nanos += kNanosPerSecond;
    seconds = wrapping_add(seconds, -1);
  }
  return {seconds, static_cast<std::int32_t>(nanos)};
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Go's floats may have underscores between digits; ours may not.
std::optional<double> parse_go_float(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      plain += text[i];
    } else if (i == 0 || i + 1 == text.size() || !is_digit(text[i - 1]) || !is_digit(text[i + 1])) {
      return std::nullopt;
    }
  }
  return model::parse_float(plain);
}

std::optional<int> take_digits(std::string_view& rest, std::size_t count) {
  if (rest.size() < count) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (rest[i] < '0' || rest[i] > '9') return std::nullopt;
    value = value * 10 + (rest[i] - '0');
  }
  rest.remove_prefix(count);
  return value;
}

bool take(std::string_view& rest, char c) {
  if (rest.empty() || rest[0] != c) return false;
  rest.remove_prefix(1);
  return true;
}

// RFC 3339 with optional fraction.
std::optional<Moment> parse_rfc3339(std::string_view text) {
  const auto year = take_digits(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day || !(take(text, 'T') || take(text, 't'))) return std::nullopt;
  const auto hour = take_digits(text, 2);
  if (!hour || !take(text, ':')) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || !take(text, ':')) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second || *month < 1 || *month > 12 || *day < 1 || *day > 31 || *hour > 23 || *minute > 59 ||
      *second > 59) {
    return std::nullopt;
  }
  std::int32_t nanos = 0;
  if (take(text, '.')) {
    std::int32_t scale = 100'000'000;
    std::size_t digits = 0;
    for (; !text.empty() && text[0] >= '0' && text[0] <= '9'; text.remove_prefix(1), ++digits) {
      nanos += (text[0] - '0') * scale;
      scale /= 10;
    }
    if (digits == 0) return std::nullopt;
  }
  std::int64_t offset_s = 0;
  if (!take(text, 'Z') && !take(text, 'z')) {
    const bool west = !text.empty() && text[0] == '-';
    if (!take(text, '-') && !take(text, '+')) return std::nullopt;
    const auto offset_hours = take_digits(text, 2);
    if (!offset_hours || !take(text, ':')) return std::nullopt;
    const auto offset_minutes = take_digits(text, 2);
    if (!offset_minutes || *offset_hours > 23 || *offset_minutes > 59) return std::nullopt;
    offset_s = (*offset_hours * 60 + *offset_minutes) * 60;
    if (west) offset_s = -offset_s;
  }
  if (!text.empty()) return std::nullopt;
  std::tm parts{};
  parts.tm_year = *year - 1900;
  parts.tm_mon = *month - 1;
  parts.tm_mday = *day;
  parts.tm_hour = *hour;
  parts.tm_min = *minute;
  parts.tm_sec = *second;
  const std::time_t seconds = ::timegm(&parts);
  if (parts.tm_mday != *day) return std::nullopt;  // such as February 30
  return Moment{static_cast<std::int64_t>(seconds) - offset_s, nanos};
}

}  // namespace

bool operator<(const Moment& a, const Moment& b) {
  // Go counts from year 1, so that is where its comparison wraps.
  constexpr std::int64_t kYearOne = 62'135'596'800;
  const std::int64_t left = wrapping_add(a.seconds, kYearOne);
  const std::int64_t right = wrapping_add(b.seconds, kYearOne);
  return left != right ? left < right : a.nanos < b.nanos;
}

Moment Moment::of(Timestamp time_ms) {
  return normalized(time_ms / 1000, time_ms % 1000 * 1'000'000);
}

Moment Moment::earliest() { return {kInt64Min / 1000 + 62'135'596'801, 0}; }
Moment Moment::latest() { return {kInt64Max / 1000 - 62'135'596'801, 999'999'999}; }

Timestamp Moment::ms() const { return scaled(seconds, 1000, nanos / 1'000'000); }

Timestamp Moment::query_ms() const {
  const auto wrapped =
      static_cast<std::uint64_t>(seconds) * static_cast<std::uint64_t>(kNanosPerSecond) +
      static_cast<std::uint64_t>(nanos);
  return static_cast<std::int64_t>(wrapped) / 1'000'000;
}

std::int64_t nanos_between(const Moment& start, const Moment& end) {
  std::int64_t seconds = 0;
  if (__builtin_sub_overflow(end.seconds, start.seconds, &seconds)) {
    return end.seconds < 0 ? kInt64Min : kInt64Max;
  }
  return scaled(seconds, kNanosPerSecond, end.nanos - start.nanos);
}

std::optional<Moment> parse_moment(std::string_view text) {
  if (const auto value = parse_go_float(text)) {
    // Rounded to milliseconds, as Prometheus does.
    const double whole = std::trunc(*value);
    const double fraction = std::round((*value - whole) * 1000) / 1000;
    return normalized(truncate(whole), truncate(fraction * static_cast<double>(kNanosPerSecond)));
  }
  if (text == kEarliestText) return Moment::earliest();
  if (text == kLatestText) return Moment::latest();
  return parse_rfc3339(text);
}

}  // namespace varve::api
