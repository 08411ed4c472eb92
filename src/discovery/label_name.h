// SPDX-License-Identifier: Apache-2.0
// Names of meta labels, and addresses, as others' words become them.
#pragma once

#include <string>
#include <string_view>

namespace varve::discovery {

// Everything but ASCII letters, digits and underscores becomes an underscore.
std::string sanitized(std::string_view name);

// "host:port", "[v6]:port".
std::string host_and_port(std::string_view host, std::string_view port);

}  // namespace varve::discovery
