// SPDX-License-Identifier: Apache-2.0
#include "storage/head/spill_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/try.h"

namespace varve::storage::head {

Result<std::unique_ptr<SpillStore>> SpillStore::create(fs::FileSystem& files, std::string directory,
                                                       base::MemoryAccount& account) {
  VARVE_TRY(files.create_directories(directory));
  VARVE_TRY_ASSIGN(const std::vector<std::string> names, files.list(directory));
  for (const std::string& name : names) VARVE_TRY(files.remove(fs::join(directory, name)));
  return std::unique_ptr<SpillStore>(new SpillStore(files, std::move(directory), account));
}

SpillStore::~SpillStore() { account_.release(charged_); }

std::string SpillStore::file_path(std::uint64_t number) const {
  return fs::join(directory_, fmt::format("{:06}", number));
}

SpillPlace SpillStore::append(std::string_view bytes, unsigned tag, Timestamp newest_ms) {
  VARVE_CHECK(bytes.size() <= SpillPlace::kLengthMax);
  const std::lock_guard lock(mutex_);
  // Nothing crosses the end of a file.
  const std::uint64_t left = kFileBytes - end_ % kFileBytes;
  if (bytes.size() > left) {
    pending_.append(left, '\0');
    end_ += left;
  }
  const std::uint64_t number = end_ / kFileBytes;
  if (spill_files_.empty() || spill_files_.back().number != number) {
    spill_files_.push_back({number, nullptr, newest_ms, nullptr});
  }
  SpillFile& file = spill_files_.back();
  file.newest_ms = std::max(file.newest_ms, newest_ms);
  const SpillPlace place = SpillPlace::make(end_, bytes.size(), tag);
  pending_ += bytes;
  end_ += bytes.size();
  if (pending_.size() >= std::max(kBufferBytes, retry_at_bytes_)) {
    // Kept and tried again when as much again has come; pending_bytes() tells how it stands.
    retry_at_bytes_ = write_pending().ok() ? 0 : pending_.size() + 16 * kBufferBytes;
  }
  const auto held = static_cast<std::int64_t>(pending_.capacity());
  if (held != charged_) {
    account_.charge(held - charged_);
    charged_ = held;
  }
  return place;
}

Status SpillStore::write_pending() {
  std::size_t done = 0;
  Status status;
  while (done < pending_.size()) {
    const std::uint64_t number = written_end_ / kFileBytes;
    const std::uint64_t offset = written_end_ % kFileBytes;
    const std::size_t count = std::min<std::size_t>(pending_.size() - done, kFileBytes - offset);
    auto file = std::find_if(spill_files_.begin(), spill_files_.end(),
                             [number](const SpillFile& f) { return f.number == number; });
    if (file != spill_files_.end()) {
      if (!file->file) {
        auto opened = files_.open(file_path(number), fs::OpenMode::kTruncate);
        if (!opened.ok()) {
          status = std::move(opened).error();
          break;
        }
        file->file = std::move(opened).value();
      }
      status = file->file->write_at(offset, std::string_view(pending_).substr(done, count));
      if (!status.ok()) break;
    }  // else it was dropped before it was ever written
    written_end_ += count;
    done += count;
  }
  pending_.erase(0, done);
  if (pending_.empty() && pending_.capacity() > 2 * kBufferBytes) pending_ = std::string();
  return status;
}

Status SpillStore::flush() {
  const std::lock_guard lock(mutex_);
  return write_pending();
}

Status SpillStore::read(std::uint64_t offset, std::span<char> out) const {
  std::shared_ptr<fs::File> file;
  std::size_t from_file = 0;
  {
    const std::lock_guard lock(mutex_);
    if (offset + out.size() > end_) {
      return Error(ErrorCode::kCorruption, fmt::format("head chunk at {} lies beyond the end {}",
                                                       offset, end_));
    }
    const std::uint64_t number = offset / kFileBytes;
    if (offset < written_end_) {
      if (spill_files_.empty() || number < spill_files_.front().number) {
        return Error(ErrorCode::kNotFound, "expired");
      }
      file = spill_files_[number - spill_files_.front().number].file;
      from_file = std::min<std::size_t>(out.size(), written_end_ - offset);
    }
    if (from_file < out.size()) {
      const std::size_t at = offset + from_file - written_end_;
      std::memcpy(out.data() + from_file, pending_.data() + at, out.size() - from_file);
    }
  }
  if (from_file == 0) return {};
  VARVE_TRY_ASSIGN(const std::size_t count,
                   file->read_at(offset % kFileBytes, out.first(from_file)));
  if (count != from_file) {
    return Error(ErrorCode::kCorruption,
                 fmt::format("{}: {} bytes at {} are missing", file->path(), from_file - count,
                             offset % kFileBytes + count));
  }
  return {};
}

std::shared_ptr<const fs::MappedFile> SpillStore::map(std::uint64_t offset,
                                                      std::size_t length) const {
  const std::lock_guard lock(mutex_);
  const std::uint64_t number = offset / kFileBytes;
  if (offset + length > written_end_ || spill_files_.empty() ||
      number < spill_files_.front().number) {
    return nullptr;
  }
  const SpillFile& file = spill_files_[number - spill_files_.front().number];
  if (file.mapped == nullptr || file.mapped->bytes().size() < offset % kFileBytes + length) {
    auto mapped = files_.map(file_path(number));
    if (!mapped.ok()) return nullptr;
    file.mapped = std::move(mapped).value();
  }
  return file.mapped->bytes().size() < offset % kFileBytes + length ? nullptr : file.mapped;
}

void SpillStore::drop_before(Timestamp time_ms) {
  std::vector<std::uint64_t> dropped;
  {
    const std::lock_guard lock(mutex_);
    // The last file is being written; it goes when it is full.
    while (spill_files_.size() > 1 && spill_files_.front().newest_ms < time_ms &&
           (spill_files_.front().number + 1) * kFileBytes <= written_end_) {
      dropped.push_back(spill_files_.front().number);
      spill_files_.pop_front();
    }
  }
  // A scratch file that cannot be removed now is removed when the database opens next.
  for (const std::uint64_t number : dropped) (void)files_.remove(file_path(number)).ok();
}

std::size_t SpillStore::pending_bytes() const {
  const std::lock_guard lock(mutex_);
  return pending_.size();
}

std::uint64_t SpillStore::size_bytes() const {
  const std::lock_guard lock(mutex_);
  return spill_files_.empty() ? 0 : end_ - spill_files_.front().number * kFileBytes;
}

bool SpillStore::full() const {
  const std::lock_guard lock(mutex_);
  return end_ + 2 * kFileBytes >= (std::uint64_t{1} << 40);
}

Timestamp SpillStore::oldest_file_newest_ms() const {
  const std::lock_guard lock(mutex_);
  return spill_files_.empty() ? TimeRange::all().max_ms : spill_files_.front().newest_ms;
}

}  // namespace varve::storage::head
