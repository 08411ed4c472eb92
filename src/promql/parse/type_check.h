// SPDX-License-Identifier: Apache-2.0
// What a parsed tree must satisfy before it can be evaluated: types, argument counts, matching
// rules, selectors that select something.
#pragma once

#include <string_view>

#include "promql/ast.h"
#include "varve/result.h"

namespace varve::promql {

// The first violation in Prometheus's order and words, kInvalidArgument. Completes the tree: set
// operators become many-to-many, matching goes where an operand is a scalar, the second argument of
// info() may match the empty label set.
Status check_types(Expr& expr, std::string_view text);

}  // namespace varve::promql
