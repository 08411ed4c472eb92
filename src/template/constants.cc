// SPDX-License-Identifier: Apache-2.0
#include "template/constants.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "base/try.h"
#include "model/number.h"
#include "template/unicode.h"

namespace varve::templates {
namespace {

Error invalid(std::string message) { return {ErrorCode::kInvalidArgument, std::move(message)}; }

// One character of a quoted text, which may be an escape; a byte escape gives a byte.
struct Unescaped {
  char32_t value = 0;
  bool is_byte = false;
};

std::optional<std::uint32_t> digits(std::string_view text, std::size_t at, std::size_t count,
                                    int base) {
  if (at + count > text.size()) return std::nullopt;
  std::uint32_t value = 0;
  const char* end = text.data() + at + count;
  const auto [stop, status] = std::from_chars(text.data() + at, end, value, base);
  if (status != std::errc() || stop != end) return std::nullopt;
  return value;
}

std::optional<Unescaped> unescape(std::string_view text, std::size_t& at, char quote_sign) {
  if (text[at] != '\\') {
    if (text[at] == quote_sign || text[at] == '\n') return std::nullopt;
    const Rune rune = decode_rune(text, at);
    const bool bad = rune.value == kReplacementRune && rune.width == 1;
    const Unescaped out{bad ? static_cast<unsigned char>(text[at]) : rune.value, bad};
    at += rune.width;
    return out;
  }
  if (++at >= text.size()) return std::nullopt;
  const char c = text[at++];
  const auto numeric = [&](std::size_t from, std::size_t count, int base,
                           bool is_byte) -> std::optional<Unescaped> {
    const auto value = digits(text, from, count, base);
    if (!value || *value > (is_byte ? 0xffU : 0x10ffffU)) return std::nullopt;
    if (!is_byte && *value >= 0xd800 && *value < 0xe000) return std::nullopt;
    at = from + count;
    return Unescaped{*value, is_byte};
  };
  switch (c) {
    case 'a':
      return Unescaped{'\a'};
    case 'b':
      return Unescaped{'\b'};
    case 'f':
      return Unescaped{'\f'};
    case 'n':
      return Unescaped{'\n'};
    case 'r':
      return Unescaped{'\r'};
    case 't':
      return Unescaped{'\t'};
    case 'v':
      return Unescaped{'\v'};
    case '\\':
      return Unescaped{'\\'};
    case '\'':
    case '"':
      if (c != quote_sign) return std::nullopt;
      return Unescaped{static_cast<char32_t>(c)};
    case 'x':
      return numeric(at, 2, 16, true);
    case 'u':
      return numeric(at, 4, 16, false);
    case 'U':
      return numeric(at, 8, 16, false);
    default:
      break;
  }
  if (c < '0' || c > '7') return std::nullopt;
  return numeric(at - 1, 3, 8, true);
}

Result<Number> parse_character(std::string_view written) {
  const std::string_view inside = written.substr(1, written.size() - 2);
  std::size_t at = 0;
  const auto rune = inside.empty() ? std::nullopt : unescape(inside, at, '\'');
  if (!rune) return invalid("invalid syntax");
  if (at != inside.size()) {
    return invalid("malformed character constant: " + std::string(written));
  }
  Number out;
  out.is_integer = out.is_unsigned = out.is_float = true;
  out.integer = static_cast<std::int64_t>(rune->value);
  out.unsigned_integer = rune->value;
  out.value = static_cast<double>(rune->value);
  return out;
}

// Takes out underscores, which may stand between digits and after a base prefix.
std::optional<std::string> without_underscores(std::string_view text, bool prefixed) {
  std::string out;
  char before = prefixed ? '0' : '\0';
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '_') {
      const bool between = before != '\0' && before != '_' && i + 1 < text.size();
      if (!between || !prefixed) return std::nullopt;
    } else {
      out += c;
    }
    before = c;
  }
  return out;
}

// An unsigned integer in Go's notation; nullopt if it is none or too large.
std::optional<std::uint64_t> parse_unsigned(std::string_view text) {
  int base = 10;
  if (text.size() > 1 && text[0] == '0') {
    const char mark = text[1];
    base = mark == 'x' || mark == 'X' ? 16 : mark == 'b' || mark == 'B' ? 2 : 8;
    text.remove_prefix(base == 8 && mark != 'o' && mark != 'O' ? 1 : 2);
  }
  // Go allows underscores in any integer with base 0.
  const auto plain = without_underscores(text, true);
  if (!plain || plain->empty() || text.back() == '_') return std::nullopt;
  std::uint64_t value = 0;
  const char* end = plain->data() + plain->size();
  const auto [stop, status] = std::from_chars(plain->data(), end, value, base);
  if (status != std::errc() || stop != end) return std::nullopt;
  return value;
}

}  // namespace

Result<Number> parse_number(std::string_view written) {
  if (written.starts_with('\'')) return parse_character(written);
  Number out;
  const bool negative = written.starts_with('-');
  const bool has_sign = negative || written.starts_with('+');
  if (const auto magnitude = parse_unsigned(written.substr(has_sign ? 1 : 0))) {
    constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    out.is_unsigned = !has_sign || *magnitude == 0;
    out.unsigned_integer = *magnitude;
    out.is_integer = *magnitude <= kMax || (negative && *magnitude == kMax + 1);
    if (out.is_integer)
      out.integer = static_cast<std::int64_t>(negative ? 0 - *magnitude : *magnitude);
  }
  if (out.is_integer) {
    out.is_float = true;
    out.value = static_cast<double>(out.integer);
    return out;
  }
  if (out.is_unsigned) {
    out.is_float = true;
    out.value = static_cast<double>(out.unsigned_integer);
    return out;
  }
  const auto plain = without_underscores(written, false);
  const auto value = plain ? model::parse_float(*plain) : std::nullopt;
  if (!value) return invalid("illegal number syntax: " + quote(written));
  if (written.find_first_of(".eEpP") == std::string_view::npos) {
    return invalid("integer overflow: " + quote(written));
  }
  out.is_float = true;
  out.value = *value;
  if (std::abs(*value) < 0x1p63 && std::trunc(*value) == *value) {
    out.is_integer = true;
    out.integer = static_cast<std::int64_t>(*value);
  }
  if (*value >= 0 && *value < 0x1p64 && std::trunc(*value) == *value) {
    out.is_unsigned = true;
    out.unsigned_integer = static_cast<std::uint64_t>(*value);
  }
  return out;
}

Result<std::string> unquote(std::string_view written) {
  const std::string_view inside = written.substr(1, written.size() - 2);
  std::string out;
  if (written.starts_with('`')) {
    for (const char c : inside) {
      if (c != '\r') out += c;  // as Go
    }
    return out;
  }
  for (std::size_t at = 0; at < inside.size();) {
    const auto rune = unescape(inside, at, '"');
    if (!rune) return invalid("invalid syntax");
    if (rune->is_byte) {
      out += static_cast<char>(rune->value);
    } else {
      append_rune(out, rune->value);
    }
  }
  return out;
}

}  // namespace varve::templates
