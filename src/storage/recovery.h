// SPDX-License-Identifier: Apache-2.0
// From snapshot and log back into memory: what a database does before it takes its first sample.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/log.h"
#include "fs/file_system.h"
#include "storage/db.h"
#include "storage/directory.h"
#include "storage/head/head.h"
#include "storage/manifest.h"
#include "storage/wal/position.h"

namespace varve::storage {

// The snapshot that recovery began with.
struct RecoveredSnapshot {
  std::uint32_t number = 0;  // 0: there was none
  std::uint64_t bytes = 0;
  std::vector<std::uint32_t> damaged;  // snapshots of which some or all could not be read
};

struct Recovery {
  Db::RecoveryReport report;
  wal::FramePosition next;             // where the log goes on
  std::uint64_t covered_from_seq = 0;  // LogOptions::covered_from_seq
  RecoveredSnapshot snapshot;
  bool without_snapshot = false;       // LogOptions::without_snapshot
  std::vector<std::uint32_t> damaged_segments;  // of the log
  std::uint64_t replayed_bytes = 0;             // of the log
};

// Fills an empty head from the newest snapshot and the log behind it, on up to `threads` threads,
// without what `cut` says is in blocks. Damage is logged and counted, not an error, but for a
// snapshot that is missing (kCorruption unless `repair`); kIo if a file cannot be read or a
// directory not be changed. Files of the head that nothing refers to are removed.
Result<Recovery> recover(const DataDirectory& directory, fs::FileSystem& files, std::size_t threads,
                         const std::optional<HeadCut>& cut, bool repair, head::Head& head,
                         base::Logger& log);

}  // namespace varve::storage
