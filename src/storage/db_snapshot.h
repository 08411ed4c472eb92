// SPDX-License-Identifier: Apache-2.0
// A copy of the database on request: a data directory of its own, which shares the blocks by links
// and so costs little space.
#pragma once

#include <string>

#include "storage/engine.h"
#include "varve/result.h"

namespace varve::storage {

// See Db::snapshot(); the name is as Prometheus makes them. By one thread at a time (maintenance).
Result<std::string> take_db_snapshot(const Engine& engine, bool skip_head);

// Removes what a crash left of unfinished snapshots.
Status clean_db_snapshots(fs::FileSystem& files, const DataDirectory& directory);

}  // namespace varve::storage
