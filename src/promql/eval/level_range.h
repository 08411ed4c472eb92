// SPDX-License-Identifier: Apache-2.0
// A range function over a selection part of whose time is left as buckets only. Belongs to one
// task: lays the answers of steps whose windows touch buckets over those that samples gave.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "promql/eval/bucket_join.h"
#include "promql/eval/level_plan.h"
#include "promql/eval/query_state.h"
#include "promql/eval/read_tally.h"
#include "promql/value/function_impl.h"
#include "promql/value/level_windows.h"
#include "storage/querier.h"

namespace varve::promql {

class LevelRange {
 public:
  // `extended` windows (anchored, smoothed) want single samples at their borders, which buckets do
  // not have: no function over them is answered.
  LevelRange(const storage::Selection& selection, const WindowShape& shape, const Call& call,
             Position where, bool extended, QueryState& state);
  ~LevelRange();
  LevelRange(const LevelRange&) = delete;
  LevelRange& operator=(const LevelRange&) = delete;

  // Samples answer, too. Empty ones say nothing.
  void note_samples(const storage::SeriesSamples& samples) { sampled_.look_at(samples); }

  // Null: samples answer for the whole series.
  const LevelPlan* plan_of(std::size_t series);

  // `samples` must reach back to plan.window_starts.front(), and have no stale markers. `out` has
  // what they gave.
  Status lay_over(std::size_t series, const LevelPlan& plan, const storage::SeriesSamples& samples,
                  const SeriesRef& ref, const CallArgs& args, EvalContext& context,
                  StepSeries& out);

 private:
  // Windows by position in times; of one series, or of all that share their times.
  struct Index {
    const LevelPlan* plan = nullptr;
    std::uint64_t ends_id = 0;
    std::vector<Timestamp> times;  // if ends_id is 0
    std::vector<std::uint32_t> lo;
    std::vector<std::uint32_t> hi;
    std::uint64_t total = 0;  // summed over all windows
    std::uint32_t widest = 0;

    void find(const LevelPlan& to, const WindowShape& shape, std::uint64_t id,
              const std::vector<Timestamp>& ends);
  };

  Status read_buckets(std::size_t series, const LevelPlan& plan,
                      const storage::SeriesSamples& samples);
  bool has_sketches(const storage::SeriesBuckets& part) const;
  void answer(const LevelPlan& plan, const SeriesRef& ref, const CallArgs& args,
              EvalContext& context, StepSeries& out);
  bool touches_buckets(std::size_t step) const;
  void note(const LevelPlan& plan, std::size_t span, LevelNotes::Kind refusal);

  const storage::Selection& selection_;
  const WindowShape shape_;
  const Call& call_;
  const Position where_;
  const LevelRule* rule_;  // null: cannot be answered
  QueryState& state_;
  ReadTally tally_;
  std::map<const storage::LevelSpan*, LevelPlan> plans_;  // by the spans they were made of
  LevelNotes notes_;
  SampledTime sampled_;
  storage::SeriesBuckets part_;
  BucketJoin join_;
  bool any_bucket_ = false;  // of the series at hand
  bool refused_ = false;     // the same: its windows over buckets have no answer
  Index floats_;
  Index histograms_;
  StepSeries answers_;
  LevelMemo memo_;
};

}  // namespace varve::promql
