// SPDX-License-Identifier: Apache-2.0
// Group keys from columns of label ids: one u32 per series and label instead of strings.
#include "promql/eval/grouping.h"

#include <algorithm>
#include <string>
#include <unordered_map>

#include "promql/value/function_impl.h"

namespace varve::promql {
namespace {

bool is_name_label(std::string_view name) {
  return name == kMetricName || name == kTypeLabel || name == kUnitLabel;
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Splits every group by one more column; groups are renumbered in order of first appearance.
void refine(std::vector<std::uint32_t>& group_of, const storage::LabelColumn& column) {
  std::unordered_map<std::uint64_t, std::uint32_t> next;
  std::uint64_t last_key = ~std::uint64_t{0};
  std::uint32_t last_group = 0;
  for (std::size_t i = 0; i < group_of.size(); ++i) {
    const std::uint64_t key = (std::uint64_t{group_of[i]} << 32U) | column.ids[i];
    if (key != last_key) {  // neighbours tend to be of one group
      last_group = next.try_emplace(key, static_cast<std::uint32_t>(next.size())).first->second;
      last_key = key;
    }
    group_of[i] = last_group;
  }
}

void group_by(const Aggregate& expr, const SeriesSource& source, bool names_gone, Grouping& out) {
  std::vector<std::string> names = expr.grouping;
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  if (names_gone) std::erase_if(names, [](const std::string& name) { return is_name_label(name); });

  std::vector<storage::LabelColumn> columns;
  for (const std::string& name : names) {
    columns.push_back(source.label_column(name));
    refine(out.group_of, columns.back());
  }
  std::vector<LabelView> labels;
  for (std::size_t i = 0; i < out.group_of.size(); ++i) {
    if (out.group_of[i] != out.labels.size()) continue;  // not the first of its group
    labels.clear();
    for (std::size_t c = 0; c < columns.size(); ++c) {
      labels.push_back({names[c], columns[c].values[columns[c].ids[i]]});
    }
    out.labels.emplace_back(labels);
  }
}

void group_without(const Aggregate& expr, const SeriesSource& source, bool names_gone,
                   Grouping& out) {
  std::unordered_map<std::string, std::uint32_t> groups;
  for (std::size_t i = 0; i < source.size(); ++i) {
    const Labels all = names_gone ? drop_metric_name(source.labels(i)) : source.labels(i);
    Labels labels = group_labels(expr, all);
    const auto [at, fresh] = groups.try_emplace(std::string(labels.bytes()),
                                                static_cast<std::uint32_t>(out.labels.size()));
    if (fresh) out.labels.push_back(std::move(labels));
    out.group_of[i] = at->second;
  }
}

}  // namespace

Labels group_labels(const Aggregate& expr, const Labels& labels) {
  std::vector<LabelView> kept;
  for (const LabelView& label : labels) {
    const bool listed = contains(expr.grouping, label.name);
    if (expr.without ? !listed && label.name != kMetricName : listed) kept.push_back(label);
  }
  return Labels(kept);
}

Grouping group_series(const Aggregate& expr, const SeriesSource& source, bool delayed) {
  Grouping out;
  out.group_of.assign(source.size(), 0);
  if (source.size() == 0) return out;
  const bool names_gone = !delayed && source.drops_name(0);
  if (expr.without) {
    group_without(expr, source, names_gone, out);
  } else {
    group_by(expr, source, names_gone, out);
  }
  out.drop_name.resize(out.labels.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source.drops_name(i)) out.drop_name[out.group_of[i]] = true;
  }
  return out;
}

Grouping group_matrix(const Aggregate& expr, const StepMatrix& matrix) {
  Grouping out;
  std::unordered_map<std::string, std::uint32_t> groups;
  for (const StepSeries& series : matrix.series) {
    Labels labels = group_labels(expr, series.labels);
    const auto [at, fresh] = groups.try_emplace(std::string(labels.bytes()),
                                                static_cast<std::uint32_t>(out.labels.size()));
    if (fresh) {
      out.labels.push_back(std::move(labels));
      out.drop_name.push_back(false);
    }
    out.group_of.push_back(at->second);
    if (series.drop_name) out.drop_name[at->second] = true;
  }
  return out;
}

}  // namespace varve::promql
