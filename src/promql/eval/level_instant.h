// SPDX-License-Identifier: Apache-2.0
// Instant selectors where buckets are left instead of samples. What is known of a bucket are its
// first and its last sample. At the time of a step the newest known sample counts: the last of a
// bucket for one lookback, as any sample; the first of one as long as the bucket has later samples,
// for then the series went on. A step at the end of a bucket sees what it would see in samples.
#pragma once

#include <cstdint>
#include <vector>

#include "promql/eval/bucket_join.h"
#include "promql/eval/level_plan.h"
#include "promql/eval/query_state.h"
#include "promql/eval/read_tally.h"
#include "promql/eval/selector_source.h"
#include "promql/eval/window_index.h"
#include "promql/value/level_notes.h"
#include "promql/value/value.h"
#include "storage/querier.h"

namespace varve::promql {

// Belongs to one task.
class LevelInstant {
 public:
  LevelInstant(const storage::Selection& selection, const WindowShape& shape, SelectorValue value,
               QueryState& state);
  ~LevelInstant();
  LevelInstant(const LevelInstant&) = delete;
  LevelInstant& operator=(const LevelInstant&) = delete;

  // Replaces the points of steps at which a bucket knows a newer sample than `samples`, which are
  // those of the selector's whole time, stale markers included (only their times matter).
  Status lay_over(std::size_t series, const storage::SeriesSamples& samples, StepSeries& out);

 private:
  // The newest sample that is known at a time; none if time_ms is before all.
  struct Known {
    Timestamp time_ms = TimeRange::all().min_ms;
    std::size_t bucket = 0;
    bool first = false;  // of its bucket, else the last
    bool histogram = false;
  };

  Status read(std::size_t series, std::span<const storage::LevelSpan> spans);
  Known known_at(Timestamp t);
  void take(const Known& known, std::size_t step, StepSeries& out);

  const storage::Selection& selection_;
  const WindowShape shape_;
  const SelectorValue value_;
  QueryState& state_;
  ReadTally tally_;
  LevelNotes notes_;
  SampledTime sampled_;
  storage::SeriesBuckets part_;
  BucketJoin join_;
  std::size_t next_float_ = 0;  // the first bucket that ends at the step's time or later
  std::size_t next_histogram_ = 0;
  std::size_t next_stale_ = 0;  // the first stale marker after the step's time
};

}  // namespace varve::promql
