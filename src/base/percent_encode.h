// SPDX-License-Identifier: Apache-2.0
// Text as a part of a URL: all bytes but RFC 3986's unreserved characters as %XX.
#pragma once

#include <string>
#include <string_view>

namespace varve::base {

// A blank is %20, which fits paths and parameters.
std::string percent_encode(std::string_view text);
// A blank is +, as in forms and as Go's url.QueryEscape writes it.
std::string query_escape(std::string_view text);

}  // namespace varve::base
