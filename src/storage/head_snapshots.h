// SPDX-License-Identifier: Apache-2.0
// Snapshots of the head while it is written to: they bound by size what recovery has to replay, and
// let the log's segments and the head's files be used again. Each shard is copied between two
// frames of the log, one after the other, and the snapshot says for each behind which frame the log
// goes on. The layout is in head/FORMAT.md, "Snapshot".
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "fs/file_system.h"
#include "storage/head/head.h"
#include "storage/head/snapshot_file.h"
#include "storage/recovery.h"
#include "storage/wal/log.h"
#include "storage/write_path.h"
#include "varve/result.h"

namespace varve::storage {

// Not thread-safe: the thread of maintenance's, and whoever closes the database after it.
class HeadSnapshots {
 public:
  // The references must outlive it. `recovered` is what opening found.
  HeadSnapshots(fs::FileSystem& files, std::string directory, head::Head& head,
                WritePath& write_path, wal::Log& log, const Recovery& recovered,
                std::uint64_t log_bytes_min, const base::Clock& clock, base::Logger& logger,
                base::MetricsRegistry& metrics);

  // The log has grown by twice what the last snapshot has, or files wait to be removed. After a
  // failure not before a time that doubles from a second to a minute.
  bool due() const;
  // A snapshot would make the next start quicker than replaying what the log has.
  bool worthwhile() const;

  // Takes one, durable on return; then lets go of what it makes needless. After an error the one
  // before is still in force. kLimitExceeded, before anything is written, if it would not fit on
  // the disk. Memory: what one shard of 32 has, three times over.
  Status take();
  // There is room again: due() need not wait.
  void retry_now() { retry_at_ = {}; }

 private:
  // A piece of a snapshot with the labels of the series [first, end).
  struct SeriesPiece {
    std::uint64_t first = 0, end = 0;  // ids
    std::uint32_t count = 0;           // of series in it
    std::uint32_t bytes = 0;           // in the file, with its header
    std::uint64_t offset = 0;
    bool whole = false;  // not so small that it should be made one with its neighbours
  };

  Status check_space() const;
  Status write(head::SnapshotWriter& writer, std::uint32_t& first_segment);
  Status add_columns(head::SnapshotWriter& writer);
  Status add_series(head::SnapshotWriter& writer, std::uint32_t& next_id);
  Status add_series(head::SnapshotWriter& writer, const index::HeadIndex& index,
                    std::uint64_t begin, std::uint64_t end);
  Result<bool> reuse(head::SnapshotWriter& writer, const fs::File& before,
                     const SeriesPiece& piece);
  Status add_sides(head::SnapshotWriter& writer);
  void let_go(std::uint32_t first_segment);

  fs::FileSystem& files_;
  const std::string directory_;
  head::Head& head_;
  WritePath& write_path_;
  wal::Log& log_;
  const base::Clock& clock_;
  base::Logger& logger_;

  const std::uint64_t log_bytes_min_;  // Options::snapshot_log_bytes
  std::uint32_t number_;               // of the last one; 0: there is none
  std::vector<std::uint32_t> damaged_;  // snapshots that recovery could not read whole
  std::vector<std::uint32_t> damaged_segments_;
  std::uint64_t bytes_;                // of the last one
  // Of the last one, if this process wrote it, by id. Series do not change: what has the same as
  // last time is copied. To write all labels anew was half the work of a snapshot.
  std::vector<SeriesPiece> series_pieces_;
  std::vector<SeriesPiece> fresh_series_pieces_;  // of the one being written
  std::uint64_t log_bytes_before_;     // in the log when it opened, behind the last snapshot
  std::uint64_t written_before_ = 0;   // Log::written_bytes() when the last one began

  unsigned failures_ = 0;                // since the last one
  std::chrono::nanoseconds retry_at_{};  // by the monotonic clock

  base::Counter& taken_;
  base::Counter& failed_;
  base::Counter& written_bytes_;
  base::HistogramMetric& seconds_;
};

}  // namespace varve::storage
