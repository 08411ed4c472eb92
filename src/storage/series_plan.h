// SPDX-License-Identifier: Apache-2.0
// Where of a series samples answer and where buckets, given what there is of each: pure arithmetic.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "storage/gone.h"
#include "storage/levels.h"
#include "varve/sample.h"

namespace varve::storage {

// What holds for one series: the samples of `raw` (ascending, apart, both ends included) and the
// buckets of `spans`.
struct SeriesPlan {
  std::vector<TimeRange> raw;
  std::vector<LevelSpan> spans;
};

// A level as a plan sees it: its buckets that end in (from_ms, until_ms].
struct KeptLevel {
  std::int64_t resolution_ms = 0;
  Timestamp from_ms = TimeRange::all().min_ms;
  Timestamp until_ms = TimeRange::all().min_ms;
};

// bucket_floor(), which the beginning of time has none of: it stays.
Timestamp floor_to(Timestamp t, std::int64_t resolution_ms);

struct PlanInput {
  std::vector<KeptLevel> levels;                    // finest first
  Timestamp raw_from_ms = TimeRange::all().min_ms;  // samples at or after it are kept
  Timestamp raw_gone_ms = TimeRange::all().min_ms;  // samples up to it may be gone
  Stretches raw_lost;                               // behind it, likewise
  std::int64_t max_source_resolution_ms = 0;
};
SeriesPlan make_plan(const PlanInput& input);
// The time that these buckets cover.
Stretches answered_by(std::span<const LevelSpan> spans);
// Gives the time of `held` back to samples, also what is before all else. Ranges that are no
// multiples of the resolutions around them are made smaller.
void give_back(SeriesPlan& plan, TimeRange held);
// Gives what of `held` nothing answers for to the buckets that are there: the finest ones.
void give_back_buckets(SeriesPlan& plan, std::span<const KeptLevel> levels, TimeRange held);
// Gives the time of samples that are lost to the buckets that there are: whole ones.
void answer_by_buckets(SeriesPlan& plan, std::span<const KeptLevel> levels, TimeRange lost);
// Longer, where one of the levels has the buckets at its ends: those of the finest one.
TimeRange to_whole_buckets(TimeRange range, std::span<const KeptLevel> levels);

}  // namespace varve::storage
