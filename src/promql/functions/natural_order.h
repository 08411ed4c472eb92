// SPDX-License-Identifier: Apache-2.0
// Strings ordered as people do: runs of digits count as numbers, so "node2" is before "node10".
#pragma once

#include <compare>
#include <string_view>

namespace varve::promql::function_impls {

// Numbers equal in value ("1" and "01") are equal here; of two strings of which one begins the
// other, the shorter is first.
std::strong_ordering natural_order(std::string_view a, std::string_view b);

}  // namespace varve::promql::function_impls
