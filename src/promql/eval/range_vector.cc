// SPDX-License-Identifier: Apache-2.0
// A range vector as the answer of an instant query: raw samples with their own times.
#include <algorithm>
#include <string>
#include <utility>

#include "base/try.h"
#include "promql/eval/bucket_join.h"
#include "promql/eval/evaluator.h"
#include "promql/eval/level_plan.h"
#include "promql/eval/read_tally.h"
#include "promql/eval/window_index.h"
#include "promql/functions/extended_rate.h"

namespace varve::promql {
namespace {

// Puts points on the ends of the range in place of what lies outside it.
Status extend(RangeExtension extension, const WindowShape& shape, storage::SeriesSamples& samples) {
  if (!samples.histograms.empty()) {
    return Error(ErrorCode::kExecution,
                 std::string(extension == RangeExtension::kAnchored ? "anchored" : "smoothed") +
                     " modifier is not supported with histograms");
  }
  Window window;
  window.float_times = samples.float_times;
  window.float_values = samples.float_values;
  window.range_end_ms = shape.first_end_ms;
  window.range_start_ms = shape.first_end_ms - shape.range_ms;
  window.extension = extension;
  const std::vector<Sample> points = function_impls::extended_points(window);
  samples.clear();
  for (const Sample& point : points) {
    samples.float_times.push_back(point.timestamp_ms);
    samples.float_values.push_back(point.value);
  }
  return {};
}

// Of time that is left as buckets: the last sample of each, in place of all of them.
class ThinnedHistory {
 public:
  ThinnedHistory(const storage::Selection& selection, const WindowShape& shape, Position where,
                 QueryState& state)
      : selection_(selection), shape_(shape), where_(where), state_(state) {}

  // Puts them among the samples of a window.
  Status put_before(std::size_t series, storage::SeriesSamples& samples) {
    using storage::BucketColumns;
    if (!state_.levels_allowed()) return {};
    const std::span<const storage::LevelSpan> spans = selection_.levels(series);
    if (spans.empty()) return {};
    const TimeRange window = shape_.span();
    join_.begin(BucketColumns::kLast);
    LevelNotes notes;
    for (std::size_t i = 0; i < spans.size(); ++i) {
      const TimeRange ends{std::max(window.min_ms, spans[i].ends.min_ms),
                           std::min(window.max_ms, spans[i].ends.max_ms)};
      if (ends.empty()) continue;
      VARVE_TRY(selection_.read_buckets(series, i, ends,
                                        BucketColumns::kLast | BucketColumns::kHistograms, part_));
      if (part_.ends_ms.empty() && part_.histograms.ends_ms.empty()) continue;
      notes.add({LevelNotes::Kind::kUsed, spans[i].resolution_ms, {}, 0, {}}, ends);
      notes.add({LevelNotes::Kind::kThinned, spans[i].resolution_ms, where_, 0, {}}, ends);
      join_.append_samples(samples, covered_by(spans[i]).start_ms);
      join_.append(part_);
    }
    if (notes.empty()) return {};
    state_.note_levels(notes);
    join_.append_samples(samples, window.max_ms);
    const storage::SeriesBuckets& all = join_.buckets();
    samples.clear();
    for (std::size_t i = 0; i < all.ends_ms.size(); ++i) {
      if (all.last_times[i] < window.min_ms) continue;
      samples.float_times.push_back(all.last_times[i]);
      samples.float_values.push_back(all.lasts[i]);
    }
    for (std::size_t i = 0; i < all.histograms.ends_ms.size(); ++i) {
      if (all.histograms.last_times[i] < window.min_ms) continue;
      samples.histogram_times.push_back(all.histograms.last_times[i]);
      samples.histograms.push_back(all.histograms.lasts[i]);
    }
    return {};
  }

 private:
  const storage::Selection& selection_;
  const WindowShape shape_;
  const Position where_;
  QueryState& state_;
  storage::SeriesBuckets part_;
  BucketJoin join_;
};

}  // namespace

Status Evaluator::check_steps(const StepGrid& grid) const {
  if (grid.count <= state_.settings().samples_max) return {};
  return Error(ErrorCode::kLimitExceeded,
               "query processing would load too many samples into memory in query execution "
               "(a subquery of " + std::to_string(grid.count) + " steps, --query.max-samples=" +
                   std::to_string(state_.settings().samples_max) + ")");
}

Series to_series(const StepSeries& points, const StepGrid& grid) {
  Series series;
  series.labels = points.labels;
  series.floats.reserve(points.histograms.empty() ? count_points(points) : 0);
  for (std::size_t step = 0; step < grid.count; ++step) {
    if (points.kinds[step] == PointKind::kFloat) {
      series.floats.push_back({grid.at(step), points.values[step]});
    } else if (points.kinds[step] == PointKind::kHistogram) {
      series.histograms.push_back({grid.at(step), points.histograms[step]});
    }
  }
  return series;
}

Result<Matrix> Evaluator::range_vector(const Expr& expr, const StepGrid& grid) {
  const Expr& bare = without_parens(expr);
  Matrix out;
  if (bare.kind() == ExprKind::kSubquery) {
    const auto& subquery = as<Subquery>(bare);
    const StepGrid inner = plan_.subquery_grid(subquery, grid);
    VARVE_TRY(check_steps(inner));
    const auto evaluate_operand = [&] {
      const QueryState::ReadScale scale(state_, 1);
      return vector(*subquery.operand, inner);
    };
    VARVE_TRY_ASSIGN(StepMatrix points, evaluate_operand());
    VARVE_TRY(finish_names(points));
    for (const StepSeries& series : points.series) out.push_back(to_series(series, inner));
    return out;
  }
  const auto& matrix = as<MatrixSelector>(bare);
  const Timing& timing = plan_.timing(bare);
  const RangeExtension extension = matrix.selector->extension;
  const std::int64_t reach_ms = state_.settings().lookback_ms;
  const WindowShape shape{timing.first_reference(grid),
                          0,
                          timing.range_ms,
                          1,
                          extension == RangeExtension::kNone ? 0 : reach_ms,
                          extension == RangeExtension::kSmoothed ? reach_ms : 0};
  VARVE_TRY_ASSIGN(const auto selection, select(*matrix.selector, timing, shape.span(), grid));
  storage::SeriesSamples samples;
  ReadTally tally(state_);
  ThinnedHistory thinned(*selection, shape, bare.position, state_);
  for (std::size_t i = 0; i < selection->size(); ++i) {
    if (i % QueryState::kTaskItems == 0) VARVE_TRY(state_.poll());
    VARVE_TRY(selection->read(i, shape.span(), samples));
    remove_stale(samples);
    VARVE_TRY(thinned.put_before(i, samples));
    if (extension != RangeExtension::kNone) VARVE_TRY(extend(extension, shape, samples));
    const std::size_t points = samples.float_times.size() + samples.histogram_times.size();
    if (points == 0) continue;
    VARVE_TRY(state_.charge(points));
    tally.add(0, points);
    Series series;
    series.labels = selection->labels(i);
    for (std::size_t s = 0; s < samples.float_times.size(); ++s) {
      series.floats.push_back({samples.float_times[s], samples.float_values[s]});
    }
    for (std::size_t s = 0; s < samples.histogram_times.size(); ++s) {
      series.histograms.push_back({samples.histogram_times[s], samples.histograms[s]});
    }
    out.push_back(std::move(series));
  }
  return out;
}

}  // namespace varve::promql
