// SPDX-License-Identifier: Apache-2.0
// From samples to buckets, and from buckets to those of a coarser level. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "storage/codec/bucket_chunk.h"
#include "storage/querier.h"
#include "varve/sample.h"

namespace varve::storage {

// The end of the bucket that `t` lies in: the first multiple of the resolution at or after it;
// saturates at the end of time.
Timestamp bucket_end(Timestamp t, std::int64_t resolution_ms);
// The last multiple of the resolution at or before `t`; saturates at the beginning of time.
Timestamp bucket_floor(Timestamp t, std::int64_t resolution_ms);

// The schema of native histograms whose buckets are at most `relative_error` wide (of their lower
// bound), the finest there is if that is not enough.
std::int32_t sketch_schema(double relative_error);

struct FoldOptions {
  std::int64_t resolution_ms = 0;
  bool sketch = false;
  std::int32_t schema = 7;  // of sketches
};

// What a level has of one series.
struct FoldedSeries {
  std::vector<codec::Bucket> floats;
  std::vector<codec::HistogramBucketRow> histograms;

  bool empty() const { return floats.empty() && histograms.empty(); }
  void clear() {
    floats.clear();
    histograms.clear();
  }
};

// Replaces `out`. The samples of a bucket must all be there: a cut through it gives a part of it.
void fold_samples(const SeriesSamples& samples, const FoldOptions& options, FoldedSeries& out);
// The same from a finer level, whose resolution divides this one. Sketches are merged where there
// are any.
void fold_buckets(const FoldedSeries& finer, const FoldOptions& options, FoldedSeries& out);

}  // namespace varve::storage
