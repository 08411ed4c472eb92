// SPDX-License-Identifier: Apache-2.0
// Folding a source into groups, in parallel: every task has accumulators of its own for the groups
// it meets, joined in the order of the tasks, so that the bits do not depend on the thread count.
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/try.h"
#include "promql/eval/accumulator.h"
#include "promql/eval/aggregate.h"
#include "promql/eval/grouping.h"

namespace varve::promql {

Result<StepMatrix> aggregate_fold(const Aggregate& expr, const SeriesSource& source,
                                  QueryState& state) {
  const std::size_t steps = source.steps();
  const std::size_t tasks = QueryState::task_count(source.size());
  if (QueryState::task_count(source.size(), source.work_per_series()) > tasks) {
    // A few long series are read by several tasks, but added up by as many as ever and in their
    // order: a sum must not depend on how many steps were asked for.
    std::uint64_t points = 0;
    VARVE_TRY_ASSIGN(const SeriesSourcePtr read, read_ahead(source, state, points));
    Result<StepMatrix> folded = aggregate_fold(expr, *read, state);
    state.release(points);
    return folded;
  }
  const Grouping grouping = group_series(expr, source, state.features().delayed_name_removal);
  const Position where = without_parens(*expr.operand).position;

  std::vector<std::unordered_map<std::uint32_t, Accumulator>> parts(tasks);
  const auto fold_part = [&](std::size_t task, std::size_t begin, std::size_t end,
                             AnnotationSink& sink) -> Status {
    const FoldRemarks remarks{sink, where, expr.op};
    VARVE_TRY_ASSIGN(const auto reader, source.reader(begin, end, sink));
    StepSeries points;
    Accumulator* into = nullptr;
    std::uint32_t into_group = 0;
    for (std::size_t i = begin; i < end; ++i) {
      if (i % QueryState::kTaskItems == 0) VARVE_TRY(state.poll());
      VARVE_TRY(reader->read(i, points));
      const std::uint32_t group = grouping.group_of[i];
      if (into == nullptr || group != into_group) {
        const auto [at, fresh] = parts[task].try_emplace(group, expr.op, steps);
        if (fresh) VARVE_TRY(state.charge(steps));
        into = &at->second;  // nodes of an unordered_map do not move
        into_group = group;
      }
      if (points.histograms.empty()) {
        into->add(points, nullptr, remarks);
      } else {
        const Labels labels = source.labels(i);
        into->add(points, &labels, remarks);
      }
    }
    return {};
  };
  VARVE_TRY(state.run_tasks(source.size(), parts.size(), fold_part));

  const FoldRemarks remarks{state.annotations(), where, expr.op};
  std::uint64_t held = 0;
  for (const auto& part : parts) held += part.size() * steps;
  StepMatrix out;
  for (std::uint32_t group = 0; group < grouping.labels.size(); ++group) {
    std::optional<Accumulator> total;
    for (auto& part : parts) {
      const auto found = part.find(group);
      if (found == part.end()) continue;
      if (!total) {
        total.emplace(std::move(found->second));
      } else {
        total->merge(found->second, remarks);
      }
      part.erase(found);
    }
    if (!total) continue;
    StepSeries series = total->finish(remarks);
    if (series.empty()) continue;
    series.labels = grouping.labels[group];
    series.drop_name = grouping.drop_name[group];
    out.series.push_back(std::move(series));
  }
  // What is still held of the accumulators is the result: one per group.
  state.release(held);
  VARVE_TRY(state.charge(out.series.size() * steps));
  return out;
}

}  // namespace varve::promql
