// SPDX-License-Identifier: Apache-2.0
// How a sample gets in. A batch is resolved to series ids without locks, then applied shard by
// shard: under a shard's lock each sample goes into the head and is staged for the log, so that the
// log has the samples of a series in the order in which the head took them.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "storage/db.h"
#include "storage/head/head.h"
#include "storage/version_stamps.h"
#include "storage/wal/log.h"
#include "storage/wal/position.h"
#include "storage/wal/records.h"
#include "storage/write_batch.h"

namespace varve::storage {

// Thread-safe. Lock order: the head's create_mutex, a shard's mutex, series_mutex_.
// 1. A record is staged for frame p if and only if its shard's position was p at that time; the
//    ticket of a batch is the largest such p, so when it is durable the whole batch is.
// 2. A series' record is staged before its id is published, so it stands in the frame of its first
//    sample or before.
// 3. A sample that is already stored stages nothing, but its ticket still covers the frame it is in.
class WritePath final : public wal::FrameSource {
 public:
  // The log is set before the first append; everything must outlive this.
  WritePath(const Options& options, const base::Clock& clock, head::Head& head,
            VersionStamps& stamps, base::MetricsRegistry& metrics);

  void start(wal::Log& log, const wal::FramePosition& position);
  void stop() { stopped_.store(true, std::memory_order_release); }

  Result<WriteOutcome> append(const WriteBatch& batch, const AppendOptions& options);
  void when_durable(Ticket ticket, std::function<void(Status)> done);

  void collect(const wal::FramePosition& next, wal::FrameBuilder& out) override;

  std::size_t staged_bytes() const {
    return static_cast<std::size_t>(std::max<std::int64_t>(0, staged_bytes_.load(std::memory_order_relaxed)));
  }

 private:
  struct Refusal;
  struct Run;
  struct Scratch;
  // What one shard has for the log. Guarded by the shard's mutex.
  struct alignas(64) Staging {
    wal::RunEncoder encoder;
    wal::FramePosition position;
  };

  class Reservation;
  Status accepting(std::size_t staged_before) const;
  void resolve(const WriteBatch& batch, Scratch& scratch) const;
  Status create_missing(const WriteBatch& batch, Scratch& scratch, WriteOutcome& outcome);
  void append_shard(const WriteBatch& batch, unsigned shard, std::span<const std::uint32_t> entries,
                    Scratch& scratch, Run& run);
  void append_floats(const WriteBatch& batch, std::uint32_t entry, SeriesId id, Run& run);
  void append_histograms(const WriteBatch& batch, std::uint32_t entry, SeriesId id,
                         Timestamp newest_before_ms, Run& run);
  void append_histogram(SeriesId id, const HistogramSample& sample, std::uint32_t entry,
                        bool from_float, Run& run);
  void append_exemplars(const WriteBatch& batch, std::uint32_t entry, SeriesId id, Run& run);
  void count_refusal(head::Appended result, Run& run, Refusal refusal);
  std::uint64_t append_metadata(const WriteBatch& batch);

  const Options& options_;
  const base::Clock& clock_;
  head::Head& head_;
  VersionStamps& stamps_;
  wal::Log* log_ = nullptr;

  std::array<Staging, head::kShards> staging_;
  std::mutex series_mutex_;  // guards what follows
  wal::SeriesEncoder series_encoder_;
  wal::FramePosition series_position_;

  void count_staged(std::size_t before, std::size_t after) {
    staged_bytes_.fetch_add(static_cast<std::int64_t>(after) - static_cast<std::int64_t>(before),
                            std::memory_order_relaxed);
  }
  // Signed: a collect may take bytes that their writer has not counted yet.
  std::atomic<std::int64_t> staged_bytes_{0};
  std::atomic<bool> stopped_{false};

  base::Counter& floats_appended_;
  base::Counter& histograms_appended_;
  base::Counter& out_of_order_total_;
  base::Counter& out_of_order_histograms_total_;
  base::Counter& too_old_total_;
  base::Counter& out_of_bounds_total_;
  base::Counter& duplicates_total_;
};

}  // namespace varve::storage
