// SPDX-License-Identifier: Apache-2.0
// Which requests go through a proxy: no_proxy lists and the environment's variables, with the
// meaning that Go's HTTP client gives them.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace varve::http {

// Whether a host is exempt by a comma-separated list of addresses, networks ("10.0.0.0/8"), domains
// ("example.com" with all below it, ".example.com" only what is below it), any of them with a port,
// or "*". Loopback hosts always are.
bool matches_no_proxy(std::string_view host, std::string_view port, std::string_view no_proxy);

// HTTP_PROXY, HTTPS_PROXY and NO_PROXY, in capitals or small letters.
struct ProxyEnvironment {
  std::string http, https, no_proxy;
  static ProxyEnvironment read(const std::function<std::string(const char*)>& variable);
};

}  // namespace varve::http
