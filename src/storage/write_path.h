// SPDX-License-Identifier: Apache-2.0
// How a sample gets in. A batch is resolved to series ids without locks, then applied shard by
// shard: under a shard's lock each sample goes into the head and is staged for the log, so that the
// log has the samples of a series in the order in which the head took them. write_series.cc is the
// first of these steps, write_shard.cc the second; write_path.cc is what joins them, and the log's
// side.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "storage/db.h"
#include "storage/head/head.h"
#include "storage/head/quiescence.h"
#include "storage/limits.h"
#include "storage/version_stamps.h"
#include "storage/wal/log.h"
#include "storage/wal/position.h"
#include "storage/wal/records.h"
#include "storage/write_batch.h"
#include "storage/write_metrics.h"

namespace varve::storage {

// A series that has been cut and may leave, if its state is still what it was then.
struct Retiring {
  SeriesId id = SeriesId::kNone;
  head::SeriesState state;
};

// Thread-safe. Lock order: the head's create_mutex, boundary_mutex_, a shard's mutex,
// series_mutex_.
// 1. A record is staged for frame p if and only if its shard's position was p at that time; the
//    ticket of a batch is the largest such p, so when it is durable the whole batch is.
// 2. A series' record is staged before its id is published, so it stands in the frame of its first
//    sample or before.
// 3. A sample that is already stored stages nothing, but its ticket still covers the frame it is
// in.
// 4. Ids are never used again: what a batch resolved to a series that was retired meanwhile is
//    resolved anew.
class WritePath final : public wal::FrameSource {
 public:
  // The log is set before the first append; everything must outlive this.
  WritePath(const Options& options, const Limits& limits, const base::Clock& clock,
            head::Head& head, VersionStamps& stamps, base::MetricsRegistry& metrics);

  void start(wal::Log& log, const wal::FramePosition& position);
  void stop() { stopped_.store(true, std::memory_order_release); }

  Result<WriteOutcome> append(const WriteBatch& batch, const AppendOptions& options);
  void when_durable(Ticket ticket, std::function<void(Status)> done);

  void collect(const wal::FramePosition& next, wal::FrameBuilder& out) override;

  // Calls visit for the shards [first, end) on the log's thread, under each one's mutex, between
  // two frames: what the shard holds then stands in frames up to and including `covered`, and
  // nothing of it in later ones. Must be short. Returns when done; kUnavailable, with some shards
  // perhaps visited, if the log has failed, is stalled or closed.
  using BoundaryVisit = std::function<void(unsigned shard, const wal::FramePosition& covered)>;
  Status visit_at_boundary(unsigned first_shard, unsigned end_shard, BoundaryVisit visit);

  // Returns when every append that began before the call has ended. Not with create_mutex.
  void wait_for_appends();

  // Deletes what these series have now in the range, in the head only. Durable with the ticket.
  Result<Ticket> delete_samples(std::span<const SeriesId> ids, TimeRange range);

  // Takes from the head those of the series that nothing has come to since, and says which: their
  // names and memory are the caller's to give back (head::Head::forget_series()). The caller holds
  // the head's create_mutex. A block has their samples, or they have none.
  std::vector<SeriesId> retire(std::span<const Retiring> series);

  std::size_t staged_bytes() const {
    return static_cast<std::size_t>(
        std::max<std::int64_t>(0, staged_bytes_.load(std::memory_order_relaxed)));
  }

 private:
  enum class Reach;
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
  std::string series_name(const SeriesEntry& entry, SeriesId id, const KeyDecoder* decoder) const;
  void resolve(const WriteBatch& batch, Scratch& scratch);
  Status create_missing(const WriteBatch& batch, Scratch& scratch, WriteOutcome& outcome);
  void append_resolved(const WriteBatch& batch, Scratch& scratch, Run& run);
  void append_retired(const WriteBatch& batch, Scratch& scratch, Run& run);
  void append_shard(const WriteBatch& batch, unsigned shard, std::span<const std::uint32_t> entries,
                    Scratch& scratch, Run& run);
  void append_floats(const WriteBatch& batch, std::uint32_t entry, SeriesId id, Run& run);
  void append_histograms(const WriteBatch& batch, std::uint32_t entry, SeriesId id,
                         Timestamp newest_before_ms, Run& run);
  void append_histogram(SeriesId id, const HistogramSample& sample, std::uint32_t entry,
                        bool from_float, Run& run);
  void append_exemplars(const WriteBatch& batch, std::uint32_t entry, SeriesId id, Run& run);
  std::string advice(Reach reach, const AppendOptions& options) const;
  void count_refusal(head::Appended result, bool histogram, Run& run, Refusal refusal);
  std::uint64_t append_metadata(const WriteBatch& batch);

  const Options& options_;
  const Limits& limits_;
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
  mutable head::Quiescence appends_;
  std::mutex wait_mutex_;  // serializes appends_.wait()

  std::mutex boundary_mutex_;  // guards what follows
  std::condition_variable boundary_passed_;
  BoundaryVisit boundary_visit_;  // asked for and not made yet
  unsigned boundary_first_ = 0;
  unsigned boundary_end_ = 0;

  WriteMetrics metrics_;
};

}  // namespace varve::storage
