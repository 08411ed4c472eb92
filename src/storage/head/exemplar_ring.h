// SPDX-License-Identifier: Apache-2.0
// The newest exemplars of all series, in one ring of fixed size: a new one overwrites the oldest,
// whoever it belonged to. The rules are Prometheus's (tsdb/exemplar.go).
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "storage/querier.h"
#include "storage/write_batch.h"
#include "varve/labels.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::storage::head {

// Thread-safe. Memory: what `capacity` exemplars hold, each with at most kLabelCharsMax characters
// of labels.
class ExemplarRing {
 public:
  // OpenMetrics 1.0: UTF-8 characters of all names and values together.
  static constexpr std::size_t kLabelCharsMax = 128;

  // 0: exemplars are off; add() takes nothing and says so with kDuplicate.
  explicit ExemplarRing(std::size_t capacity);

  enum class Added : std::uint8_t {
    kAdded,      // must be logged
    kDuplicate,  // equal to the newest of the series; ignored without a word
  };
  // kOutOfOrder: before the newest of its series in the order of time, value, labels;
  // kInvalidArgument: labels too long. The texts are Prometheus's.
  Result<Added> add(SeriesId series, const ExemplarSample& exemplar);

  // For each of `series` the exemplars in `range`, oldest first; out.size() == series.size().
  std::vector<std::vector<ExemplarPoint>> query(std::span<const SeriesId> series,
                                                TimeRange range) const;

  // All that are held, in the order in which they were added.
  std::vector<std::pair<SeriesId, ExemplarPoint>> all() const;

  // Exemplars held, series that have any, and the time of the oldest and newest slot.
  struct Stats {
    std::size_t exemplars = 0;
    std::size_t series = 0;
    Timestamp oldest_ms = 0;
    Timestamp newest_ms = 0;
  };
  Stats stats() const;
  std::size_t capacity() const { return capacity_; }
  // What it holds on the heap, about.
  std::size_t memory_bytes() const;

 private:
  static constexpr std::uint32_t kNoSlot = 0xffffffff;
  struct Slot {
    SeriesId series = SeriesId::kNone;  // kNone: free
    std::uint32_t newer = kNoSlot;      // the next exemplar of the same series
    ExemplarPoint point;
  };
  struct Chain {
    std::uint32_t oldest = kNoSlot;
    std::uint32_t newest = kNoSlot;
  };
  void evict(std::uint32_t slot);

  const std::size_t capacity_;
  mutable std::mutex mutex_;  // guards everything below
  std::vector<Slot> slots_;   // grows up to capacity_
  std::size_t next_ = 0;      // the slot written next
  std::size_t label_bytes_ = 0;
  std::unordered_map<SeriesId, Chain> chains_;
};

}  // namespace varve::storage::head
