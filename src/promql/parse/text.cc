// SPDX-License-Identifier: Apache-2.0
#include "promql/parse/text.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "promql/parser.h"

namespace varve::promql {
namespace {

// What Go's strconv.IsPrint calls printable, near enough: it leaves out the spaces beyond ASCII,
// format characters, private use and non-characters. Unassigned code points count as printable
// here.
bool is_printable(char32_t c) {
  if (c < 0x20 || (c >= 0x7f && c <= 0xa0) || c == 0xad) return false;
  if (c == 0x1680 || c == 0x180e || c == 0x3000 || c == 0xfeff) return false;
  if ((c >= 0x2000 && c <= 0x200f) || (c >= 0x2028 && c <= 0x202f)) return false;
  if (c >= 0x205f && c <= 0x206f) return false;
  if ((c >= 0xd800 && c <= 0xf8ff) || (c >= 0xfff0 && c <= 0xfffb)) return false;
  if ((c & 0xfffe) == 0xfffe) return false;
  return c < 0xe0000;
}

void append_hex(std::string& out, char32_t value, int digits) {
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) {
    out += "0123456789abcdef"[(value >> shift) & 0xf];
  }
}

void append_escaped(std::string& out, char32_t c, char quote) {
  if (c == static_cast<unsigned char>(quote) || c == '\\') {
    out += '\\';
    out += static_cast<char>(c);
    return;
  }
  switch (c) {
    case '\a': out += "\\a"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    case '\v': out += "\\v"; return;
    default: break;
  }
  if (is_printable(c)) {
    append_rune(out, c);
  } else if (c < 0x20 || c == 0x7f) {
    out += "\\x";
    append_hex(out, c, 2);
  } else if (c < 0x10000) {
    out += "\\u";
    append_hex(out, c, 4);
  } else {
    out += "\\U";
    append_hex(out, c, 8);
  }
}

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 16;
}

// Underscores may only stand between digits, or between a base prefix and a digit.
bool underscores_well_placed(std::string_view token) {
  bool hex = token.size() > 1 && token[0] == '0' && (token[1] | 0x20) == 'x';
  char previous = hex ? '0' : '^';
  for (const char c : token.substr(hex ? 2 : 0)) {
    const bool digit = is_digit(static_cast<unsigned char>(c)) || (hex && digit_value(c) < 16);
    if (c == '_' && previous != '0') return false;
    if (!digit && c != '_' && previous == '_') return false;
    previous = digit ? '0' : c == '_' ? '_' : '!';
  }
  return previous != '_';
}

std::optional<std::int64_t> parse_integer(std::string_view digits) {
  int base = 10;
  if (digits.size() > 2 && digits[0] == '0' && (digits[1] | 0x20) == 'x') {
    base = 16;
    digits.remove_prefix(2);
  } else if (digits.size() > 1 && digits[0] == '0') {
    base = 8;
    digits.remove_prefix(1);
  }
  std::int64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

}  // namespace

Rune decode_rune(std::string_view text, std::size_t at) {
  if (at >= text.size()) return {kEndOfText, 0};
  const auto byte = [&](std::size_t i) -> char32_t {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0;
  };
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const char32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  if (first >= 0xc2 && first < 0xe0 && follows(1)) {
    return {((first & 0x1f) << 6) | (byte(1) & 0x3f), 2};
  }
  if (first >= 0xe0 && first < 0xf0 && follows(1) && follows(2)) {
    const char32_t value = ((first & 0x0f) << 12) | ((byte(1) & 0x3f) << 6) | (byte(2) & 0x3f);
    if (value >= 0x800 && (value < 0xd800 || value > 0xdfff)) return {value, 3};
  }
  if (first >= 0xf0 && first < 0xf5 && follows(1) && follows(2) && follows(3)) {
    const char32_t value = ((first & 0x07) << 18) | ((byte(1) & 0x3f) << 12) |
                           ((byte(2) & 0x3f) << 6) | (byte(3) & 0x3f);
    if (value >= 0x10000 && value <= 0x10ffff) return {value, 4};
  }
  return {kReplacementRune, 1};
}

void append_rune(std::string& out, char32_t rune) {
  const auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
  if (rune < 0x80) {
    put(rune);
  } else if (rune < 0x800) {
    put(0xc0 | (rune >> 6));
    put(0x80 | (rune & 0x3f));
  } else if (rune < 0x10000) {
    put(0xe0 | (rune >> 12));
    put(0x80 | ((rune >> 6) & 0x3f));
    put(0x80 | (rune & 0x3f));
  } else {
    put(0xf0 | (rune >> 18));
    put(0x80 | ((rune >> 12) & 0x3f));
    put(0x80 | ((rune >> 6) & 0x3f));
    put(0x80 | (rune & 0x3f));
  }
}

std::string to_lower(std::string_view ascii) {
  std::string lower(ascii);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  return lower;
}

std::string quote_rune(char32_t rune) {
  std::string out = "'";
  if (rune > 0x10ffff) {
    append_rune(out, kReplacementRune);
  } else {
    append_escaped(out, rune, '\'');
  }
  return out + "'";
}

std::string quote_prefix(std::string_view text, std::size_t rune_count_max) {
  std::string out = "\"";
  std::size_t at = 0;
  for (std::size_t count = 0; at < text.size() && count < rune_count_max; ++count) {
    const Rune rune = decode_rune(text, at);
    if (rune.value == kReplacementRune && rune.width == 1) {
      out += "\\x";
      append_hex(out, static_cast<unsigned char>(text[at]), 2);
    } else {
      append_escaped(out, rune.value, '"');
    }
    at += rune.width;
  }
  return out + "\"";
}

std::string quote(std::string_view text) {
  return quote_prefix(text, std::numeric_limits<std::size_t>::max());
}

std::string unquote(std::string_view literal) {
  const char open = literal.front();
  const std::string_view body = literal.substr(1, literal.size() - 2);
  if (open == '`') return std::string(body);
  std::string out;
  out.reserve(body.size());
  for (std::size_t i = 0; i < body.size();) {
    if (body[i] != '\\') {
      out += body[i++];
      continue;
    }
    const char kind = body[i + 1];
    i += 2;
    const auto number = [&](std::size_t digits, int base) {
      char32_t value = 0;
      for (const char c : body.substr(i, digits)) {
        value = value * static_cast<char32_t>(base) + static_cast<char32_t>(digit_value(c));
      }
      i += digits;
      return value;
    };
    switch (kind) {
      case 'a': out += '\a'; break;
      case 'b': out += '\b'; break;
      case 'f': out += '\f'; break;
      case 'n': out += '\n'; break;
      case 'r': out += '\r'; break;
      case 't': out += '\t'; break;
      case 'v': out += '\v'; break;
      case 'x': out += static_cast<char>(number(2, 16)); break;
      case 'u': append_rune(out, number(4, 16)); break;
      case 'U': append_rune(out, number(8, 16)); break;
      case '\\':
      case '\'':
      case '"': out += kind; break;
      default:
        --i;  // three octal digits, of which `kind` is the first
        out += static_cast<char>(number(3, 8));
    }
  }
  return out;
}

bool is_plain_label_name(std::string_view name) {
  if (name.empty() || !is_alpha(static_cast<unsigned char>(name[0]))) return false;
  for (const char c : name) {
    if (!is_alphanumeric(static_cast<unsigned char>(c))) return false;
  }
  return true;
}

Result<double> parse_number(std::string_view token) {
  const auto refused = [&](std::string_view why) {
    return Error(ErrorCode::kInvalidArgument,
                 "error parsing number: strconv.ParseFloat: parsing " + quote(token) + ": " +
                     std::string(why));
  };
  const std::string lower = to_lower(token);
  if (lower == "inf") return std::numeric_limits<double>::infinity();
  if (lower == "nan") return std::numeric_limits<double>::quiet_NaN();
  std::string digits;
  for (const char c : token) {
    if (c != '_') digits += c;
  }
  if (digits.size() != token.size() && !underscores_well_placed(token)) {
    return refused("invalid syntax");
  }
  if (const auto integer = parse_integer(digits)) return static_cast<double>(*integer);
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (end != digits.data() + digits.size()) return refused("invalid syntax");
  if (error == std::errc::result_out_of_range) {
    // from_chars does not say at which end; Go takes what is too small as zero.
    value = std::strtod(digits.c_str(), nullptr);
    if (std::isinf(value)) return refused("value out of range");
    return value;
  }
  if (error != std::errc()) return refused("invalid syntax");
  return value;
}

}  // namespace varve::promql
