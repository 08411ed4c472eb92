// SPDX-License-Identifier: Apache-2.0
// The switches of PromQL, named after Prometheus's --enable-feature values.
#pragma once

namespace varve::promql {

struct Features {
  bool experimental_functions = false;      // promql-experimental-functions
  bool delayed_name_removal = false;        // promql-delayed-name-removal
  bool extended_range_selectors = false;    // promql-extended-range-selectors: anchored, smoothed
  bool binop_fill_modifiers = false;        // promql-binop-fill-modifiers
  bool use_start_timestamps = false;        // use-start-timestamps
  bool per_step_stats = false;              // promql-per-step-stats
  bool type_and_unit_labels = false;        // the same: __type__ says what is a counter
  bool duration_expressions = true;         // stable since 3.14
};

}  // namespace varve::promql
