// SPDX-License-Identifier: Apache-2.0
// What is known about a query before any data is read: resolved durations and @ modifiers, which
// subexpressions have one value for all steps, and what span of time the query touches.
#pragma once

#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "promql/value/value.h"
#include "promql/ast.h"
#include "storage/levels.h"
#include "varve/result.h"

namespace varve::promql {

// When a selector or subquery looks at its data.
struct Timing {
  std::int64_t offset_ms = 0;
  std::int64_t range_ms = 0;  // matrix selectors and subqueries
  std::int64_t step_ms = 0;   // subqueries
  std::optional<Timestamp> at_ms;

  // The time it refers to when evaluated at step `step`: the window's right end, or the instant.
  Timestamp reference(const StepGrid& grid, std::size_t step) const;
  // The same for step 0, and by how much it moves per step (0 if @ fixes it).
  Timestamp first_reference(const StepGrid& grid) const { return reference(grid, 0); }
  std::int64_t reference_step(const StepGrid& grid) const { return at_ms ? 0 : grid.step_ms; }
};

// a - b and a + b, at the ends of int64 instead of beyond them.
Timestamp saturating_subtract(Timestamp a, std::int64_t b);
Timestamp saturating_add(Timestamp a, std::int64_t b);

// Immutable once created. Borrows the tree.
class Plan {
 public:
  // kInvalidArgument if a duration cannot be resolved. `text` is what positions refer to.
  static Result<Plan> create(const Expr& root, const DurationScope& scope,
                             std::int64_t lookback_ms, std::int64_t default_subquery_step_ms,
                             std::string_view text, const storage::LevelReach& reach = {});

  // Precondition: expr is a vector selector, matrix selector or subquery of the tree.
  const Timing& timing(const Expr& expr) const { return timings_.at(&expr); }
  // Whether expr has the same value at all steps of any grid.
  bool step_invariant(const Expr& expr) const { return invariant_.contains(&expr); }

  // The steps of a subquery inside an expression evaluated on `grid`. count may be 0.
  StepGrid subquery_grid(const Subquery& subquery, const StepGrid& grid) const;

  // Every sample the query can look at when evaluated on `grid`; [0, 0] if there is no selector.
  TimeRange touched(const Expr& root, const StepGrid& grid) const;

 private:
  struct Builder;
  void widen(const Expr& expr, const StepGrid& grid, TimeRange& range) const;
  // `range` to include `needed`, and the buckets that it may see.
  void include(TimeRange needed, TimeRange& range) const;

  std::int64_t lookback_ms_ = 0;
  storage::LevelReach reach_;
  std::unordered_map<const Expr*, Timing> timings_;
  std::unordered_set<const Expr*> invariant_;
};

}  // namespace varve::promql
