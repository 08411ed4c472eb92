// SPDX-License-Identifier: Apache-2.0
// "host:port" taken apart as Go's net package does.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace varve::templates {

struct HostPort {
  std::string host;
  std::string port;
};

// nullopt without a port, or if brackets and colons do not fit.
std::optional<HostPort> split_host_port(std::string_view text);
// Brackets around a host with colons.
std::string join_host_port(const HostPort& address);
// IPv4 or IPv6, without a zone.
bool is_ip_address(const std::string& host);

}  // namespace varve::templates
