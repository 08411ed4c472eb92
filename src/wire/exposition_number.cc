// SPDX-License-Identifier: Apache-2.0
#include "wire/exposition_number.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <system_error>

#include "base/ascii_case.h"
#include "varve/sample.h"

namespace varve::wire {
namespace {

std::optional<double> parse_special(std::string_view text) {
  if (base::equals_in_any_case(text, "nan")) return normal_nan();
  double sign = 1;
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
    if (text[0] == '-') sign = -1;
    text.remove_prefix(1);
  }
  if (base::equals_in_any_case(text, "inf") || base::equals_in_any_case(text, "infinity")) {
    return sign * std::numeric_limits<double>::infinity();
  }
  return std::nullopt;
}

// Most samples are short: 15 digits are exact in a double, and so are the powers of ten up to
// 10^22, so that one division rounds as it should.
std::optional<double> parse_short_decimal(std::string_view text) {
  constexpr std::size_t kDigitsMax = 15;
  constexpr std::array<double, kDigitsMax + 1> kPowers{
      1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (text.size() > kDigitsMax + 1) return std::nullopt;
  std::int64_t value = 0;
  std::size_t digits = 0;
  std::size_t whole = text.size();  // digits before the point, if there is one
  for (const char c : text) {
    if (c >= '0' && c <= '9') {
      value = value * 10 + (c - '0');
      ++digits;
    } else if (c == '.' && whole == text.size()) {
      whole = digits;
    } else {
      return std::nullopt;
    }
  }
  if (digits == 0 || digits > kDigitsMax) return std::nullopt;
  const double number =
      static_cast<double>(value) / kPowers[whole == text.size() ? 0 : digits - whole];
  return negative ? -number : number;
}

// from_chars reports under- and overflow alike. A number that is out of range is small if its
// exponent says so, or if it has none and begins with a zero.
bool is_tiny(std::string_view text) {
  const auto exponent = text.find_first_of("eE");
  if (exponent != std::string_view::npos && exponent + 1 < text.size()) {
    return text[exponent + 1] == '-';
  }
  return text.starts_with("0") || text.starts_with(".") || text.starts_with("-0") ||
         text.starts_with("-.");
}

}  // namespace

std::optional<double> parse_exposition_float(std::string_view text) {
  if (text.empty()) return std::nullopt;
  if (const auto number = parse_short_decimal(text)) return number;
  std::string_view number = text;
  if (number[0] == '+') number.remove_prefix(1);
  const std::size_t digits_at = number.starts_with('-') && number.size() == text.size() ? 1 : 0;
  const char first = digits_at < number.size() ? number[digits_at] : '\0';
  if ((first < '0' || first > '9') && first != '.') return parse_special(text);
  double value = 0;
  const char* const end = number.data() + number.size();
  const auto [stop, problem] = std::from_chars(number.data(), end, value);
  if (stop != end || problem == std::errc::invalid_argument) return std::nullopt;
  if (problem == std::errc::result_out_of_range) {
    if (!is_tiny(number)) return std::nullopt;
    return number.starts_with('-') ? -0.0 : 0.0;
  }
  return value;
}

std::optional<std::int64_t> parse_exposition_int(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  std::int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, value);
  if (text.empty() || stop != end || problem != std::errc()) return std::nullopt;
  return value;
}

}  // namespace varve::wire
