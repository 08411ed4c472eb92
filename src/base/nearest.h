// SPDX-License-Identifier: Apache-2.0
// "Did you mean": the known name closest to a mistyped one.
#pragma once

#include <span>
#include <string_view>

namespace varve::base {

// The candidate with the smallest edit distance to `name`, or "" if none is near enough (a third of
// the longer one's length) to be worth suggesting. The view is one of the candidates'.
std::string_view nearest(std::string_view name, std::span<const std::string_view> candidates);

}  // namespace varve::base
