// SPDX-License-Identifier: Apache-2.0
// Which series of two vectors match: those whose labels agree as on() or ignoring() asks.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "promql/value/value.h"
#include "promql/ast.h"
#include "varve/labels.h"

namespace varve::promql {

// Numbers the match groups of both sides of an operation.
class MatchSignatures {
 public:
  explicit MatchSignatures(const VectorMatching& matching) : matching_(matching) {}

  std::uint32_t of(const Labels& labels) {
    const Labels kept = matched_labels(labels);
    const auto [at, fresh] =
        ids_.try_emplace(std::string(kept.bytes()), static_cast<std::uint32_t>(ids_.size()));
    return at->second;
  }
  std::vector<std::uint32_t> of(const StepMatrix& matrix) {
    std::vector<std::uint32_t> ids;
    ids.reserve(matrix.series.size());
    for (const StepSeries& series : matrix.series) ids.push_back(of(series.labels));
    return ids;
  }
  std::size_t count() const { return ids_.size(); }

  // The labels the match is made on: those of on(), or all but the name and those of ignoring().
  Labels matched_labels(const Labels& labels) const {
    std::vector<LabelView> kept;
    for (const LabelView& label : labels) {
      if (listed(label.name) == matching_.on && (matching_.on || label.name != kMetricName)) {
        kept.push_back(label);
      }
    }
    return Labels(kept);
  }
  bool listed(std::string_view name) const {
    return std::find(matching_.labels.begin(), matching_.labels.end(), name) !=
           matching_.labels.end();
  }

 private:
  const VectorMatching& matching_;
  std::unordered_map<std::string, std::uint32_t> ids_;
};

}  // namespace varve::promql
