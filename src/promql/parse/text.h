// SPDX-License-Identifier: Apache-2.0
// Characters, quotes and numbers as Go reads and writes them; error texts and printed expressions
// must agree with Prometheus byte by byte.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "varve/result.h"

namespace varve::promql {

// A decoded character and the bytes it took. Bytes that are not UTF-8 give U+FFFD and one byte; the
// end of the text gives kEndOfText and none.
struct Rune {
  char32_t value = 0;
  std::uint32_t width = 0;
};

inline constexpr char32_t kEndOfText = 0xffffffff;
inline constexpr char32_t kReplacementRune = 0xfffd;

Rune decode_rune(std::string_view text, std::size_t at);
void append_rune(std::string& out, char32_t rune);

inline bool is_space(char32_t c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
inline bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }
inline bool is_alpha(char32_t c) {
  return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
inline bool is_alphanumeric(char32_t c) { return is_alpha(c) || is_digit(c); }

std::string to_lower(std::string_view ascii);

// 'x', as Go's %q prints a character.
std::string quote_rune(char32_t rune);
// "…", as Go's %q prints a string, cut to so many characters before quoting.
std::string quote_prefix(std::string_view text, std::size_t rune_count_max);

// The content of a string literal with its quotes, which the lexer has checked.
std::string unquote(std::string_view literal);

// A name that may stand without quotes: [a-zA-Z_][a-zA-Z0-9_]*.
bool is_plain_label_name(std::string_view name);

// A number token. Integers may be hexadecimal or octal (0x1f, 017; 08 is 8), digits may be grouped
// by `_`. kInvalidArgument with the text Go's strconv gives.
Result<double> parse_number(std::string_view token);

}  // namespace varve::promql
