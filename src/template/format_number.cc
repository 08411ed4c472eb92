// SPDX-License-Identifier: Apache-2.0
#include "template/format_number.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

#include "model/number.h"
#include "template/unicode.h"

namespace varve::templates {
namespace {

// Go refuses more.
constexpr std::int64_t kWidthMax = 1'000'000;

std::string magnitude_digits(std::uint64_t magnitude, char verb) {
  const int base = verb == 'b' ? 2 : verb == 'o' || verb == 'O' ? 8 : verb == 'd' ? 10 : 16;
  char buffer[64];
  const auto [end, status] = std::to_chars(buffer, buffer + sizeof buffer, magnitude, base);
  std::string digits(buffer, end);
  if (verb == 'X') {
    for (char& c : digits) c = static_cast<char>(to_upper(static_cast<unsigned char>(c)));
  }
  return digits;
}

// %x of a float: 0x1.8p+01.
std::string hexadecimal(double magnitude, std::optional<std::int64_t> precision) {
  std::vector<char> buffer(1200 + static_cast<std::size_t>(precision.value_or(0)));
  char* end = precision ? std::to_chars(buffer.data(), buffer.data() + buffer.size(), magnitude,
                                        std::chars_format::hex, static_cast<int>(*precision))
                              .ptr
                        : std::to_chars(buffer.data(), buffer.data() + buffer.size(), magnitude,
                                        std::chars_format::hex)
                              .ptr;
  std::string text = "0x" + std::string(buffer.data(), end);
  const std::size_t exponent = text.find('p') + 2;
  if (text.size() - exponent < 2) text.insert(exponent, "0");
  return text;
}

std::string float_digits(double magnitude, char verb, const FormatFlags& flags) {
  if (verb == 'x') return hexadecimal(magnitude, flags.precision);
  if (verb == 'g' && !flags.precision) return model::format_float_g(magnitude);
  const auto precision = static_cast<int>(flags.precision.value_or(6));
  const std::chars_format form = verb == 'e'   ? std::chars_format::scientific
                                 : verb == 'f' ? std::chars_format::fixed
                                               : std::chars_format::general;
  std::vector<char> buffer(static_cast<std::size_t>(precision) + 400);
  const auto [end, status] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), magnitude,
                                           form, verb == 'g' ? std::max(precision, 1) : precision);
  return std::string(buffer.data(), end);
}

// With '#' %g keeps its trailing zeros and everything has a point.
void keep_zeros(std::string& text, char verb, const FormatFlags& flags) {
  std::string tail;
  if (const std::size_t e = text.find_first_of(verb == 'x' ? "p" : "eE"); e != std::string::npos) {
    tail = text.substr(e);
    text.resize(e);
  }
  const bool has_point = text.find('.') != std::string::npos;
  if (verb == 'g') {
    const std::int64_t wanted = std::max<std::int64_t>(flags.precision.value_or(6), 1);
    std::int64_t digits = 0;
    bool leading = true;
    for (const char c : text) {
      if (c == '.') continue;
      leading = leading && c == '0';
      if (!leading) ++digits;
    }
    if (!has_point) text += '.';
    if (leading) digits = 1;
    for (; digits < wanted; ++digits) text += '0';
  } else if (!has_point) {
    text += '.';
  }
  text += tail;
}

std::string signed_text(std::string digits, bool negative, const FormatFlags& flags) {
  const char* sign = negative ? "-" : flags.plus ? "+" : flags.space ? " " : "";
  if (!flags.zero || flags.minus || !flags.width) return padded(sign + digits, flags);
  const auto width = static_cast<std::size_t>(std::clamp<std::int64_t>(*flags.width, 0, kWidthMax));
  const std::size_t used = digits.size() + (*sign != '\0' ? 1 : 0);
  return sign + std::string(width > used ? width - used : 0, '0') + digits;
}

}  // namespace

std::string padded(std::string text, const FormatFlags& flags) {
  if (!flags.width) return text;
  const auto width = static_cast<std::size_t>(std::clamp<std::int64_t>(*flags.width, 0, kWidthMax));
  const std::size_t used = count_runes(text);
  if (used >= width) return text;
  if (flags.minus) return text.append(width - used, ' ');
  return std::string(width - used, flags.zero ? '0' : ' ') + text;
}

std::string format_integer(std::uint64_t magnitude, bool negative, char verb,
                           const FormatFlags& flags) {
  std::string digits = magnitude_digits(magnitude, verb);
  FormatFlags rest = flags;
  if (flags.precision) {
    if (*flags.precision == 0 && magnitude == 0) {
      rest.zero = false;
      return padded("", rest);
    }
    const auto wanted =
        static_cast<std::size_t>(std::clamp<std::int64_t>(*flags.precision, 0, kWidthMax));
    if (digits.size() < wanted) digits.insert(0, wanted - digits.size(), '0');
    rest.zero = false;
  }
  std::string prefix;
  if (verb == 'O') prefix = "0o";
  if (flags.sharp) {
    if (verb == 'b') prefix = "0b";
    if (verb == 'o' && !digits.starts_with('0')) prefix = "0";
    if (verb == 'x') prefix = "0x";
    if (verb == 'X') prefix = "0X";
  }
  if (prefix.empty() || !rest.zero || rest.minus || !rest.width) {
    return signed_text(prefix + digits, negative, rest);
  }
  // Zeros go between prefix and digits; the width counts the digits alone, as in Go.
  rest.width = std::max<std::int64_t>(*rest.width, static_cast<std::int64_t>(digits.size()));
  const bool has_sign = negative || flags.plus || flags.space;
  const auto zeros = static_cast<std::size_t>(std::min(*rest.width, kWidthMax)) - digits.size();
  digits.insert(0, has_sign && zeros > 0 ? zeros - 1 : zeros, '0');
  rest.width.reset();
  return signed_text(prefix + digits, negative, rest);
}

std::string format_float(double value, char verb, const FormatFlags& flags) {
  const bool negative = std::signbit(value) && !std::isnan(value);
  FormatFlags rest = flags;
  if (!std::isfinite(value)) {
    rest.zero = false;
    if (std::isnan(value)) return signed_text("NaN", false, rest);
    rest.plus = rest.plus || !rest.space;  // +Inf shows its sign
    return signed_text("Inf", negative, rest);
  }
  const bool upper = verb == 'E' || verb == 'G' || verb == 'X';
  if (verb == 'F') verb = 'f';
  if (upper) verb = static_cast<char>(verb + ('a' - 'A'));
  if (rest.precision) rest.precision = std::clamp<std::int64_t>(*rest.precision, 0, kWidthMax);
  std::string digits = float_digits(std::abs(value), verb, rest);
  if (flags.sharp) keep_zeros(digits, verb, flags);
  if (upper) {
    for (char& c : digits) c = static_cast<char>(to_upper(static_cast<unsigned char>(c)));
  }
  return signed_text(std::move(digits), negative, rest);
}

}  // namespace varve::templates
