// SPDX-License-Identifier: Apache-2.0
// Where the windows of a range selector fall on buckets of levels: the same for all series whose
// history is kept alike.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "promql/ast.h"
#include "promql/eval/window_index.h"
#include "promql/value/level_notes.h"
#include "storage/levels.h"
#include "storage/querier.h"
#include "varve/sample.h"

namespace varve::promql {

// The time that a span covers: (start_ms, end_ms].
struct Covered {
  Timestamp start_ms = 0;
  Timestamp end_ms = 0;
  bool contains(Timestamp t) const { return t > start_ms && t <= end_ms; }
};
Covered covered_by(const storage::LevelSpan& span);

// The end of the newest bucket that does not end after t.
Timestamp bucket_end_before(Timestamp t, std::int64_t resolution_ms);

// Where samples answered.
struct SampledTime {
  TimeRange times{TimeRange::all().max_ms, TimeRange::all().min_ms};

  void look_at(const storage::SeriesSamples& samples) {
    for (const std::span<const Timestamp> of :
         {std::span<const Timestamp>(samples.float_times),
          std::span<const Timestamp>(samples.histogram_times)}) {
      if (of.empty()) continue;
      times.min_ms = std::min(times.min_ms, of.front());
      times.max_ms = std::max(times.max_ms, of.back());
    }
  }
  void note(LevelNotes& notes) const {
    if (!times.empty()) notes.add({LevelNotes::Kind::kUsed, 0, {}, 0, {}}, times);
  }
};

// A window ends where it is asked to and is as long as asked, but at least as long as the buckets
// where it ends; it has the buckets and samples whose end lies in it.
// Arrays are as long as `steps`, and never decrease.
struct LevelPlan {
  std::vector<storage::LevelSpan> spans;
  std::size_t steps = 0;                 // the windows of later steps are beyond all spans
  std::vector<Timestamp> window_starts;  // excluded
  std::vector<Timestamp> starts;         // what the buckets in the window cover: (start, end]
  std::vector<Timestamp> ends;
  std::vector<std::int64_t> lengths_ms;  // of the windows
  Timestamp last_end_ms = 0;      // of the last of the windows
  std::vector<LevelNotes> notes;  // by span: what to say if it has buckets

  // Ends of buckets of a span that some window wants.
  TimeRange wanted(std::size_t span) const;
};

// Precondition: spans are not empty. `where` is the selector's place in the expression.
LevelPlan plan_levels(std::span<const storage::LevelSpan> spans, const WindowShape& shape,
                      Position where);

}  // namespace varve::promql
