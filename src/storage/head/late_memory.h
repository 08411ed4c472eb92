// SPDX-License-Identifier: Apache-2.0
// What late samples of one series hold, for the account of the side store. For the shard's files.
#pragma once

#include <cstdint>
#include <vector>

#include "varve/query.h"
#include "varve/sample.h"

namespace varve::storage::head {

inline std::int64_t memory_of(const Sample&) { return sizeof(Sample); }
inline std::int64_t memory_of(const HistogramPoint& point) {
  const Histogram& h = *point.histogram;
  const std::size_t spans = h.positive_spans.capacity() + h.negative_spans.capacity();
  const std::size_t numbers =
      h.positive_counts.capacity() + h.negative_counts.capacity() + h.custom_bounds.capacity();
  return static_cast<std::int64_t>(sizeof(HistogramPoint) + sizeof(Histogram) +
                                   spans * sizeof(HistogramSpan) + numbers * sizeof(double));
}
template <typename Entry>
std::int64_t memory_of(const std::vector<Entry>& entries) {
  std::int64_t bytes = 0;
  for (const Entry& entry : entries) bytes += memory_of(entry);
  return bytes;
}

}  // namespace varve::storage::head
