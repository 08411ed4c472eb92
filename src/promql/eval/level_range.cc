// SPDX-License-Identifier: Apache-2.0
// Reads the buckets of a series, puts the samples that lie beside them in between, finds the
// windows and lets the function's rule for buckets answer.
#include "promql/eval/level_range.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/try.h"
#include "promql/eval/plan.h"
#include "promql/eval/series_source.h"

namespace varve::promql {

using storage::BucketColumns;

LevelRange::LevelRange(const storage::Selection& selection, const WindowShape& shape,
                       const Call& call, Position where, bool extended, QueryState& state)
    : selection_(selection),
      shape_(shape),
      call_(call),
      where_(where),
      rule_(extended ? nullptr : find_level_rule(call.function->id)),
      state_(state),
      tally_(state) {}

LevelRange::~LevelRange() {
  sampled_.note(notes_);
  state_.note_levels(notes_);
}

const LevelPlan* LevelRange::plan_of(std::size_t series) {
  const std::span<const storage::LevelSpan> spans = selection_.levels(series);
  if (spans.empty()) return nullptr;
  const auto [at, fresh] = plans_.try_emplace(spans.data());
  if (fresh) at->second = plan_levels(spans, shape_, where_);
  return at->second.steps > 0 ? &at->second : nullptr;
}

Status LevelRange::lay_over(std::size_t series, const LevelPlan& plan,
                            const storage::SeriesSamples& samples, const SeriesRef& ref,
                            const CallArgs& args, EvalContext& context, StepSeries& out) {
  VARVE_TRY(read_buckets(series, plan, samples));
  if (!any_bucket_) return {};
  const storage::SeriesBuckets& buckets = join_.buckets();
  floats_.find(plan, shape_, buckets.ends_id, buckets.ends_ms);
  histograms_.find(plan, shape_, 0, buckets.histograms.ends_ms);
  tally_.add_windows(floats_.lo, floats_.hi, floats_.total);
  tally_.add_windows(histograms_.lo, histograms_.hi, histograms_.total);
  if (floats_.widest > state_.settings().samples_max) return state_.charge(floats_.widest);
  if (join_.has_samples()) join_.count_real();
  if (refused_) {
    for (std::size_t step = 0; step < plan.steps; ++step) {
      if (touches_buckets(step)) out.clear(step);
    }
    return {};
  }
  if (!join_.has_samples()) {
    answer(plan, ref, args, context, out);
    return {};
  }
  // Where a window has samples only, what the samples gave stands.
  reset_points(answers_, plan.steps);
  answer(plan, ref, args, context, answers_);
  for (std::size_t step = 0; step < plan.steps; ++step) {
    if (!touches_buckets(step)) continue;
    out.clear(step);
    out.set(step, answers_.at(step));
  }
  return {};
}

Status LevelRange::read_buckets(std::size_t series, const LevelPlan& plan,
                                const storage::SeriesSamples& samples) {
  const BucketColumns columns =
      (rule_ != nullptr ? rule_->columns : BucketColumns::kCount) | BucketColumns::kHistograms;
  any_bucket_ = false;
  refused_ = false;
  join_.begin(columns);
  join_.skip_samples(samples, plan.window_starts.front());
  for (std::size_t i = 0; i < plan.spans.size(); ++i) {
    const TimeRange wanted = plan.wanted(i);
    if (wanted.empty()) continue;
    VARVE_TRY(selection_.read_buckets(series, i, wanted, columns, part_));
    if (part_.ends_ms.empty() && part_.histograms.ends_ms.empty()) continue;
    any_bucket_ = true;
    if (rule_ == nullptr || (!part_.histograms.ends_ms.empty() && rule_->mixed == nullptr)) {
      note(plan, i, LevelNotes::Kind::kNoAnswer);
    } else if (has(columns, BucketColumns::kSketch) && !has_sketches(part_)) {
      note(plan, i, LevelNotes::Kind::kNoSketches);
    } else {
      notes_.merge(plan.notes[i]);
    }
    join_.append_samples(samples, covered_by(plan.spans[i]).start_ms);
    join_.append(part_);
  }
  if (any_bucket_) join_.append_samples(samples, plan.last_end_ms);
  return {};
}

bool LevelRange::has_sketches(const storage::SeriesBuckets& part) const {
  if (part.ends_ms.empty()) return true;
  if (part.sketches.size() != part.ends_ms.size()) return false;
  for (std::size_t i = 0; i < part.sketches.size(); ++i) {
    if (part.sketches[i] == nullptr && part.counts[i] > 1) return false;
  }
  return true;
}

void LevelRange::note(const LevelPlan& plan, std::size_t span, LevelNotes::Kind refusal) {
  refused_ = true;
  const Covered covered = covered_by(plan.spans[span]);
  notes_.add({refusal, plan.spans[span].resolution_ms, where_, 0, call_.function->name},
             {std::max(covered.start_ms, plan.starts.front()),
              std::min(covered.end_ms, plan.last_end_ms)});
}

void LevelRange::answer(const LevelPlan& plan, const SeriesRef& ref, const CallArgs& args,
                        EvalContext& context, StepSeries& out) {
  const bool histograms = !join_.buckets().histograms.ends_ms.empty();
  LevelWindows windows{join_.buckets(), floats_.lo,      floats_.hi,      {},   {},    plan.starts,
                       plan.ends,       plan.lengths_ms, shape_.range_ms, &ref, &memo_};
  if (histograms) {
    windows.histogram_lo = histograms_.lo;
    windows.histogram_hi = histograms_.hi;
  }
  rule_->kernel(windows, args, context, out);
  if (!histograms) return;
  for (std::size_t step = 0; step < plan.steps; ++step) {
    if (histograms_.lo[step] >= histograms_.hi[step]) continue;
    PointValue point = rule_->mixed(windows, step, out.at(step), args, context);
    out.clear(step);
    out.set(step, std::move(point));
  }
}

bool LevelRange::touches_buckets(std::size_t step) const {
  if (!join_.has_samples()) {
    return floats_.lo[step] < floats_.hi[step] || histograms_.lo[step] < histograms_.hi[step];
  }
  return join_.real_before(floats_.lo[step]) < join_.real_before(floats_.hi[step]) ||
         join_.real_histograms_before(histograms_.lo[step]) <
             join_.real_histograms_before(histograms_.hi[step]);
}

void LevelRange::Index::find(const LevelPlan& to, const WindowShape& shape, std::uint64_t id,
                             const std::vector<Timestamp>& ends) {
  if (plan == &to && id == ends_id && (id != 0 || times == ends)) return;
  plan = &to;
  ends_id = id;
  if (id == 0) times = ends;
  lo.resize(to.steps);
  hi.resize(to.steps);
  total = 0;
  widest = 0;
  std::uint32_t first = 0;
  std::uint32_t past = 0;
  for (std::size_t step = 0; step < to.steps; ++step) {
    while (past < ends.size() && ends[past] <= shape.end_ms(step)) ++past;
    while (first < past && ends[first] <= to.window_starts[step]) ++first;
    lo[step] = first;
    hi[step] = past;
    total += past - first;
    widest = std::max(widest, past - first);
  }
}

}  // namespace varve::promql
