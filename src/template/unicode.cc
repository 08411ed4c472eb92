// SPDX-License-Identifier: Apache-2.0
#include "template/unicode.h"

#include <fmt/format.h>
#include <locale.h>
#include <wctype.h>

namespace varve::templates {
namespace {

// The C library's tables, whatever locale the process runs in. Null where that locale is missing;
// then only ASCII has classes.
locale_t unicode_tables() {
  static const locale_t tables = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return tables;
}

bool classified(char32_t rune, int (*test)(wint_t, locale_t)) {
  const locale_t tables = unicode_tables();
  if (tables == nullptr && rune >= 0x80) return false;
  return tables != nullptr && test(static_cast<wint_t>(rune), tables) != 0;
}

bool continues(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80U;
}

void append_escaped(std::string& out, char32_t rune, char quote_sign, bool ascii_only) {
  if (rune == static_cast<char32_t>(quote_sign) || rune == '\\') {
    out += '\\';
    out += static_cast<char>(rune);
    return;
  }
  if (rune < 0x80 ? rune >= 0x20 && rune < 0x7f : !ascii_only && is_printable(rune)) {
    append_rune(out, rune);
    return;
  }
  switch (rune) {
    case '\a':
      out += "\\a";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\v':
      out += "\\v";
      return;
    default:
      break;
  }
  const auto code = static_cast<std::uint32_t>(rune);
  if (code < ' ' || code == 0x7f) {
    out += fmt::format("\\x{:02x}", code);
  } else if (code < 0x10000) {
    out += fmt::format("\\u{:04x}", code);
  } else {
    out += fmt::format("\\U{:08x}", code);
  }
}

}  // namespace

Rune decode_rune(std::string_view text, std::size_t at) {
  if (at >= text.size()) return {kReplacementRune, 0};
  const auto first = static_cast<unsigned char>(text[at]);
  if (first < 0x80) return {first, 1};
  const std::size_t width = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) return {kReplacementRune, 1};
  char32_t value = first & (0xffU >> (width + 1));
  for (std::size_t i = 1; i < width; ++i) {
    if (!continues(text, at + i)) return {kReplacementRune, 1};
    value = (value << 6U) | (static_cast<unsigned char>(text[at + i]) & 0x3fU);
  }
  const char32_t smallest = width == 4 ? 0x10000 : width == 3 ? 0x800 : 0x80;
  if (value < smallest || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) {
    return {kReplacementRune, 1};
  }
  return {value, width};
}

void append_rune(std::string& out, char32_t rune) {
  if (rune > 0x10ffff || (rune >= 0xd800 && rune <= 0xdfff)) rune = kReplacementRune;
  const auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
  if (rune < 0x80) {
    put(rune);
  } else if (rune < 0x800) {
    put(0xc0 | (rune >> 6U));
    put(0x80 | (rune & 0x3f));
  } else if (rune < 0x10000) {
    put(0xe0 | (rune >> 12U));
    put(0x80 | ((rune >> 6U) & 0x3f));
    put(0x80 | (rune & 0x3f));
  } else {
    put(0xf0 | (rune >> 18U));
    put(0x80 | ((rune >> 12U) & 0x3f));
    put(0x80 | ((rune >> 6U) & 0x3f));
    put(0x80 | (rune & 0x3f));
  }
}

std::size_t count_runes(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) at += decode_rune(text, at).width;
  return count;
}

std::size_t prefix_bytes(std::string_view text, std::size_t runes) {
  std::size_t at = 0;
  for (; runes > 0 && at < text.size(); --runes) at += decode_rune(text, at).width;
  return at;
}

bool is_letter(char32_t rune) {
  if (rune < 0x80) return (rune >= 'a' && rune <= 'z') || (rune >= 'A' && rune <= 'Z');
  return classified(rune, ::iswalpha_l) && !is_digit(rune);
}

bool is_digit(char32_t rune) {
  if (rune < 0x80) return rune >= '0' && rune <= '9';
  // The C library counts other scripts' digits as letters; the common blocks are told apart here.
  constexpr char32_t kZeros[] = {0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66,
                                 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50, 0xed0, 0xf20, 0xff10};
  for (const char32_t zero : kZeros) {
    if (rune >= zero && rune < zero + 10) return true;
  }
  return false;
}

bool is_printable(char32_t rune) {
  if (rune < 0x80) return rune >= 0x20 && rune < 0x7f;
  // Spaces other than U+0020 do not count in Go.
  return classified(rune, ::iswprint_l) && !classified(rune, ::iswspace_l) && rune != 0xa0 &&
         rune != 0x2007 && rune != 0x202f && rune != 0xad;
}

bool is_cased(char32_t rune) { return to_upper(rune) != rune || to_lower(rune) != rune; }

char32_t to_upper(char32_t rune) {
  if (rune < 0x80) return rune >= 'a' && rune <= 'z' ? rune - 32 : rune;
  const locale_t tables = unicode_tables();
  if (tables == nullptr) return rune;
  return static_cast<char32_t>(::towupper_l(static_cast<wint_t>(rune), tables));
}

char32_t to_lower(char32_t rune) {
  if (rune < 0x80) return rune >= 'A' && rune <= 'Z' ? rune + 32 : rune;
  const locale_t tables = unicode_tables();
  if (tables == nullptr) return rune;
  return static_cast<char32_t>(::towlower_l(static_cast<wint_t>(rune), tables));
}

std::string quote(std::string_view text, bool ascii_only) {
  std::string out = "\"";
  for (std::size_t at = 0; at < text.size();) {
    const Rune rune = decode_rune(text, at);
    if (rune.value == kReplacementRune && rune.width == 1) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[at]));
    } else {
      append_escaped(out, rune.value, '"', ascii_only);
    }
    at += rune.width;
  }
  return out += '"';
}

std::string quote_rune(char32_t rune, bool ascii_only) {
  if (rune > 0x10ffff || (rune >= 0xd800 && rune <= 0xdfff)) rune = kReplacementRune;
  std::string out = "'";
  append_escaped(out, rune, '\'', ascii_only);
  return out += '\'';
}

std::string unicode_name(char32_t rune, bool with_character) {
  std::string out = fmt::format("U+{:04X}", static_cast<std::uint32_t>(rune));
  if (with_character && is_printable(rune)) {
    out += " '";
    append_rune(out, rune);
    out += '\'';
  }
  return out;
}

}  // namespace varve::templates
