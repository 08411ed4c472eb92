// SPDX-License-Identifier: Apache-2.0
// Names of protocols, which know no case: header fields, codings, media types. ASCII only.
#pragma once

#include <algorithm>
#include <string_view>

namespace varve::base {

constexpr char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

// `lower` is in small letters.
constexpr bool equals_in_any_case(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                    [](char a, char b) { return ascii_lower(a) == b; });
}

}  // namespace varve::base
