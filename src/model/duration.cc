// SPDX-License-Identifier: Apache-2.0
// Durations as text.
#include "model/duration.h"

#include <array>
#include <limits>

namespace varve::model {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t ms;
  bool whole_only;  // printed only for exact multiples: "7d" is 1w, but 8 days are 8d
};

// In the order in which they must stand.
constexpr std::array<Unit, 7> kUnits = {{
    {"y", 365LL * 24 * 3600 * 1000, true},
    {"w", 7LL * 24 * 3600 * 1000, true},
    {"d", 24LL * 3600 * 1000, false},
    {"h", 3600LL * 1000, false},
    {"m", 60LL * 1000, false},
    {"s", 1000, false},
    {"ms", 1, false},
}};

// Prometheus keeps durations as int64 nanoseconds.
constexpr std::int64_t kDurationMaxMs = std::numeric_limits<std::int64_t>::max() / 1'000'000;

Error invalid(std::string_view text) {
  std::string quoted = "\"";
  quoted.append(text).append("\"");
  return Error(ErrorCode::kInvalidArgument, "not a valid duration string: " + quoted);
}

}  // namespace

Result<std::int64_t> parse_duration(std::string_view text) {
  if (text.empty()) return Error(ErrorCode::kInvalidArgument, "empty duration string");
  if (text == "0") return std::int64_t{0};
  std::int64_t total_ms = 0;
  std::size_t at = 0;
  std::size_t next_unit = 0;
  while (at < text.size()) {
    std::int64_t number = 0;
    const std::size_t digits_from = at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
      if (number > kDurationMaxMs)
        return Error(ErrorCode::kInvalidArgument, "duration out of range");
      number = number * 10 + (text[at] - '0');
    }
    const std::size_t name_from = at;
    while (at < text.size() && (text[at] < '0' || text[at] > '9')) ++at;
    const std::string_view name = text.substr(name_from, at - name_from);
    if (digits_from == name_from) return invalid(text);
    std::size_t unit = next_unit;
    while (unit < kUnits.size() && kUnits[unit].name != name) ++unit;
    if (unit == kUnits.size()) return invalid(text);
    next_unit = unit + 1;
    if (number > (kDurationMaxMs - total_ms) / kUnits[unit].ms) {
      return Error(ErrorCode::kInvalidArgument, "duration out of range");
    }
    total_ms += number * kUnits[unit].ms;
  }
  return total_ms;
}

std::string format_duration(std::int64_t duration_ms) {
  if (duration_ms == 0) return "0s";
  std::string out;
  // Unsigned, so that the most negative value has a magnitude.
  std::uint64_t rest = static_cast<std::uint64_t>(duration_ms);
  if (duration_ms < 0) {
    out.push_back('-');
    rest = 0 - rest;
  }
  for (const Unit& unit : kUnits) {
    const auto unit_ms = static_cast<std::uint64_t>(unit.ms);
    if (unit.whole_only && rest % unit_ms != 0) continue;
    const std::uint64_t number = rest / unit_ms;
    if (number == 0) continue;
    out.append(std::to_string(number)).append(unit.name);
    rest -= number * unit_ms;
  }
  return out;
}

}  // namespace varve::model
