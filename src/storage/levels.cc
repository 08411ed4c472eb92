// SPDX-License-Identifier: Apache-2.0
#include "storage/levels.h"

namespace varve::storage {

void HistogramBuckets::clear() {
  ends_ms.clear();
  counts.clear();
  sums.clear();
  first_times.clear();
  last_times.clear();
  firsts.clear();
  lasts.clear();
  reset_sums.clear();
  resets.clear();
}

void SeriesBuckets::clear() {
  resolution_ms = 0;
  ends_ms.clear();
  counts.clear();
  sums.clear();
  mins.clear();
  maxs.clear();
  first_times.clear();
  last_times.clear();
  firsts.clear();
  lasts.clear();
  reset_sums.clear();
  resets.clear();
  changes.clear();
  sketches.clear();
  stale_times.clear();
  histograms.clear();
  ends_id = 0;
}

}  // namespace varve::storage
