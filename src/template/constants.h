// SPDX-License-Identifier: Apache-2.0
// Constants in templates: Go's literals of numbers, characters and strings.
#pragma once

#include <string>
#include <string_view>

#include "template/ast.h"
#include "varve/result.h"

namespace varve::templates {

// kInvalidArgument with the text Go gives.
Result<Number> parse_number(std::string_view written);
// "…" or `…`, with the quotes.
Result<std::string> unquote(std::string_view written);

}  // namespace varve::templates
