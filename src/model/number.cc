// SPDX-License-Identifier: Apache-2.0
// Floats to text and back. All shortest forms start from std::to_chars' shortest digits and only
// differ in where they put the point and when they switch to an exponent.
#include "model/number.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <system_error>

#include "base/check.h"
#include "varve/sample.h"

namespace varve::model {
namespace {

// The longest positional form is that of a denormal: "-0." and 324 zeros and digits.
constexpr std::size_t kPositionalMax = 352;
constexpr std::size_t kScientificMax = 32;

// Appends the words for what has no digits; false for finite values.
bool append_special(std::string& out, double value) {
  if (std::isnan(value)) {
    out.append("NaN");
    return true;
  }
  if (std::isinf(value)) {
    out.append(value > 0 ? "+Inf" : "-Inf");
    return true;
  }
  return false;
}

// Whole numbers up to here are their own shortest digits; past it to_chars would write digits that
// the value does not need (18446744073709551616), where Go writes zeros (18446744073709552000).
constexpr double kExactWholeMax = 9007199254740992.0;  // 2^53

// Below this a whole number's digits are an integer's. Between these two a fraction's digits are
// put down as they are: most of what a panel shows.
constexpr double kPlainMax = 1e15;
constexpr double kPlainMin = 1e-6;

constexpr auto kDigitPairs = [] {
  std::array<char, 200> pairs{};
  for (std::size_t i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}();

void write_pair(std::uint32_t number, char* at) { std::memcpy(at, &kDigitPairs[2 * number], 2); }

// Eight digits with leading zeros, whose divisions do not wait for each other.
void write_eight(std::uint32_t number, char* at) {
  const std::uint32_t high = number / 10'000;
  const std::uint32_t low = number % 10'000;
  write_pair(high / 100, at);
  write_pair(high % 100, at + 2);
  write_pair(low / 100, at + 4);
  write_pair(low % 100, at + 6);
}

// A fraction between kPlainMin and kPlainMax, without sign, to `at`; where it ends. Changes up to
// 40 bytes. fmt's search for the shortest digits finds the same ones as to_chars in a third of the
// time; its writing of them knows widths, locales and exponents, and takes as long again. Digits
// are copied 24 at a time, however many there are: a copy of known length is no call.
char* write_fraction(double magnitude, char* at) {
  const auto [significand, exponent] = fmt::detail::dragonbox::to_decimal(magnitude);
  const auto decimals = static_cast<std::size_t>(-exponent);  // not whole, so there are some
  constexpr std::uint64_t kEight = 100'000'000;
  constexpr std::size_t kDigitsMax =
      24;  // 17 there are, and what lies behind them may be copied too
  char digits[2 * kDigitsMax];
  std::size_t count = 0;
  if (significand < kEight) {
    count = static_cast<std::size_t>(std::to_chars(digits, digits + kDigitsMax, significand).ptr -
                                     digits);
  } else {
    const std::uint64_t high = significand / kEight;
    char* rest = digits + 1;
    if (high < kEight) {
      rest = std::to_chars(digits, digits + 8, high).ptr;
    } else {
      digits[0] = static_cast<char>('0' + high / kEight);
      write_eight(static_cast<std::uint32_t>(high % kEight), rest);
      rest += 8;
    }
    write_eight(static_cast<std::uint32_t>(significand % kEight), rest);
    count = static_cast<std::size_t>(rest + 8 - digits);
  }
  if (count > decimals) {
    const std::size_t whole = count - decimals;
    std::memcpy(at, digits, kDigitsMax);
    at[whole] = '.';
    std::memcpy(at + whole + 1, digits + whole, kDigitsMax);
    return at + count + 1;
  }
  // kPlainMin has five zeros before its first digit.
  std::memcpy(at, "0.000000", 8);
  at += 2 + decimals - count;
  std::memcpy(at, digits, kDigitsMax);
  return at + count;
}

// For magnitudes from kPlainMin to below kPlainMax.
char* write_plain(double value, char* at) {
  const auto whole = static_cast<std::int64_t>(value);
  if (static_cast<double>(whole) == value) return std::to_chars(at, at + kFloatTextMax, whole).ptr;
  if (value < 0) *at++ = '-';
  return write_fraction(std::fabs(value), at);
}

bool is_plain(double value) {
  const double magnitude = std::fabs(value);
  return magnitude >= kPlainMin && magnitude < kPlainMax;
}

void append_positional(std::string& out, double value) {
  char buffer[kPositionalMax];
  if (is_plain(value)) {
    out.append(buffer, write_plain(value, buffer));
    return;
  }
  if (std::fabs(value) <= kExactWholeMax) {
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed);
    out.append(buffer, end.ptr);
    return;
  }
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  const char* at = buffer;
  if (*at == '-') out += *at++;
  int whole_digits_left = 0;  // the exponent, then what of it no digit has taken
  const char* const mark = std::find(at, static_cast<const char*>(end.ptr), 'e');
  std::from_chars(mark + 2, end.ptr, whole_digits_left);  // past "e+"
  out += *at++;
  for (; at < mark; ++at) {
    if (*at == '.') continue;
    out += *at;
    --whole_digits_left;
  }
  out.append(static_cast<std::size_t>(std::max(whole_digits_left, 0)), '0');
}

// to_chars and Go agree on "1e+21" and "1e-07": at least two exponent digits, always a sign.
void append_scientific(std::string& out, double value) {
  char buffer[kScientificMax];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  out.append(buffer, end.ptr);
}

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() &&
         std::equal(text.begin(), text.end(), lower.begin(), [](char a, char b) {
           return std::tolower(static_cast<unsigned char>(a)) == b;
         });
}

bool is_digit(char c, bool hex) {
  return hex ? std::isxdigit(static_cast<unsigned char>(c)) != 0 : (c >= '0' && c <= '9');
}

// digits with at most one point and at least one digit, then an exponent: mark [sign] digits.
bool well_formed(std::string_view text, bool hex) {
  std::size_t at = 0;
  std::size_t digit_count = 0;
  bool point = false;
  for (; at < text.size(); ++at) {
    if (text[at] == '.' && !point) {
      point = true;
    } else if (is_digit(text[at], hex)) {
      ++digit_count;
    } else {
      break;
    }
  }
  if (digit_count == 0) return false;
  if (at == text.size()) return !hex;  // a hexadecimal float needs its exponent
  const int mark = std::tolower(static_cast<unsigned char>(text[at]));
  if (mark != (hex ? 'p' : 'e')) return false;
  ++at;
  if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
  if (at == text.size()) return false;
  return std::all_of(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(),
                     [](char c) { return is_digit(c, false); });
}

struct Parsed {
  double value = 0;
  bool overflow = false;
};

std::optional<Parsed> parse(std::string_view text) {
  bool negative = false;
  std::string_view rest = text;
  const bool has_sign = !rest.empty() && (rest[0] == '+' || rest[0] == '-');
  if (has_sign) {
    negative = rest[0] == '-';
    rest.remove_prefix(1);
  }
  if (rest.empty()) return std::nullopt;
  if (equals_ignoring_case(rest, "inf") || equals_ignoring_case(rest, "infinity")) {
    const double infinity = std::numeric_limits<double>::infinity();
    return Parsed{negative ? -infinity : infinity, false};
  }
  if (!has_sign && equals_ignoring_case(rest, "nan")) return Parsed{normal_nan(), false};

  const bool hex = rest.size() > 2 && rest[0] == '0' && (rest[1] == 'x' || rest[1] == 'X');
  if (hex) rest.remove_prefix(2);
  if (!well_formed(rest, hex)) return std::nullopt;
  double value = 0;
  const auto end = std::from_chars(rest.data(), rest.data() + rest.size(), value,
                                   hex ? std::chars_format::hex : std::chars_format::general);
  if (end.ec == std::errc::result_out_of_range) {
    // from_chars does not say which end it fell off; strtod does.
    const std::string terminated = (hex ? "0x" : "") + std::string(rest);
    value = std::strtod(terminated.c_str(), nullptr);
    if (std::isinf(value)) return Parsed{negative ? -value : value, true};
  } else if (end.ec != std::errc() || end.ptr != rest.data() + rest.size()) {
    return std::nullopt;
  }
  return Parsed{negative ? -value : value, false};
}

}  // namespace

void append_float(std::string& out, double value) {
  if (append_special(out, value)) return;
  const double magnitude = std::fabs(value);
  if (magnitude != 0 && (magnitude < 1e-6 || magnitude >= 1e21)) {
    append_scientific(out, value);
  } else {
    append_positional(out, value);
  }
}

char* write_float(char* at, double value) {
  if (is_plain(value)) return write_plain(value, at);
  if (value == 0) {
    if (std::signbit(value)) *at++ = '-';
    *at++ = '0';
    return at;
  }
  // None of these is a long one: positional up to 1e21, or with an exponent.
  std::string text;
  append_float(text, value);
  VARVE_CHECK(text.size() <= kFloatTextMax);
  return std::copy(text.begin(), text.end(), at);
}

std::string format_float(double value) {
  std::string out;
  append_float(out, value);
  return out;
}

std::string format_float_positional(double value) {
  std::string out;
  if (!append_special(out, value)) append_positional(out, value);
  return out;
}

std::string format_float_g(double value) {
  std::string out;
  if (append_special(out, value)) return out;
  const double magnitude = std::fabs(value);
  // A shortest form never rounds up to the next power of ten, so the value decides.
  if (magnitude != 0 && (magnitude < 1e-4 || magnitude >= 1e6)) {
    append_scientific(out, value);
  } else {
    append_positional(out, value);
  }
  return out;
}

std::string format_float_g(double value, int digits) {
  std::string out;
  if (append_special(out, value)) return out;
  char buffer[64];
  const int length = std::snprintf(buffer, sizeof buffer, "%.*g", std::min(digits, 17), value);
  out.assign(buffer, static_cast<std::size_t>(length));
  return out;
}

std::string format_float_fixed(double value) {
  std::string out;
  if (append_special(out, value)) return out;
  char buffer[kPositionalMax];
  const int length = std::snprintf(buffer, sizeof buffer, "%f", value);
  out.assign(buffer, static_cast<std::size_t>(length));
  return out;
}

std::optional<double> parse_float(std::string_view text) {
  const std::optional<Parsed> parsed = parse(text);
  if (!parsed || parsed->overflow) return std::nullopt;
  return parsed->value;
}

std::optional<double> parse_float_or_inf(std::string_view text) {
  const std::optional<Parsed> parsed = parse(text);
  if (!parsed) return std::nullopt;
  return parsed->value;
}

}  // namespace varve::model
