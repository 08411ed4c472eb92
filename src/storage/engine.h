// SPDX-License-Identifier: Apache-2.0
// What the parts of maintenance work on. Owned by the database, which outlives them.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "fs/file_system.h"
#include "storage/block_store.h"
#include "storage/db.h"
#include "storage/directory.h"
#include "storage/head/head.h"
#include "storage/head_snapshots.h"
#include "storage/keeping.h"
#include "storage/limits.h"
#include "storage/version_stamps.h"
#include "storage/wal/log.h"
#include "storage/write_path.h"

namespace varve::storage {

struct Engine {
  const Options& options;
  const Limits& limits;
  const CurrentKeeping& keeping;
  fs::FileSystem& files;
  const DataDirectory& directory;
  const base::Clock& clock;
  base::Logger& log;
  base::MetricsRegistry& metrics;
  head::Head& head;
  WritePath& write_path;
  wal::Log& wal;
  BlockStore& blocks;
  VersionStamps& stamps;
  HeadSnapshots& head_snapshots;
  const std::atomic<bool>& stop;  // set: long work gives up with kCanceled
};

}  // namespace varve::storage
