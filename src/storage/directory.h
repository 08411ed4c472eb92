// SPDX-License-Identifier: Apache-2.0
// The layout of a data directory and who may use it.
#pragma once

#include <memory>
#include <string>

#include "fs/file_system.h"
#include "varve/result.h"

namespace varve::storage {

// The paths of a prepared directory; holds its lock while it lives.
struct DataDirectory {
  std::string wal;   // <path>/varve/wal
  std::string head;  // <path>/varve/head
  std::unique_ptr<fs::DirectoryLock> lock;
};

// Creates what is missing, takes the lock (if asked) and checks that the directory is one this
// version reads. kUnavailable if another process has it; kInvalidArgument for one written by a newer
// version.
Result<DataDirectory> prepare_directory(fs::FileSystem& files, const std::string& path, bool lock);

}  // namespace varve::storage
