// SPDX-License-Identifier: Apache-2.0
#include "promql/eval/level_plan.h"

#include <algorithm>

#include "promql/eval/plan.h"

namespace varve::promql {
namespace {

// The span that covers t, or null.
const storage::LevelSpan* span_at(std::span<const storage::LevelSpan> spans, Timestamp t) {
  for (const storage::LevelSpan& span : spans) {
    if (covered_by(span).contains(t)) return &span;
  }
  return nullptr;
}

}  // namespace

Covered covered_by(const storage::LevelSpan& span) {
  return {saturating_subtract(span.ends.min_ms, span.resolution_ms), span.ends.max_ms};
}

Timestamp bucket_end_before(Timestamp t, std::int64_t resolution_ms) {
  const Timestamp remainder = t % resolution_ms;
  return saturating_subtract(t, remainder < 0 ? remainder + resolution_ms : remainder);
}

TimeRange LevelPlan::wanted(std::size_t span) const {
  if (steps == 0) return {1, 0};
  const TimeRange& ends_of_span = spans[span].ends;
  return {std::max(ends_of_span.min_ms, saturating_add(window_starts.front(), 1)),
          std::min(ends_of_span.max_ms, last_end_ms)};
}

LevelPlan plan_levels(std::span<const storage::LevelSpan> spans, const WindowShape& shape,
                      Position where) {
  using Kind = LevelNotes::Kind;
  LevelPlan plan;
  plan.spans.assign(spans.begin(), spans.end());
  plan.notes.resize(spans.size());
  const Timestamp newest = spans.back().ends.max_ms;
  while (plan.steps < shape.count &&
         saturating_subtract(shape.end_ms(plan.steps), shape.range_ms) < newest) {
    ++plan.steps;
  }
  if (plan.steps == 0) return plan;
  plan.last_end_ms = shape.end_ms(plan.steps - 1);
  for (std::size_t step = 0; step < plan.steps; ++step) {
    const Timestamp end = shape.end_ms(step);
    const storage::LevelSpan* at_end = span_at(spans, end);
    const std::int64_t resolution = at_end != nullptr ? at_end->resolution_ms : 0;
    plan.lengths_ms.push_back(std::max(shape.range_ms, resolution));
    Timestamp start = saturating_subtract(end, plan.lengths_ms.back());
    if (step > 0) start = std::max(start, plan.window_starts.back());
    const storage::LevelSpan* at_start = span_at(spans, saturating_add(start, 1));
    plan.window_starts.push_back(start);
    plan.starts.push_back(at_start != nullptr ? bucket_end_before(start, at_start->resolution_ms)
                                              : start);
    plan.ends.push_back(at_end != nullptr ? bucket_end_before(end, resolution) : end);
    if (at_end == nullptr || shape.range_ms % resolution == 0) continue;
    const Kind kind = shape.range_ms < resolution ? Kind::kWidened : Kind::kUneven;
    plan.notes[static_cast<std::size_t>(at_end - spans.data())].add(
        {kind, resolution, where, shape.range_ms, {}}, {plan.starts.back(), end});
  }
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const Covered covered = covered_by(spans[i]);
    const TimeRange used{std::max(covered.start_ms, plan.starts.front()),
                         std::min(covered.end_ms, plan.last_end_ms)};
    if (!used.empty()) plan.notes[i].add({Kind::kUsed, spans[i].resolution_ms, {}, 0, {}}, used);
  }
  return plan;
}

}  // namespace varve::promql
