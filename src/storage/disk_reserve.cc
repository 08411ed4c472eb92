// SPDX-License-Identifier: Apache-2.0
#include "storage/disk_reserve.h"

#include <utility>

namespace varve::storage {

void DiskReserve::hold() {
  if (held_ || bytes_ == 0) return;
  const auto there = files_.size(path_);
  if (there.ok() && *there == bytes_) {
    held_ = true;
    return;
  }
  constexpr std::uint64_t kTimes = 4;
  const auto free = files_.free_bytes(fs::parent_of(path_));
  if (!free.ok() || *free < kTimes * bytes_) return;
  auto file = files_.open(path_, fs::OpenMode::kTruncate);
  if (!file.ok()) return;
  Status filled = (*file)->fill_zero(bytes_);
  if (filled.ok()) filled = (*file)->sync_data();
  if (filled.ok()) filled = files_.sync_directory(fs::parent_of(path_));
  if (filled.ok()) {
    held_ = true;
  } else {
    (void)files_.remove(path_).ok();
  }
}

bool DiskReserve::release() {
  if (bytes_ == 0) return false;
  held_ = false;
  if (!files_.remove(path_).ok()) return false;
  (void)files_.sync_directory(fs::parent_of(path_)).ok();
  log_.warn(
      "storage: the disk is full; gave up the reserve to make room for deleting and compacting",
      {{"file", path_}, {"bytes", bytes_}});
  return true;
}

}  // namespace varve::storage
