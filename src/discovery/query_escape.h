// SPDX-License-Identifier: Apache-2.0
// Text as a part of a URL.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace varve::discovery {

// Everything but RFC 3986's unreserved characters as %XX; fits paths and parameters.
inline std::string query_escape(std::string_view text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~";
  std::string out;
  for (const char c : text) {
    if (kPlain.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

}  // namespace varve::discovery
