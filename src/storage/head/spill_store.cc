// SPDX-License-Identifier: Apache-2.0
#include "storage/head/spill_store.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/release_memory.h"
#include "base/try.h"

namespace varve::storage::head {

namespace {

std::optional<std::uint64_t> parse_number(std::string_view name) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (name.size() < 6 || error != std::errc() || end != name.data() + name.size()) return {};
  return number;
}

std::uint32_t checksum_of(std::string_view bytes) {
  return static_cast<std::uint32_t>(XXH3_64bits(bytes.data(), bytes.size()));
}

}  // namespace

Result<std::unique_ptr<SpillStore>> SpillStore::create(fs::FileSystem& files, std::string directory,
                                                       base::MemoryAccount& account) {
  VARVE_TRY(files.create_directories(directory));
  VARVE_TRY_ASSIGN(const std::vector<std::string> names, files.list(directory));
  std::unique_ptr<SpillStore> store(new SpillStore(files, std::move(directory), account));
  std::uint64_t next = 0;
  for (const std::string& name : names) {
    const auto number = parse_number(name);
    if (!number) continue;  // not ours, or set aside for people
    store->found_.push_back(*number);
    next = std::max(next, *number + 1);
  }
  store->end_ = next * kFileBytes;
  store->written_end_ = store->end_;
  return store;
}

Result<std::vector<SpillFileInfo>> SpillStore::found() const {
  const std::lock_guard lock(mutex_);
  std::vector<SpillFileInfo> out;
  for (const std::uint64_t number : found_) {
    VARVE_TRY_ASSIGN(const std::uint64_t bytes, files_.size(file_path(number)));
    out.push_back({number, bytes, TimeRange::all().max_ms});
  }
  return out;
}

Result<std::vector<Error>> SpillStore::adopt(std::span<const SpillFileInfo> needed) {
  std::vector<Error> wrong;
  const std::lock_guard lock(mutex_);
  VARVE_CHECK(spill_files_.empty());
  for (const SpillFileInfo& info : needed) {
    const std::string path = file_path(info.number);
    std::erase(found_, info.number);
    auto file = files_.open_read(path);
    if (!file.ok()) {
      wrong.push_back(std::move(file).error());
      continue;
    }
    VARVE_TRY_ASSIGN(const std::uint64_t size, (*file)->size());
    if (size < info.bytes) {
      wrong.emplace_back(ErrorCode::kCorruption,
                         fmt::format("{}: {} bytes long, {} were written", path, size, info.bytes));
    }
    spill_files_.push_back({.number = info.number,
                            .file = std::move(*file),
                            .bytes = std::min(size, info.bytes),
                            .newest_ms = info.newest_ms,
                            .dirty = false,
                            .mapped = nullptr});
  }
  std::sort(spill_files_.begin(), spill_files_.end(),
            [](const SpillFile& a, const SpillFile& b) { return a.number < b.number; });
  for (const std::uint64_t number : found_) VARVE_TRY(files_.remove(file_path(number)));
  found_.clear();
  return wrong;
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
  const std::size_t stored = SpillPlace::kChecksumBytes + bytes.size();
  if (stored > left) {
    pending_.append(left, '\0');
    end_ += left;
  }
  const std::uint64_t number = end_ / kFileBytes;
  if (spill_files_.empty() || spill_files_.back().number != number) {
    spill_files_.push_back({.number = number,
                            .file = nullptr,
                            .bytes = 0,
                            .newest_ms = newest_ms,
                            .dirty = false,
                            .mapped = nullptr});
  }
  SpillFile& file = spill_files_.back();
  file.newest_ms = std::max(file.newest_ms, newest_ms);
  const SpillPlace place = SpillPlace::make(end_ % kOffsets, bytes.size(), tag);
  const std::uint32_t checksum = checksum_of(bytes);
  pending_.append(reinterpret_cast<const char*>(&checksum), sizeof checksum);
  pending_ += bytes;
  end_ += stored;
  file.bytes = end_ - number * kFileBytes;
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
    SpillFile* const file = find(number);
    if (file != nullptr) {
      if (!file->file) {
        auto opened = files_.open(file_path(number), fs::OpenMode::kTruncate);
        if (!opened.ok()) {
          status = std::move(opened).error();
          break;
        }
        file->file = std::move(opened).value();
        names_dirty_ = true;
      }
      file->dirty = true;
      status = file->file->write_at(offset, std::string_view(pending_).substr(done, count));
      if (!status.ok()) break;
    }  // else it was dropped before it was ever written
    written_end_ += count;
    done += count;
  }
  pending_.erase(0, done);
  if (pending_.empty() && pending_.capacity() > 2 * kBufferBytes) base::release_memory(pending_);
  return status;
}

Status SpillStore::flush() {
  const std::lock_guard lock(mutex_);
  return write_pending();
}

// The position at or before the end that an offset stands for.
std::uint64_t SpillStore::position_of(std::uint64_t offset) const {
  return end_ - ((end_ - offset) & (kOffsets - 1));
}

const SpillStore::SpillFile* SpillStore::find(std::uint64_t number) const {
  const auto at =
      std::lower_bound(spill_files_.begin(), spill_files_.end(), number,
                       [](const SpillFile& file, std::uint64_t n) { return file.number < n; });
  return at != spill_files_.end() && at->number == number ? &*at : nullptr;
}

bool SpillStore::held(SpillPlace place) const {
  const std::lock_guard lock(mutex_);
  const std::uint64_t position = position_of(place.offset());
  const SpillFile* const file = find(position / kFileBytes);
  return file != nullptr && position % kFileBytes + place.stored_length() <= file->bytes;
}

Result<std::string_view> SpillStore::verify(SpillPlace place, std::string_view stored) {
  VARVE_CHECK(stored.size() == place.stored_length());
  std::uint32_t checksum = 0;
  static_assert(sizeof checksum == SpillPlace::kChecksumBytes);
  std::memcpy(&checksum, stored.data(), sizeof checksum);
  const std::string_view bytes = stored.substr(sizeof checksum);
  const std::uint32_t computed = checksum_of(bytes);
  if (computed == checksum) return bytes;
  return Error(ErrorCode::kCorruption,
               fmt::format("head chunk at {}: checksum mismatch (stored {:08x}, computed {:08x})",
                           place.offset(), checksum, computed));
}

Result<std::string_view> SpillStore::read(SpillPlace place, std::vector<char>& scratch) const {
  scratch.resize(place.stored_length());
  VARVE_TRY(read_stored(place.offset(), scratch));
  return verify(place, {scratch.data(), scratch.size()});
}

Status SpillStore::read_stored(std::uint64_t offset, std::span<char> out) const {
  std::shared_ptr<fs::File> file;
  std::size_t from_file = 0;
  {
    const std::lock_guard lock(mutex_);
    const std::uint64_t position = position_of(offset);
    if (position + out.size() > end_) {
      return Error(ErrorCode::kCorruption,
                   fmt::format("head chunk at {} lies beyond the end {}", position, end_));
    }
    if (position < written_end_) {
      const SpillFile* const found = find(position / kFileBytes);
      if (found == nullptr) return Error(ErrorCode::kNotFound, "expired");
      file = found->file;
      from_file = std::min<std::size_t>(out.size(), written_end_ - position);
    }
    if (from_file < out.size()) {
      const std::size_t at = position + from_file - written_end_;
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

std::shared_ptr<const fs::MappedFile> SpillStore::map(SpillPlace place) const {
  const std::lock_guard lock(mutex_);
  const std::uint64_t position = position_of(place.offset());
  const SpillFile* const file = find(position / kFileBytes);
  if (file == nullptr || position + place.stored_length() > written_end_) return nullptr;
  const std::uint64_t end = position % kFileBytes + place.stored_length();
  if (file->mapped == nullptr || file->mapped->bytes().size() < end) {
    auto mapped = files_.map(file_path(file->number));
    if (!mapped.ok()) return nullptr;
    file->mapped = std::move(mapped).value();
  }
  return file->mapped->bytes().size() < end ? nullptr : file->mapped;
}

void SpillStore::drop_before(Timestamp time_ms) {
  const std::lock_guard lock(mutex_);
  // The file that is being written goes when it is full. A file may hold older samples than one
  // before it, as what series are late with is closed late.
  std::erase_if(spill_files_, [&](const SpillFile& file) {
    const bool drops = file.newest_ms < time_ms && (file.number + 1) * kFileBytes <= written_end_;
    if (drops) dropped_.push_back(file.number);
    return drops;
  });
}

Status SpillStore::remove_dropped() {
  std::vector<std::uint64_t> dropped;
  {
    const std::lock_guard lock(mutex_);
    dropped.swap(dropped_);
  }
  Status status;
  for (const std::uint64_t number : dropped) {
    // One that cannot be removed now is removed when the database opens next.
    Status removed = files_.remove(file_path(number));
    if (!removed.ok() && removed.error().code() != ErrorCode::kNotFound && status.ok()) {
      status = std::move(removed);
    }
  }
  return status;
}

bool SpillStore::has_dropped() const {
  const std::lock_guard lock(mutex_);
  return !dropped_.empty();
}

Result<std::vector<SpillFileInfo>> SpillStore::sync() {
  std::vector<std::shared_ptr<fs::File>> dirty;
  std::vector<SpillFileInfo> held;
  bool names_dirty = false;
  {
    const std::lock_guard lock(mutex_);
    if (sync_error_) return *sync_error_;
    VARVE_TRY(write_pending());
    for (SpillFile& file : spill_files_) {
      if (std::exchange(file.dirty, false)) dirty.push_back(file.file);
      held.push_back({file.number, file.bytes, file.newest_ms});
    }
    names_dirty = std::exchange(names_dirty_, false);
  }
  Status status;
  for (const auto& file : dirty) {
    if (status.ok()) status = file->sync_data();
  }
  if (status.ok() && names_dirty) status = files_.sync_directory(directory_);
  if (status.ok()) return held;
  const std::lock_guard lock(mutex_);
  sync_error_ = status.error();
  return std::move(status).error();
}

std::size_t SpillStore::pending_bytes() const {
  const std::lock_guard lock(mutex_);
  return pending_.size();
}

std::uint64_t SpillStore::size_bytes() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t bytes = 0;
  for (const SpillFile& file : spill_files_) bytes += file.bytes;
  return bytes;
}

bool SpillStore::full() const {
  const std::lock_guard lock(mutex_);
  return !spill_files_.empty() &&
         end_ - spill_files_.front().number * kFileBytes + 2 * kFileBytes >= kOffsets;
}

Timestamp SpillStore::oldest_file_newest_ms() const {
  const std::lock_guard lock(mutex_);
  return spill_files_.empty() ? TimeRange::all().max_ms : spill_files_.front().newest_ms;
}

}  // namespace varve::storage::head
