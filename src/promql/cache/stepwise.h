// SPDX-License-Identifier: Apache-2.0
// Which expressions have, at each step of a range query, the value that a query of other steps
// would have there too. Only their steps can be kept and put together again.
#pragma once

#include "promql/ast.h"
#include "promql/features.h"

namespace varve::promql {

// False in doubt. What breaks the rule: @ start() and @ end(), start() end() range(), whatever
// depends on the order in which storage lists series (limitk), info() (which looks for its series
// with all steps in view), and range functions over selectors that do not fix the metric name (two
// series that become one are an error even if they share no step).
bool stepwise(const Expr& root, const Features& features);

}  // namespace varve::promql
