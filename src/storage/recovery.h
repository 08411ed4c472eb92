// SPDX-License-Identifier: Apache-2.0
// From the log back into memory: what a database does before it takes its first sample.
#pragma once

#include "base/log.h"
#include "fs/file_system.h"
#include "storage/db.h"
#include "storage/head/head.h"
#include "storage/wal/position.h"

namespace varve::storage {

struct Recovery {
  Db::RecoveryReport report;
  wal::FramePosition next;  // where the log goes on
};

// Replays the log in `directory` into an empty head, on up to `threads` threads. Damage is logged
// and counted, not an error; kIo if a file cannot be read.
Result<Recovery> recover(const std::string& directory, fs::FileSystem& files, std::size_t threads,
                         head::Head& head, base::Logger& log);

}  // namespace varve::storage
