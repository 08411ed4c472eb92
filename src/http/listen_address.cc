// SPDX-License-Identifier: Apache-2.0
#include "http/listen_address.h"

#include <fmt/format.h>

#include <charconv>
#include <system_error>

namespace varve::http {

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const auto broken = [&](std::string_view why) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("listen address \"{}\": {}", text, why));
  };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return broken("missing port in address");
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return broken("missing ']' in address");
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return broken("too many colons in address");
  }
  ListenAddress address;
  address.host = host;
  const auto [end, problem] =
      std::from_chars(digits.data(), digits.data() + digits.size(), address.port);
  if (digits.empty() || problem != std::errc() || end != digits.data() + digits.size()) {
    return broken("invalid port");
  }
  return address;
}

}  // namespace varve::http
