// SPDX-License-Identifier: Apache-2.0
#include "template/host_port.h"

#include <arpa/inet.h>

namespace varve::templates {

std::optional<HostPort> split_host_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view port = text.substr(colon + 1);
  std::string_view host = text.substr(0, colon);
  std::string_view unbracketed = text;  // what must not hold another bracket
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos || close + 1 != colon) return std::nullopt;
    host = text.substr(1, close - 1);
    if (host.find('[') != std::string_view::npos) return std::nullopt;
    unbracketed = text.substr(close + 1);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;
  }
  if (unbracketed.find_first_of("[]") != std::string_view::npos) return std::nullopt;
  return HostPort{std::string(host), std::string(port)};
}

std::string join_host_port(const HostPort& address) {
  const bool brackets = address.host.find(':') != std::string::npos;
  return (brackets ? "[" + address.host + "]" : address.host) + ":" + address.port;
}

bool is_ip_address(const std::string& host) {
  unsigned char bytes[16];
  return ::inet_pton(AF_INET, host.c_str(), bytes) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

}  // namespace varve::templates
