// SPDX-License-Identifier: Apache-2.0
#include "api/bucket_presence.h"

#include <span>

#include "storage/levels.h"

namespace varve::api {

bool has_bucket(const storage::Selection& selection, std::size_t series, TimeRange range) {
  const std::span<const storage::LevelSpan> spans = selection.levels(series);
  storage::SeriesBuckets buckets;
  for (std::size_t s = 0; s < spans.size(); ++s) {
    TimeRange ends = range;
    if (__builtin_add_overflow(ends.max_ms, spans[s].resolution_ms - 1, &ends.max_ms)) {
      ends.max_ms = TimeRange::all().max_ms;
    }
    const Status read = selection.read_buckets(
        series, s, ends, storage::BucketColumns::kCount | storage::BucketColumns::kHistograms,
        buckets);
    if (read.ok() && (!buckets.ends_ms.empty() || !buckets.histograms.ends_ms.empty())) return true;
  }
  return false;
}

}  // namespace varve::api
