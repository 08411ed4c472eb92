// SPDX-License-Identifier: Apache-2.0
// Fixes an expression to a time by `@`, for the check that a query so fixed gives the same result
// whenever it is evaluated.
#pragma once

#include "promql/ast.h"
#include "varve/sample.h"

namespace varve::promql::test_language {

// Puts `@ time` on every selector and subquery that is not fixed to a time yet; `@ start()` and
// `@ end()` become that time. Nothing inside a subquery is touched: it is fixed with it.
void fix_to_time(Expr& expr, Timestamp time_ms);

// Whether the expression asks for the evaluation time or the query's range by other means than
// selectors, so that `@` cannot fix it.
bool depends_on_evaluation_time(const Expr& expr);
// Whether it has start(), end(), range() or step() in it: as a range query it means something else.
bool depends_on_range(const Expr& expr);

}  // namespace varve::promql::test_language
