// SPDX-License-Identifier: Apache-2.0
// The log's files: one that is being written, and where the next one comes from.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "fs/file_system.h"
#include "storage/wal/log_state.h"
#include "varve/result.h"

namespace varve::storage::wal {

// The segment that is being written. Of the log's thread only.
class SegmentWriter {
 public:
  SegmentWriter(std::unique_ptr<fs::File> file, std::uint32_t id, std::uint64_t capacity_bytes)
      : file_(std::move(file)), id_(id), capacity_bytes_(capacity_bytes) {}

  // Writes a frame behind the last one. After an error the place is as before, so that the same
  // frame may be tried again there (if space was all that lacked).
  Status write(std::span<const std::string_view> parts);
  Status sync() { return file_->sync_data(); }
  // Cuts off the unused end.
  Status trim() { return file_->truncate(offset_); }

  std::uint32_t id() const { return id_; }
  std::uint64_t offset() const { return offset_; }
  // What was preallocated; frames may go beyond it.
  std::uint64_t capacity_bytes() const { return capacity_bytes_; }

 private:
  const std::unique_ptr<fs::File> file_;
  const std::uint32_t id_;
  const std::uint64_t capacity_bytes_;
  std::uint64_t offset_ = 0;
};

// Gives out segments made of spare files, and takes old ones back as spares. A spare is at least
// segment_bytes long and its blocks were written and synced, so that syncing frames in it changes
// no metadata. Thread-safe.
//
// Segments grow until what is logged between two snapshots takes four of them at most: the first
// value of a series in each segment is raw, and with a million series in segments of 16 MiB that
// was every other value.
class SegmentPool {
 public:
  // Removes files a crash left half-made. `prepare_ahead`: a thread keeps one spare ready.
  static Result<std::unique_ptr<SegmentPool>> open(fs::FileSystem& files, std::string directory,
                                                   std::uint64_t segment_bytes, bool prepare_ahead);
  ~SegmentPool();

  // The segment `id`, its name durable, its content without a frame of that id, and remembered as
  // begun. kLimitExceeded: no space, may be tried again.
  Result<std::unique_ptr<SegmentWriter>> begin(std::uint32_t id);
  // See LogOptions::without_snapshot. Remembered with the next begin().
  void forget_snapshot();
  // See Log::retire.
  Status retire(std::uint32_t before_segment, const std::vector<std::uint32_t>& corrupt,
                std::uint32_t snapshot);
  // The segment is written and synced, up to frame `seq`, and will not be continued: says so, and
  // gives back what was preallocated. kLimitExceeded: it was not said, for lack of space (of file
  // systems that write nothing in place), and the segment is as after a crash.
  Status finish(SegmentWriter& segment, std::uint64_t seq);
  std::uint64_t size_bytes() const { return size_bytes_.load(std::memory_order_relaxed); }

 private:
  SegmentPool(fs::FileSystem& files, std::string directory, std::uint64_t segment_bytes)
      : files_(files),
        directory_(std::move(directory)),
        segment_bytes_min_(segment_bytes),
        segment_bytes_(segment_bytes) {}
  std::string path(std::string_view name) const { return fs::join(directory_, name); }
  Status say(LogState state);
  Status make_spare();
  void fit_to_interval(std::uint32_t retired);
  Status drop_spares();
  Status count_bytes();
  void run();

  fs::FileSystem& files_;
  const std::string directory_;
  const std::uint64_t segment_bytes_min_;
  std::atomic<std::uint64_t> size_bytes_{0};  // of segments and spares

  // Guards what follows and the directory. Held while a spare is made: who wants one then needs it.
  std::mutex mutex_;
  std::condition_variable wake_;
  std::uint64_t segment_bytes_;     // of new spares; segments made of older ones may be smaller
  LogState state_;                  // as it was last said, or is to be said next
  std::set<std::uint32_t> spares_;  // indices of spare_name()
  std::uint32_t spares_kept_ = 0;   // what an interval between snapshots has lately taken
  bool prepare_ = false;            // the thread should make one
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace varve::storage::wal
