// SPDX-License-Identifier: Apache-2.0
// Listen addresses as Prometheus's flags write them: "0.0.0.0:9090", ":9090", "[::1]:9090",
// "localhost:9090".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "varve/result.h"

namespace varve::http {

struct ListenAddress {
  std::string host;  // without brackets; "" for all addresses of both families
  std::uint16_t port = 0;
};

// kInvalidArgument names the address.
Result<ListenAddress> parse_listen_address(std::string_view text);

}  // namespace varve::http
