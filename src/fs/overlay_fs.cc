// SPDX-License-Identifier: Apache-2.0
#include "fs/overlay_fs.h"

#include <algorithm>
#include <limits>
#include <set>
#include <span>
#include <string_view>

#include "base/try.h"

namespace varve::fs {

struct OverlayFs::Content {
  std::mutex mutex;  // guards what follows
  std::string bytes;
  std::uint64_t size = 0;  // behind `bytes` up to here are zeros, which take no memory

  // Precondition of all: the mutex is held.
  void write(std::uint64_t offset, std::string_view part) {
    if (bytes.size() < offset + part.size()) bytes.resize(offset + part.size(), '\0');
    bytes.replace(offset, part.size(), part);
    size = std::max<std::uint64_t>(size, bytes.size());
  }
  std::size_t read(std::uint64_t offset, std::span<char> out) const {
    if (offset >= size) return 0;
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), size - offset));
    const std::size_t held = offset < bytes.size() ? bytes.copy(out.data(), count, offset) : 0;
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(held),
              out.begin() + static_cast<std::ptrdiff_t>(count), '\0');
    return count;
  }
};

namespace {

// A file is copied whole to be written to; nobody writes to larger ones.
constexpr std::uint64_t kCopyBytesMax = std::uint64_t{1} << 32;

Error missing(const std::string& path) { return {ErrorCode::kNotFound, path + ": not found"}; }
Error there_already(const std::string& path) {
  return {ErrorCode::kAlreadyExists, path + ": exists already"};
}

class OwnMap final : public MappedFile {
 public:
  explicit OwnMap(std::string bytes) : bytes_(std::move(bytes)) {}
  std::string_view bytes() const override { return bytes_; }

 private:
  const std::string bytes_;
};

class OwnLock final : public DirectoryLock {};

template <typename Content>
class OwnFile final : public File {
 public:
  OwnFile(std::string path, std::shared_ptr<Content> content)
      : path_(std::move(path)), content_(std::move(content)) {}

  Status append(std::string_view bytes) override {
    const std::lock_guard lock(content_->mutex);
    content_->write(content_->size, bytes);
    return {};
  }
  Status write_at(std::uint64_t offset, std::span<const std::string_view> parts) override {
    const std::lock_guard lock(content_->mutex);
    for (const std::string_view part : parts) {
      content_->write(offset, part);
      offset += part.size();
    }
    return {};
  }
  Status fill_zero(std::uint64_t size_bytes) override {
    const std::lock_guard lock(content_->mutex);
    std::string& bytes = content_->bytes;
    if (bytes.size() <= size_bytes) {
      bytes.clear();
    } else {
      std::fill_n(bytes.begin(), size_bytes, '\0');
    }
    content_->size = std::max(content_->size, size_bytes);
    return {};
  }
  Status truncate(std::uint64_t size_bytes) override {
    const std::lock_guard lock(content_->mutex);
    if (content_->bytes.size() > size_bytes) content_->bytes.resize(size_bytes);
    content_->size = size_bytes;
    return {};
  }
  Status sync_data() override { return {}; }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<char> out) const override {
    const std::lock_guard lock(content_->mutex);
    return content_->read(offset, out);
  }
  Result<std::uint64_t> size() const override {
    const std::lock_guard lock(content_->mutex);
    return content_->size;
  }
  const std::string& path() const override { return path_; }

 private:
  const std::string path_;
  const std::shared_ptr<Content> content_;
};

bool is_below(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

std::string without_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

}  // namespace

OverlayFs::OverlayFs(FileSystem& lower) : lower_(lower) {}
OverlayFs::~OverlayFs() = default;

std::string OverlayFs::below(const std::string& path) const {
  for (std::string at = path;;) {
    const auto change = changes_.find(at);
    if (change != changes_.end()) {
      const std::string& to = change->second.below;
      return to.empty() ? std::string() : to + path.substr(at.size());
    }
    const std::size_t slash = at.rfind('/');
    if (slash == std::string::npos || slash == 0) return path;
    at.resize(slash);
  }
}

Result<bool> OverlayFs::exists_now(const std::string& path) const {
  const auto change = changes_.find(path);
  if (change != changes_.end() && (change->second.content || change->second.directory)) return true;
  const std::string real = below(path);
  if (real.empty()) return false;
  return lower_.exists(real);
}

Result<std::shared_ptr<OverlayFs::Content>> OverlayFs::own_copy(const std::string& path) {
  const auto change = changes_.find(path);
  if (change != changes_.end() && change->second.content) return change->second.content;
  const std::string real = below(path);
  if (real.empty()) return missing(path);
  auto content = std::make_shared<Content>();
  VARVE_TRY_ASSIGN(content->bytes, lower_.read_file(real, kCopyBytesMax));
  content->size = content->bytes.size();
  changes_[path] = {content, false, {}};
  return content;
}

Result<std::unique_ptr<File>> OverlayFs::open(const std::string& raw, OpenMode mode) {
  const std::string path = without_slash(raw);
  const std::lock_guard lock(mutex_);
  VARVE_TRY_ASSIGN(const bool there, exists_now(path));
  if (mode == OpenMode::kCreate && there) return there_already(path);
  if (mode == OpenMode::kExisting && !there) return missing(path);
  std::shared_ptr<Content> content;
  if (mode == OpenMode::kExisting) {
    VARVE_TRY_ASSIGN(content, own_copy(path));
  } else {
    content = std::make_shared<Content>();
    changes_[path] = {content, false, {}};
  }
  return std::unique_ptr<File>(std::make_unique<OwnFile<Content>>(path, std::move(content)));
}

Result<std::unique_ptr<File>> OverlayFs::open_read(const std::string& raw) {
  const std::string path = without_slash(raw);
  const std::lock_guard lock(mutex_);
  const auto change = changes_.find(path);
  if (change != changes_.end() && change->second.content) {
    return std::unique_ptr<File>(std::make_unique<OwnFile<Content>>(path, change->second.content));
  }
  const std::string real = below(path);
  if (real.empty()) return missing(path);
  return lower_.open_read(real);
}

Result<std::unique_ptr<MappedFile>> OverlayFs::map(const std::string& raw) {
  const std::string path = without_slash(raw);
  const std::lock_guard lock(mutex_);
  const auto change = changes_.find(path);
  if (change != changes_.end() && change->second.content) {
    const std::lock_guard content_lock(change->second.content->mutex);
    Content& content = *change->second.content;
    std::string bytes(content.size, '\0');
    content.read(0, bytes);
    return std::unique_ptr<MappedFile>(std::make_unique<OwnMap>(std::move(bytes)));
  }
  const std::string real = below(path);
  if (real.empty()) return missing(path);
  return lower_.map(real);
}

Status OverlayFs::rename(const std::string& raw_from, const std::string& raw_to) {
  const std::string from = without_slash(raw_from);
  const std::string to = without_slash(raw_to);
  const std::lock_guard lock(mutex_);
  VARVE_TRY_ASSIGN(const bool there, exists_now(from));
  if (!there) return missing(from);
  Change moved;
  const auto change = changes_.find(from);
  if (change != changes_.end()) {
    moved = change->second;
  } else {
    moved.below = below(from);
  }
  std::map<std::string, Change> inside;
  for (auto it = changes_.begin(); it != changes_.end();) {
    if (is_below(it->first, from)) {
      inside[to + it->first.substr(from.size())] = it->second;
      it = changes_.erase(it);
    } else {
      it = is_below(it->first, to) ? changes_.erase(it) : std::next(it);
    }
  }
  changes_.merge(inside);
  changes_[to] = std::move(moved);
  changes_[from] = {};
  return {};
}

Status OverlayFs::link(const std::string& raw_from, const std::string& raw_to) {
  const std::string from = without_slash(raw_from);
  const std::string to = without_slash(raw_to);
  const std::lock_guard lock(mutex_);
  VARVE_TRY_ASSIGN(const bool there, exists_now(to));
  if (there) return there_already(to);
  VARVE_TRY_ASSIGN(const bool from_there, exists_now(from));
  if (!from_there) return missing(from);
  const auto change = changes_.find(from);
  const Change linked = change != changes_.end() ? change->second : Change{{}, false, below(from)};
  changes_[to] = linked;
  return {};
}

Status OverlayFs::remove(const std::string& raw) {
  const std::string path = without_slash(raw);
  const std::lock_guard lock(mutex_);
  VARVE_TRY_ASSIGN(const bool there, exists_now(path));
  if (!there) return missing(path);
  changes_[path] = {};
  return {};
}

Status OverlayFs::remove_directory(const std::string& path) { return remove(path); }

Status OverlayFs::create_directories(const std::string& raw) {
  const std::string path = without_slash(raw);
  const std::lock_guard lock(mutex_);
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    VARVE_TRY_ASSIGN(const bool there, exists_now(part));
    if (!there) changes_[part] = {{}, true, {}};
    if (slash == std::string::npos) return {};
  }
}

Status OverlayFs::sync_directory(const std::string&) { return {}; }

Result<std::vector<std::string>> OverlayFs::list(const std::string& raw) {
  const std::string directory = without_slash(raw);
  const std::lock_guard lock(mutex_);
  VARVE_TRY_ASSIGN(const bool there, exists_now(directory));
  if (!there) return missing(directory);
  std::set<std::string> names;
  if (const std::string real = below(directory); !real.empty()) {
    VARVE_TRY_ASSIGN(const std::vector<std::string> lower_names, lower_.list(real));
    names.insert(lower_names.begin(), lower_names.end());
  }
  for (const auto& [path, change] : changes_) {
    if (!is_below(path, directory)) continue;
    const std::string name = path.substr(directory.size() + 1);
    if (name.find('/') != std::string::npos) continue;
    if (change.content || change.directory || !change.below.empty()) {
      names.insert(name);
    } else {
      names.erase(name);
    }
  }
  return std::vector<std::string>(names.begin(), names.end());
}

Result<bool> OverlayFs::exists(const std::string& path) {
  const std::lock_guard lock(mutex_);
  return exists_now(without_slash(path));
}

Result<std::uint64_t> OverlayFs::size(const std::string& raw) {
  const std::string path = without_slash(raw);
  const std::lock_guard lock(mutex_);
  const auto change = changes_.find(path);
  if (change != changes_.end() && change->second.content) {
    const std::lock_guard content_lock(change->second.content->mutex);
    return change->second.content->size;
  }
  const std::string real = below(path);
  if (real.empty()) return missing(path);
  return lower_.size(real);
}

Result<std::uint64_t> OverlayFs::free_bytes(const std::string&) {
  return std::numeric_limits<std::uint64_t>::max();
}

Result<std::unique_ptr<DirectoryLock>> OverlayFs::lock_directory(const std::string&) {
  return std::unique_ptr<DirectoryLock>(std::make_unique<OwnLock>());
}

}  // namespace varve::fs
