// SPDX-License-Identifier: Apache-2.0
// Space that is kept for bad days: on a full disk even deleting needs some (a line in the MANIFEST,
// a new log segment), so a file of zeros waits to be given up for it.
#pragma once

#include <cstdint>
#include <string>

#include "base/log.h"
#include "fs/file_system.h"

namespace varve::storage {

// Not thread-safe.
class DiskReserve {
 public:
  // 0 bytes: none is kept.
  DiskReserve(fs::FileSystem& files, std::string path, std::uint64_t bytes, base::Logger& log)
      : files_(files), path_(std::move(path)), bytes_(bytes), log_(log) {}

  // Makes the file if it is not there and the disk has several times its size left. Never an error:
  // it is a precaution.
  void hold();
  // Gives it up; whether there was one.
  bool release();

 private:
  fs::FileSystem& files_;
  const std::string path_;
  const std::uint64_t bytes_;
  base::Logger& log_;
  bool held_ = false;
};

}  // namespace varve::storage
