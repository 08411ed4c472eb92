// SPDX-License-Identifier: Apache-2.0
// A MANIFEST that is missing, or that has lost lines. Its first line has the secret that names
// series: without it blocks cannot be joined with anything that comes. Others say what the blocks
// do not: up to where they replace the log, and what has gone of whom, without which deleted
// samples would come back out of the log and buckets be made anew of what is left. So a copy of all
// that is kept beside it.
#pragma once

#include <optional>
#include <string>

#include "base/log.h"
#include "fs/file_system.h"
#include "storage/directory.h"
#include "storage/manifest.h"
#include "varve/result.h"

namespace varve::storage {

// Makes the copy at `path` say what `state` does. What is logged: that it was damaged, or missing
// though `expected`; that it cannot be written, which is no error, as nothing needs it yet.
void keep_identity(fs::FileSystem& files, const std::string& path, const ManifestState& state,
                   bool expected, base::Logger& log);

// What the copy says beside the first line, for a MANIFEST that has lost others. nullopt: there is
// none that is whole and of the same database.
std::optional<ManifestState> kept_state(fs::FileSystem& files, const std::string& path,
                                        const ManifestState& own);

// Whether the directory has blocks that a MANIFEST must list.
Result<bool> has_blocks(fs::FileSystem& files, const DataDirectory& directory);

// The error to refuse with, saying what to do about `why`: that there is no MANIFEST, or no first
// line.
Error unreadable_manifest(fs::FileSystem& files, const DataDirectory& directory, Error why);

// What --repair goes on with: all lines behind the first that can be read, if any, with `why` as
// damage, so that blocks which they do not list are taken in. kCorruption, saying what to do, if
// the blocks that are there fit neither the copy nor what can be made out of the first line.
Result<ManifestReading> rebuilt_manifest(fs::FileSystem& files, const DataDirectory& directory,
                                         Error why, Timestamp now_ms);

}  // namespace varve::storage
