// SPDX-License-Identifier: Apache-2.0
// The layout of a data directory and who may use it.
#pragma once

#include <memory>
#include <string>

#include "fs/file_system.h"
#include "varve/result.h"

namespace varve::storage {

// The paths of a prepared directory; holds its lock while it lives. See FORMAT.md.
struct DataDirectory {
  std::string wal;        // <path>/varve/wal
  std::string head;       // <path>/varve/head
  std::string snap;       // <path>/varve/snap
  std::string dense;      // <path>/varve/dense
  std::string manifest;   // <path>/varve/MANIFEST, a file
  std::string identity;   // <path>/varve/IDENTITY, a file: a copy of the MANIFEST without blocks
  std::string reserve;    // <path>/varve/reserve, a file
  std::string holds;      // <path>/varve/HOLDS, a file; none if nothing was ever held
  std::string snapshots;  // <path>/snapshots
  std::unique_ptr<fs::DirectoryLock> lock;
  std::string repaired;  // what `repair` went on without, for the log; empty: nothing
};

// Only the names; touches nothing.
DataDirectory directory_paths(const std::string& path);

// Creates what is missing, takes the lock (if asked) and checks that the directory is one this
// version reads. kUnavailable if another process has it; kInvalidArgument for one written by a
// newer version or by another program; kCorruption if its VERSION is missing or damaged, unless
// `repair`.
Result<DataDirectory> prepare_directory(fs::FileSystem& files, const std::string& path, bool lock,
                                        bool repair = false);

// An empty data directory at `path`, for a snapshot to be put into; synced.
Result<DataDirectory> create_directory(fs::FileSystem& files, const std::string& path);

// Removes a directory and everything in it.
Status remove_tree(fs::FileSystem& files, const std::string& path);
// Bytes of the files in a directory, without those in directories inside; 0 if it is not there.
Result<std::uint64_t> files_bytes(fs::FileSystem& files, const std::string& directory);

}  // namespace varve::storage
