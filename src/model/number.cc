// SPDX-License-Identifier: Apache-2.0
// Floats to text and back. All shortest forms start from std::to_chars' shortest digits and only
// differ in where they put the point and when they switch to an exponent.
#include "model/number.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <system_error>

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

// Below this a whole number's digits are an integer's. Between these two a fraction's digits are put
// down as they are: most of what a panel shows.
constexpr double kPlainMax = 1e15;
constexpr double kPlainMin = 1e-6;

// A fraction between kPlainMin and kPlainMax, without sign, to `at`; where it ends. fmt's search for the
// shortest digits finds the same ones as to_chars in a third of the time; its writing of them knows
// widths, locales and exponents, and takes as long again.
char* write_fraction(double magnitude, char* at) {
  const auto [significand, exponent] = fmt::detail::dragonbox::to_decimal(magnitude);
  const auto decimals = static_cast<std::size_t>(-exponent);  // not whole, so there are some
  const fmt::format_int shortest(significand);
  const std::size_t count = shortest.size();
  const char* from = shortest.data();
  if (count > decimals) {
    at = std::copy_n(from, count - decimals, at);
    from += count - decimals;
    *at++ = '.';
    return std::copy_n(from, decimals, at);
  }
  *at++ = '0';
  *at++ = '.';
  at = std::fill_n(at, decimals - count, '0');
  return std::copy_n(from, count, at);
}

void append_positional(std::string& out, double value) {
  char buffer[kPositionalMax];
  if (const double magnitude = std::fabs(value); magnitude >= kPlainMin && magnitude < kPlainMax) {
    const auto whole = static_cast<std::int64_t>(value);
    if (static_cast<double>(whole) == value) {
      const auto end = std::to_chars(buffer, buffer + sizeof buffer, whole);
      out.append(buffer, end.ptr);
    } else {
      char* at = buffer;
      if (value < 0) *at++ = '-';
      out.append(buffer, write_fraction(magnitude, at));
    }
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
