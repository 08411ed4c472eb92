// SPDX-License-Identifier: Apache-2.0
// A MANIFEST that is missing, or whose first line cannot be read. That line has the secret that
// names series: without it blocks cannot be joined with anything that comes. So a copy of it is
// kept beside the MANIFEST, and all else can be known from the blocks themselves and the log.
#pragma once

#include <optional>

#include "base/log.h"
#include "fs/file_system.h"
#include "storage/directory.h"
#include "storage/manifest.h"
#include "varve/result.h"

namespace varve::storage {

// Makes the copy say what `state` does. That it cannot be written is logged: nothing needs it yet.
void keep_identity(fs::FileSystem& files, const DataDirectory& directory,
                   const ManifestState& state, base::Logger& log);

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
