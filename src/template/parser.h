// SPDX-License-Identifier: Apache-2.0
// Text to trees. Names of functions and variables are checked here, so that what parses can only
// fail by its data.
#pragma once

#include <string>
#include <string_view>

#include "template/ast.h"
#include "varve/result.h"

namespace varve::templates {

// Deeper nesting of parentheses and blocks ({{else if}} nests too) is kLimitExceeded.
inline constexpr std::size_t kNestingMax = 500;

// The main template stands in the result under `name`. kInvalidArgument: "template: <name>:<line>:
// …".
Result<Definitions> parse_definitions(const std::string& name, std::string_view text);

}  // namespace varve::templates
