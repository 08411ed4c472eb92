// SPDX-License-Identifier: Apache-2.0
// The engine's one log. Writers stage records in buffers of their own (records.h); the log's thread
// gathers them into a frame, writes it, syncs it and tells who waited. While one frame syncs the
// next one fills: no delay is ever added for anyone who waits. What nobody waits for (scrapes and
// rules, which are acknowledged to no one) is gathered for some milliseconds, then written, so that
// it outlives the process, and synced a little later together with what comes behind it: a frame
// for every scrape was a tenth of what scraping cost, and a sync a fifth. FORMAT.md describes the
// files.
//
// Failure. The log has two bad states, both seen at once through healthy() and status():
//  - stalled: the disk is full. The frame that did not get through stays in memory, those who wait
//    for it are told kUnavailable, and the same bytes are written again to the same place every
//    500 ms until there is room. That is safe: a write that fails for space was refused, not lost,
//    nothing was synced in between, and the frame's checksum keeps a half-written one from
//    replaying. Nothing that memory holds goes missing; the writer's retry is a duplicate.
//  - failed: any other error of a write, or any error of a sync. What the file holds is unknown
//    and the kernel may have dropped it, so nothing is retried: every waiter and every later append
//    gets the first error, for good. Reading goes on; a restart replays all that was acknowledged.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "storage/db.h"
#include "storage/wal/byte_buffer.h"
#include "storage/wal/position.h"
#include "varve/result.h"

namespace varve::storage::wal {

class SegmentPool;
class SegmentWriter;

// Bounds the staged bytes: a source stops taking appends (kUnavailable) while more than this waits
// to be collected. Together with what one append may add, it bounds a frame (kFramePayloadMax).
inline constexpr std::size_t kStagedBytesMax = 64 << 20;

// The parts of the frame being gathered. Lives only during FrameSource::collect.
class FrameBuilder {
 public:
  // An empty buffer with warm capacity, to put in the place of the one taken.
  ByteBuffer fresh_buffer();
  // Empty buffers are welcome (and kept for reuse). Order of the calls is kept among runs.
  void add_run(std::uint32_t shard, ByteBuffer staged);
  // At most once, after all runs were taken, so that a series' record stands in the same frame as
  // its first sample or an earlier one. The frame puts it first.
  void add_series(ByteBuffer staged);

 private:
  friend class Log;
  void reset();
  struct Run {
    std::uint32_t shard = 0;
    ByteBuffer bytes;
  };
  std::vector<Run> runs_;
  ByteBuffer series_;
  std::vector<ByteBuffer> spare_;
};

// Who stages. Implemented by the write path.
class FrameSource {
 public:
  virtual ~FrameSource() = default;
  // On the log's thread. For each shard, under that shard's lock: takes the staged bytes (leaving a
  // fresh_buffer()) and tells the shard that what it stages from now on belongs to frame `next`,
  // then gives the taken bytes to `out`; the series buffer last. An append's ticket is the largest
  // frame any of its records was staged for.
  virtual void collect(const FramePosition& next, FrameBuilder& out) = 0;
};

struct LogOptions {
  std::string directory;  // exists
  SyncMode sync = SyncMode::kAlways;
  std::chrono::milliseconds sync_interval{100};
  // How long what nobody waits for may wait for more of its kind before it is written.
  std::chrono::milliseconds unawaited_write_delay{0};
  // With kAlways: how long a written frame that nobody waits for may wait for its sync.
  std::chrono::milliseconds unawaited_sync_delay{0};
  // Preallocated size of a segment; a new one begins when 3/4 are full, a frame that still does not
  // fit makes it longer.
  std::uint64_t segment_bytes = 16 << 20;
  // Prepares the next segment on a thread of its own, so that zeroing it delays nobody. Off in
  // tests that count the steps of the disk.
  bool prepare_ahead = true;
  // Frames from this one up to the start are known to be empty or covered by a snapshot, though the
  // log does not hold them: the first frame written covers their numbers. 0: there are none.
  std::uint64_t covered_from_seq = 0;
  // The snapshot that the log went on behind is lost and given up: from now on it is not missed.
  bool without_snapshot = false;
};

// Thread-safe. Owned by the database; must be destroyed before the source. Destroying it without
// close() leaves staged records unwritten, as a crash would.
// Lock order: a shard's lock, then mutex_ (when_durable and notify may be called under either).
class Log {
 public:
  // Begins a new segment at `start`, which recovery determined (Recovered::next). Nothing already
  // in the directory is changed, except that spare files are reused. If there is no space for the
  // segment, the log begins stalled. `logger` and `metrics` must outlive it.
  static Result<std::unique_ptr<Log>> open(LogOptions options, const FramePosition& start,
                                           fs::FileSystem& files, base::Logger& logger,
                                           base::MetricsRegistry& metrics);
  ~Log();

  // Once. What is staged before the first collect belongs to the frame open() was given.
  void start(FrameSource& source);
  // Something was staged.
  void notify();
  // Something was staged that nobody waits for yet.
  void notify_soon();

  bool healthy() const { return healthy_.load(std::memory_order_acquire); }
  // Whether the log's thread still calls FrameSource::collect: not while stalled, after a failure,
  // or once close() has gathered the last frame.
  bool collecting() const { return healthy() && !ended_.load(std::memory_order_acquire); }
  // The reason while not healthy: kUnavailable, naming file and errno.
  Status status() const;

  // `done` gets OK once the frame is durable (sync modes interval and off: written), or
  // kUnavailable. Called on the log's thread, or before returning; must be short and not block, and
  // must not be called with a lock that collect() takes if `done` takes it too. At most
  // kWaitersMax wait; one more gets kLimitExceeded.
  static constexpr std::size_t kWaitersMax = 1 << 16;
  void when_durable(std::uint64_t seq, std::function<void(Status)> done);
  Status wait_durable(std::uint64_t seq);
  // The newest frame that is durable, in the sense of when_durable.
  std::uint64_t durable_seq() const { return durable_seq_.load(std::memory_order_acquire); }

  // Segments below `before_segment` are not needed any more: recycled, deleted if there are enough
  // spares, or, where recovery found them corrupt, renamed to *.corrupt. `snapshot`, the number of
  // the one that holds what they had, is remembered, so that its loss is known for what it is.
  Status retire(std::uint32_t before_segment, const std::vector<std::uint32_t>& corrupt = {},
                std::uint32_t snapshot = 0);
  // Bytes of frames written since open().
  std::uint64_t written_bytes() const { return written_bytes_.load(std::memory_order_relaxed); }
  // Bytes of all segments, used or preallocated.
  std::uint64_t size_bytes() const;

  // Writes and syncs what is staged, in every mode, then ends the thread. The log's error if it
  // has one. Idempotent.
  Status close();

 private:
  struct Metrics;
  struct Waiter {
    std::uint64_t seq;
    std::function<void(Status)> done;
  };
  Log(LogOptions options, const FramePosition& start, base::Logger& logger);

  void run();
  void sleep(std::unique_lock<std::mutex>& lock);
  void turn(bool closing);
  void finish();
  bool commit_pending();
  bool sync_and_publish();
  bool sync_can_wait();
  Status write_pending();
  Status begin_segment(std::uint32_t id);
  Status sync();
  void publish(std::uint64_t seq);
  void set_error(const Error& error, bool final);
  void clear_stall();
  void fail_waiters(const Error& error);

  const LogOptions options_;
  base::Logger& logger_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<SegmentPool> pool_;
  FrameSource* source_ = nullptr;

  // Of the log's thread only.
  std::unique_ptr<SegmentWriter> segment_;  // nullptr: no space yet for the first one
  FramePosition filling_;         // where what is staged now will go
  std::uint64_t first_unwritten_;  // frames from here on, if empty, are covered by the next one
  std::uint64_t last_frame_bytes_ = 0;
  FrameBuilder builder_;
  std::optional<FramePosition> pending_;  // gathered in builder_, not written yet
  bool unsynced_ = false;
  std::uint64_t written_seq_ = 0;  // durable but for the sync
  std::chrono::steady_clock::time_point unsynced_since_{};
  bool finishing_ = false;
  bool failed_ = false;  // error_ is for good
  std::chrono::steady_clock::time_point last_sync_{};

  std::atomic<bool> healthy_{true};
  std::atomic<bool> notified_{false};
  std::atomic<bool> gathering_{false};  // gather_until_ is set, or about to be
  std::atomic<bool> ended_{false};  // the thread gathers no more
  std::atomic<std::uint64_t> durable_seq_{0};
  std::atomic<std::uint64_t> written_bytes_{0};
  mutable std::mutex mutex_;  // guards everything below
  std::condition_variable wake_;
  std::vector<Waiter> waiters_;
  // Up to here frames are written and wait for their sync until somebody wants it, or for their
  // time.
  std::uint64_t sync_deferred_seq_ = 0;
  // When what nobody waits for is to be written; the maximum: there is none.
  std::chrono::steady_clock::time_point gather_until_ =
      std::chrono::steady_clock::time_point::max();
  std::optional<Error> error_;
  bool closing_ = false;  // collect once more, then end
  bool killed_ = false;   // end now
  bool closed_ = false;   // the thread has written its last
  std::thread thread_;
};

}  // namespace varve::storage::wal
