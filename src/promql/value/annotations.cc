// SPDX-License-Identifier: Apache-2.0
// Collecting, merging and wording the remarks of a query.
#include "promql/value/annotations.h"

#include <algorithm>

#include "base/log.h"
#include "model/number.h"
#include "promql/parser.h"

namespace varve::promql {

std::string format_seconds(Timestamp time_ms) {
  const Timestamp whole = time_ms / 1000 * 1000;
  std::string text = base::format_utc(whole);
  const std::size_t dot = text.rfind('.');
  if (dot != std::string::npos) text.replace(dot, std::string::npos, "Z");
  return text;
}

AnnotationSink::Entry& AnnotationSink::add(Kind kind, std::string_view text, Position where,
                                           bool* added) {
  std::string key;
  key.reserve(text.size() + 12);
  key.push_back(static_cast<char>('0' + static_cast<int>(kind)));
  key.append(std::to_string(where.start));
  key.push_back(' ');
  key.append(text);
  const auto [at, fresh] = index_.try_emplace(std::move(key), entries_.size());
  if (fresh) {
    Entry entry;
    entry.kind = kind;
    entry.text = text;
    entry.where = where;
    entries_.push_back(std::move(entry));
  }
  if (added != nullptr) *added = fresh;
  return entries_[at->second];
}

void AnnotationSink::forced_monotonicity(std::string_view name, Position where, Timestamp time_ms,
                                         double bucket_min, double bucket_max, double diff_max) {
  std::string text =
      "input to histogram_quantile needed to be fixed for monotonicity (see "
      "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";
  if (!name.empty()) text.append(" for metric name ").append(quote(name));
  bool added = false;
  Entry& entry = add(Kind::kMonotonicity, text, where, &added);
  if (added) {
    entry.time_min_ms = entry.time_max_ms = time_ms;
    entry.bucket_min = bucket_min;
    entry.bucket_max = bucket_max;
    entry.diff_max = diff_max;
    return;
  }
  ++entry.count;
  entry.time_min_ms = std::min(entry.time_min_ms, time_ms);
  entry.time_max_ms = std::max(entry.time_max_ms, time_ms);
  entry.bucket_min = std::min(entry.bucket_min, bucket_min);
  entry.bucket_max = std::max(entry.bucket_max, bucket_max);
  entry.diff_max = std::max(entry.diff_max, diff_max);
}

void AnnotationSink::counted_warning(std::string_view text, Position where) {
  bool added = false;
  Entry& entry = add(Kind::kCounted, text, where, &added);
  if (!added) ++entry.count;
}

void AnnotationSink::merge(const AnnotationSink& other) {
  for (const Entry& theirs : other.entries_) {
    bool added = false;
    Entry& entry = add(theirs.kind, theirs.text, theirs.where, &added);
    if (added) {
      entry = theirs;
      continue;
    }
    entry.count += theirs.count;
    if (theirs.kind == Kind::kMonotonicity) {
      entry.time_min_ms = std::min(entry.time_min_ms, theirs.time_min_ms);
      entry.time_max_ms = std::max(entry.time_max_ms, theirs.time_max_ms);
      entry.bucket_min = std::min(entry.bucket_min, theirs.bucket_min);
      entry.bucket_max = std::max(entry.bucket_max, theirs.bucket_max);
      entry.diff_max = std::max(entry.diff_max, theirs.diff_max);
    }
  }
}

Annotations AnnotationSink::render(std::string_view expression) const {
  Annotations out;
  for (const Entry& entry : entries_) {
    const bool info = entry.kind == Kind::kInfo || entry.kind == Kind::kMonotonicity ||
                      entry.kind == Kind::kQueryInfo;
    std::string text;
    if (entry.kind != Kind::kPlain) text = info ? "PromQL info: " : "PromQL warning: ";
    text.append(entry.text);
    if (entry.kind == Kind::kMonotonicity) {
      text.append(", from buckets ").append(model::format_float_g(entry.bucket_min));
      text.append(" to ").append(model::format_float_g(entry.bucket_max));
      text.append(", with a max diff of ").append(model::format_float_g(entry.diff_max, 2));
      text.append(", over ").append(std::to_string(entry.count)).append(" samples from ");
      text.append(format_seconds(entry.time_min_ms)).append(" to ");
      text.append(format_seconds(entry.time_max_ms));
    }
    if (entry.kind == Kind::kCounted && entry.count > 1) {
      text.append(" (").append(std::to_string(entry.count)).append(" occurrences)");
    }
    if (entry.kind != Kind::kPlain && entry.kind != Kind::kQueryInfo) {
      text.append(" (").append(line_and_column(expression, entry.where.start)).append(")");
    }
    std::vector<std::string>& list = info ? out.infos : out.warnings;
    if (std::find(list.begin(), list.end(), text) == list.end()) list.push_back(std::move(text));
  }
  return out;
}

}  // namespace varve::promql
