// SPDX-License-Identifier: Apache-2.0
// Executes a parsed template on a value.
#pragma once

#include <string>
#include <string_view>

#include "template/ast.h"
#include "template/template.h"
#include "template/value.h"
#include "varve/result.h"

namespace varve::templates {

// {{template}} calls within each other; recursion is almost always an accident.
inline constexpr std::size_t kInvocationDepthMax = 200;

// `text` is what `definitions` were parsed from, for positions in errors. The message of an error
// begins with "template: <name>:<line>:<column>: executing …".
Result<std::string> execute(const Definitions& definitions, const std::string& name,
                            std::string_view text, const Value& data,
                            const Environment& environment);

}  // namespace varve::templates
