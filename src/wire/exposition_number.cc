// SPDX-License-Identifier: Apache-2.0
#include "wire/exposition_number.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>
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

// Eight characters, the first in the lowest byte.
constexpr std::size_t kWordChars = sizeof(std::uint64_t);
constexpr std::uint64_t kEach = 0x0101010101010101;  // times a character: eight of it
constexpr std::uint64_t kZeros = kEach * '0';
static_assert(std::endian::native == std::endian::little);

std::uint64_t load_word(const char* text) {
  std::uint64_t word = 0;
  std::memcpy(&word, text, sizeof word);
  return word;
}

bool are_digits(std::uint64_t word) {
  return (((word + kEach * (0x7f - '9')) | (word - kZeros) | word) & kEach * 0x80) == 0;
}

// The number of eight digits: of two neighbours each, then of four, then of all.
std::uint64_t digits_value(std::uint64_t word) {
  word -= kZeros;
  word = word * 10 + (word >> 8);
  constexpr std::uint64_t kPairs = 0x000000ff000000ff;
  const std::uint64_t first = (word & kPairs) * (100 + (std::uint64_t{1'000'000} << 32));
  const std::uint64_t second = ((word >> 16) & kPairs) * (1 + (std::uint64_t{10'000} << 32));
  return (first + second) >> 32;
}

// The place of the first point among eight characters; eight if there is none.
std::size_t find_point(std::uint64_t word) {
  const std::uint64_t apart = word ^ kEach * '.';
  const std::uint64_t found = (apart - kEach) & ~apart & kEach * 0x80;
  return found == 0 ? kWordChars : static_cast<std::size_t>(std::countr_zero(found)) / 8;
}

// Takes the character at `place` out; what is before it moves up, and `first` to the front.
std::uint64_t without(std::uint64_t word, std::size_t place, std::uint64_t first) {
  const std::uint64_t before = (std::uint64_t{1} << (8 * place)) - 1;
  const std::uint64_t behind = place + 1 == kWordChars ? 0 : ~std::uint64_t{0} << (8 * (place + 1));
  return (word & behind) | (word & before) << 8 | first;
}

struct Digits {
  std::uint64_t value = 0;
  std::size_t fraction = 0;  // how many of them stand behind the point
};

// Of 8 to 16 characters all at once: a loop's last turn is guessed wrong for nearly every number.
std::optional<Digits> read_long(std::string_view text) {
  const std::size_t more = text.size() - kWordChars;
  std::uint64_t low = load_word(text.data() + more);
  std::uint64_t high = kZeros;
  if (more > 0) {
    const std::size_t unused = 8 * (kWordChars - more);
    high = load_word(text.data()) << unused | (kZeros & ((std::uint64_t{1} << unused) - 1));
  }
  Digits digits;
  if (const std::size_t point = find_point(low); point < kWordChars) {
    digits.fraction = kWordChars - 1 - point;
    low = without(low, point, high >> 56);
    high = high << 8 | '0';
  } else if (const std::size_t higher = find_point(high); higher < kWordChars) {
    digits.fraction = 2 * kWordChars - 1 - higher;
    high = without(high, higher, '0');
  }
  if (!are_digits(low) || !are_digits(high)) return std::nullopt;
  digits.value = digits_value(high) * 100'000'000 + digits_value(low);
  return digits;
}

std::optional<Digits> read_short(std::string_view text) {
  Digits digits;
  std::size_t count = 0;
  std::size_t whole = text.size();  // digits before the point, if there is one
  for (const char c : text) {
    if (c >= '0' && c <= '9') {
      digits.value = digits.value * 10 + static_cast<std::uint64_t>(c - '0');
      ++count;
    } else if (c == '.' && whole == text.size()) {
      whole = count;
    } else {
      return std::nullopt;
    }
  }
  if (count == 0) return std::nullopt;
  if (whole < text.size()) digits.fraction = count - whole;
  return digits;
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

std::optional<double> parse_short_decimal(std::string_view text) {
  constexpr std::size_t kCharsMax = 2 * kWordChars;
  constexpr std::array<double, kCharsMax> kPowers{1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                  1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  constexpr std::uint64_t kExactMax = std::uint64_t{1} << std::numeric_limits<double>::digits;
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (text.size() > kCharsMax) return std::nullopt;
  const auto digits = text.size() < kWordChars ? read_short(text) : read_long(text);
  if (!digits || digits->value > kExactMax) return std::nullopt;
  // Number and power are exact in a double, so that one division rounds as it should.
  const double number = static_cast<double>(digits->value) / kPowers[digits->fraction];
  return negative ? -number : number;
}

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
