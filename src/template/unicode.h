// SPDX-License-Identifier: Apache-2.0
// Characters as Go sees them: UTF-8 decoding, classes and case, quoting.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace varve::templates {

inline constexpr char32_t kReplacementRune = 0xfffd;

struct Rune {
  char32_t value = kReplacementRune;
  std::size_t width = 0;  // bytes; 1 for a byte that is not UTF-8, 0 at the end of the text
};

Rune decode_rune(std::string_view text, std::size_t at);
void append_rune(std::string& out, char32_t rune);
std::size_t count_runes(std::string_view text);
// The bytes of the first `runes` characters.
std::size_t prefix_bytes(std::string_view text, std::size_t runes);

bool is_letter(char32_t rune);
bool is_digit(char32_t rune);  // decimal digits of any script
bool is_printable(char32_t rune);
bool is_cased(char32_t rune);  // has an upper or lower case form
char32_t to_upper(char32_t rune);
char32_t to_lower(char32_t rune);

// "…" as strconv.Quote; with ascii_only as QuoteToASCII.
std::string quote(std::string_view text, bool ascii_only = false);
// '…' as strconv.QuoteRune.
std::string quote_rune(char32_t rune, bool ascii_only = false);
// "U+0041 'A'", as %#U prints.
std::string unicode_name(char32_t rune, bool with_character);

}  // namespace varve::templates
