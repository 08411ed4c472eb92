// SPDX-License-Identifier: Apache-2.0
// Which series of an aggregation's input end up together.
#pragma once

#include <cstdint>
#include <vector>

#include "promql/eval/series_source.h"
#include "promql/ast.h"
#include "varve/labels.h"

namespace varve::promql {

struct Grouping {
  std::vector<std::uint32_t> group_of;  // by series
  std::vector<Labels> labels;           // by group, in order of first appearance
  std::vector<bool> drop_name;          // by group: a member's name is to be dropped
};

// by(): from the source's label columns, without building a label set per series. without(): from
// the label sets. `delayed`: names that will be dropped are still there.
Grouping group_series(const Aggregate& expr, const SeriesSource& source, bool delayed);

// The same for series that are there; their names are as they should be.
Grouping group_matrix(const Aggregate& expr, const StepMatrix& matrix);

// The labels of the group that a series of these labels belongs to.
Labels group_labels(const Aggregate& expr, const Labels& labels);

}  // namespace varve::promql
