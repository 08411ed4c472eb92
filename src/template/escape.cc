// SPDX-License-Identifier: Apache-2.0
#include "template/escape.h"

#include <fmt/format.h>

#include "template/unicode.h"

namespace varve::templates {

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '\0':
        out += "\xef\xbf\xbd";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string escape_js(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Rune rune = decode_rune(text, at);
    switch (rune.value) {
      case '\\':
        out += "\\\\";
        break;
      case '\'':
        out += "\\'";
        break;
      case '"':
        out += "\\\"";
        break;
      case '<':
        out += "\\u003C";
        break;
      case '>':
        out += "\\u003E";
        break;
      case '&':
        out += "\\u0026";
        break;
      case '=':
        out += "\\u003D";
        break;
      default:
        if (rune.value < ' ') {
          out += fmt::format("\\u{:04X}", static_cast<std::uint32_t>(rune.value));
        } else if (rune.value < 0x80 || is_printable(rune.value)) {
          out += text.substr(at, rune.width);
        } else {
          out += fmt::format("\\u{:04X}", static_cast<std::uint32_t>(rune.value));
        }
    }
    at += rune.width;
  }
  return out;
}

}  // namespace varve::templates
