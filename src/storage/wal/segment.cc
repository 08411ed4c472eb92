// SPDX-License-Identifier: Apache-2.0
#include "storage/wal/segment.h"

#include <algorithm>

#include "base/thread_pool.h"
#include "base/try.h"
#include "storage/wal/format.h"

namespace varve::storage::wal {

Status SegmentWriter::write(std::span<const std::string_view> parts) {
  VARVE_TRY(file_->write_at(offset_, parts));
  for (const std::string_view part : parts) offset_ += part.size();
  return {};
}

Result<std::unique_ptr<SegmentPool>> SegmentPool::open(fs::FileSystem& files, std::string directory,
                                                       std::uint64_t segment_bytes,
                                                       bool prepare_ahead) {
  std::unique_ptr<SegmentPool> pool(new SegmentPool(files, std::move(directory), segment_bytes));
  VARVE_TRY_ASSIGN(const std::vector<std::string> names, files.list(pool->directory_));
  for (const std::string& name : names) {
    if (name.ends_with(".tmp")) {
      VARVE_TRY(files.remove(pool->path(name)));
      continue;
    }
    bool spare = false;
    for (std::uint32_t index = 0; index < kSparesMax; ++index) {
      if (name != spare_name(index)) continue;
      spare = true;
      pool->spares_.insert(index);
    }
    if (!spare && !parse_segment_name(name)) continue;
    VARVE_TRY_ASSIGN(const std::uint64_t size, files.size(pool->path(name)));
    pool->size_bytes_ += size;
  }
  if (prepare_ahead) {
    pool->thread_ = std::thread([raw = pool.get()] { raw->run(); });
  }
  return pool;
}

SegmentPool::~SegmentPool() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void SegmentPool::run() {
  base::name_this_thread("varve-log-spare");
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || prepare_; });
    if (stopping_) return;
    prepare_ = false;
    // If it fails, begin() tries itself and reports.
    if (spares_.empty() && !make_spare().ok()) continue;
  }
}

Status SegmentPool::make_spare() {
  std::uint32_t index = 0;
  while (spares_.count(index) > 0) ++index;
  const std::string name = path(spare_name(index));
  const std::string staged = name + ".tmp";
  VARVE_TRY_ASSIGN(const bool leftover, files_.exists(staged));
  if (leftover) VARVE_TRY(files_.remove(staged));
  VARVE_TRY_ASSIGN(const std::unique_ptr<fs::File> file,
                   files_.open(staged, fs::OpenMode::kCreate));
  Status filled = file->fill_zero(segment_bytes_);
  if (filled.ok()) filled = file->sync_data();
  if (!filled.ok()) {
    static_cast<void>(files_.remove(staged).ok());  // gives the space back; the error is the first
    return filled;
  }
  VARVE_TRY(files_.rename(staged, name));
  size_bytes_ += segment_bytes_;
  spares_.insert(index);
  return {};
}

Result<std::unique_ptr<SegmentWriter>> SegmentPool::begin(std::uint32_t id) {
  const std::lock_guard lock(mutex_);
  const std::string name = path(segment_name(id));
  // There is one of that name if its making was interrupted: after the rename, before a frame.
  VARVE_TRY_ASSIGN(const bool there, files_.exists(name));
  if (!there) {
    if (spares_.empty()) VARVE_TRY(make_spare());
    const std::uint32_t spare = *spares_.begin();
    VARVE_TRY(files_.rename(path(spare_name(spare)), name));
    spares_.erase(spare);
  }
  VARVE_TRY_ASSIGN(std::unique_ptr<fs::File> file, files_.open(name, fs::OpenMode::kExisting));
  VARVE_TRY_ASSIGN(const std::uint64_t size, file->size());
  if (size < segment_bytes_) {
    VARVE_TRY(file->fill_zero(segment_bytes_));
    VARVE_TRY(file->sync_data());
    size_bytes_ += segment_bytes_ - size;
  }
  VARVE_TRY(files_.sync_directory(directory_));
  if (thread_.joinable()) {
    prepare_ = true;
    wake_.notify_all();
  }
  return std::make_unique<SegmentWriter>(std::move(file), id);
}

Status SegmentPool::retire(std::uint32_t before_segment,
                           const std::vector<std::uint32_t>& corrupt) {
  const std::lock_guard lock(mutex_);
  VARVE_TRY_ASSIGN(const std::vector<std::string> names, files_.list(directory_));
  bool changed = false;
  for (const std::string& name : names) {
    const auto id = parse_segment_name(name);
    if (!id || *id >= before_segment) continue;
    VARVE_TRY_ASSIGN(const std::uint64_t size, files_.size(path(name)));
    changed = true;
    if (std::find(corrupt.begin(), corrupt.end(), *id) != corrupt.end()) {
      VARVE_TRY(files_.rename(path(name), path(name) + ".corrupt"));
    } else if (spares_.size() < kSparesMax && size >= segment_bytes_ &&
               size <= 2 * segment_bytes_) {
      std::uint32_t index = 0;
      while (spares_.count(index) > 0) ++index;
      VARVE_TRY(files_.rename(path(name), path(spare_name(index))));
      spares_.insert(index);
      continue;
    } else {
      VARVE_TRY(files_.remove(path(name)));
    }
    size_bytes_ -= size;
  }
  return changed ? files_.sync_directory(directory_) : Status();
}

}  // namespace varve::storage::wal
