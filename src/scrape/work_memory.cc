// SPDX-License-Identifier: Apache-2.0
#include "scrape/work_memory.h"

#include <utility>

namespace varve::scrape {

WorkMemory SpareWorkMemory::take() {
  const std::lock_guard lock(mutex_);
  if (spare_.empty()) return {};
  WorkMemory memory = std::move(spare_.back());
  spare_.pop_back();
  return memory;
}

void SpareWorkMemory::give(WorkMemory memory) {
  storage::WriteBatch& batch = memory.batch;
  batch.clear();
  // Rare, and of no one size.
  batch.histograms = std::vector<storage::HistogramSample>();
  batch.exemplars = std::vector<storage::ExemplarSample>();
  batch.metadata = std::vector<storage::MetadataEntry>();
  const std::size_t bytes = memory.body.capacity() +
                            batch.series.capacity() * sizeof(storage::SeriesEntry) +
                            batch.samples.capacity() * sizeof(Sample);
  if (bytes > kKeptBytesMax) return;
  const std::lock_guard lock(mutex_);
  if (spare_.size() < kKeptMax) spare_.push_back(std::move(memory));
}

}  // namespace varve::scrape
