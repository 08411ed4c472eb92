// SPDX-License-Identifier: Apache-2.0
// Headers of a request and form values (application/x-www-form-urlencoded).
#include <fmt/format.h>

#include <algorithm>

#include "base/try.h"
#include "http/percent.h"
#include "http/server.h"

namespace varve::http {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

Result<std::string> percent_decode(std::string_view encoded, PlusIs plus) {
  std::string out;
  out.reserve(encoded.size());
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    const char c = encoded[i];
    if (c == '+' && plus == PlusIs::kSpace) {
      out += ' ';
    } else if (c == '%') {
      const int high = i + 2 < encoded.size() ? hex_digit(encoded[i + 1]) : -1;
      const int low = i + 2 < encoded.size() ? hex_digit(encoded[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("invalid URL escape \"{}\"", encoded.substr(i, 3)));
      }
      out += static_cast<char>(high << 4 | low);
      i += 2;
    } else {
      out += c;
    }
  }
  return out;
}

Result<FormValues> parse_form(std::string_view encoded) {
  FormValues values;
  while (!encoded.empty()) {
    const auto ampersand = encoded.find('&');
    const std::string_view pair = encoded.substr(0, ampersand);
    encoded = ampersand == std::string_view::npos ? "" : encoded.substr(ampersand + 1);
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    VARVE_TRY_ASSIGN(std::string name, percent_decode(pair.substr(0, equals), PlusIs::kSpace));
    std::string value;
    if (equals != std::string_view::npos) {
      VARVE_TRY_ASSIGN(value, percent_decode(pair.substr(equals + 1), PlusIs::kSpace));
    }
    values.emplace_back(std::move(name), std::move(value));
  }
  return values;
}

std::string_view Request::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (equal_ignoring_case(key, name)) return value;
  }
  return {};
}

}  // namespace varve::http
