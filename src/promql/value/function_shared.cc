// SPDX-License-Identifier: Apache-2.0
// What functions and evaluator share: names that go, labels of absence, series that become one.
#include <algorithm>
#include <string>
#include <unordered_map>
#include <vector>

#include "promql/value/function_impl.h"
#include "storage/querier.h"

namespace varve::promql {
namespace {

// Moves the points of `from` into `into`; false if both have one at some step.
bool merge_points(StepSeries& into, StepSeries& from) {
  for (std::size_t step = 0; step < from.steps(); ++step) {
    if (from.kinds[step] == PointKind::kNone) continue;
    if (into.kinds[step] != PointKind::kNone) return false;
    into.set(step, from.at(step));
  }
  return true;
}

}  // namespace

Labels SeriesRef::labels() const {
  return labels_ != nullptr ? *labels_ : selection_->labels(ordinal_);
}

std::string SeriesRef::metric_name() const {
  if (labels_ != nullptr) return std::string(labels_->get(kMetricName));
  return std::string(selection_->labels(ordinal_).get(kMetricName));
}

Labels drop_metric_name(const Labels& labels) {
  // The reserved names start with "__"; most sets have only the first of them, in front.
  bool any = false;
  for (const LabelView& label : labels) {
    if (label.name == kMetricName || label.name == kTypeLabel || label.name == kUnitLabel) {
      any = true;
      break;
    }
  }
  if (!any) return labels;
  std::vector<LabelView> kept;
  for (const LabelView& label : labels) {
    if (label.name == kMetricName || label.name == kTypeLabel || label.name == kUnitLabel) continue;
    kept.push_back(label);
  }
  return Labels(kept);
}

void mark_name_dropped(StepSeries& series, const Features& features) {
  series.drop_name = true;
  if (!features.delayed_name_removal) series.labels = drop_metric_name(series.labels);
}

Labels labels_of_absent(const Expr& argument) {
  const VectorSelector* selector = nullptr;
  const Expr& bare = without_parens(argument);
  if (bare.kind() == ExprKind::kVectorSelector) {
    selector = &as<VectorSelector>(bare);
  } else if (bare.kind() == ExprKind::kMatrixSelector) {
    selector = as<MatrixSelector>(bare).selector.get();
  }
  if (selector == nullptr) return {};

  std::vector<std::string_view> seen;
  std::vector<LabelView> kept;
  const auto drop = [&kept](std::string_view name) {
    std::erase_if(kept, [name](const LabelView& label) { return label.name == name; });
  };
  for (const model::Matcher& matcher : selector->matchers) {
    if (matcher.name() == kMetricName) continue;
    const bool twice = std::find(seen.begin(), seen.end(), matcher.name()) != seen.end();
    if (matcher.type() == model::MatchType::kEqual && !twice) {
      kept.push_back({matcher.name(), matcher.value()});
      seen.push_back(matcher.name());
    } else {
      drop(matcher.name());
    }
  }
  return Labels(kept);
}

Status merge_same_labelsets(StepMatrix& matrix) {
  if (matrix.series.size() < 2) return {};
  std::unordered_map<std::string_view, std::size_t> first;  // views into the series' own labels
  first.reserve(matrix.series.size());
  std::vector<bool> gone;
  for (std::size_t i = 0; i < matrix.series.size(); ++i) {
    const auto [at, fresh] = first.try_emplace(matrix.series[i].labels.bytes(), i);
    if (fresh) continue;
    if (gone.empty()) gone.resize(matrix.series.size());
    if (!merge_points(matrix.series[at->second], matrix.series[i])) {
      return Error(ErrorCode::kExecution,
                   "vector cannot contain metrics with the same labelset");
    }
    gone[i] = true;
  }
  if (gone.empty()) return {};
  std::size_t kept = 0;
  for (std::size_t i = 0; i < matrix.series.size(); ++i) {
    if (gone[i]) continue;
    if (kept != i) matrix.series[kept] = std::move(matrix.series[i]);
    ++kept;
  }
  matrix.series.resize(kept);
  return {};
}

}  // namespace varve::promql
