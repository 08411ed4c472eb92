// SPDX-License-Identifier: Apache-2.0
// Buckets of levels folded from samples in memory, one sample after another: the plain twin of what
// the database does.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "storage/levels.h"
#include "varve/sample.h"

namespace varve::promql::test_language {

// Whether a time lies in what the spans cover.
bool covers(std::span<const storage::LevelSpan> spans, Timestamp time_ms);

// The buckets that end in `ends`, of samples in order of time. All columns are filled but for the
// sketches, if they are not wanted.
storage::SeriesBuckets fold(const std::vector<Sample>& floats,
                            const std::vector<std::pair<Timestamp, HistogramPtr>>& histograms,
                            std::int64_t resolution_ms, TimeRange ends, bool sketches);

}  // namespace varve::promql::test_language
