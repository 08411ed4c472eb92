// SPDX-License-Identifier: Apache-2.0
#include "fs/fault_fs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <random>
#include <system_error>

#include "base/check.h"
#include "base/try.h"

namespace varve::fs {
namespace {

constexpr std::size_t kSectorBytes = 512;

Error failure(std::string_view path, std::string_view call, int error) {
  const ErrorCode code = error == ENOSPC   ? ErrorCode::kLimitExceeded
                         : error == ENOENT ? ErrorCode::kNotFound
                         : error == EEXIST ? ErrorCode::kAlreadyExists
                                           : ErrorCode::kIo;
  return Error(code, fmt::format("{}: {}: {}", path, call, std::generic_category().message(error)));
}

class StringFile final : public MappedFile {
 public:
  explicit StringFile(std::string content) : content_(std::move(content)) {}
  std::string_view bytes() const override { return content_; }

 private:
  const std::string content_;
};

// One write or truncation that was not synced.
struct DirtyChange {
  std::uint64_t offset = 0;
  std::string bytes;
  std::optional<std::uint64_t> truncate_to;

  void apply(std::string& content) const {
    if (truncate_to) {
      content.resize(*truncate_to, '\0');
      return;
    }
    if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size(), '\0');
    content.replace(offset, bytes.size(), bytes);
  }

  // Whole sectors get to the disk or do not.
  void apply_some_sectors(std::string& content, std::mt19937_64& random) const {
    if (truncate_to) {
      if (random() % 2 == 0) apply(content);
      return;
    }
    std::size_t at = 0;
    while (at < bytes.size()) {
      const std::size_t in_sector = (offset + at) % kSectorBytes;
      const std::size_t n = std::min(bytes.size() - at, kSectorBytes - in_sector);
      if (random() % 2 == 0) {
        DirtyChange{offset + at, bytes.substr(at, n), std::nullopt}.apply(content);
      }
      at += n;
    }
  }
};

}  // namespace

struct FaultFs::Inode {
  std::string content;
  std::string durable;
  std::vector<DirtyChange> dirty;  // leads from durable to content, unless a sync failed
};

struct FaultFs::NameChange {
  std::string name;                // appears as inode, or vanishes
  std::shared_ptr<Inode> inode;
  bool present = false;
  std::string vanishing;           // of a rename: the old name, else empty

  // A renamed folder takes what is in it along.
  void apply(FaultFs::Names& names) const {
    if (!vanishing.empty()) {
      names.erase(vanishing);
      if (inode == nullptr) move_inside(names);
    }
    if (present) {
      names[name] = inode;
    } else {
      names.erase(name);
    }
  }

  // The name that a path has after this renaming of a folder.
  std::string moved(const std::string& path) const {
    return path.starts_with(vanishing + '/') ? name + path.substr(vanishing.size()) : path;
  }

 private:
  void move_inside(FaultFs::Names& names) const {
    FaultFs::Names inside;
    for (auto at = names.lower_bound(vanishing + '/');
         at != names.end() && at->first.starts_with(vanishing + '/'); at = names.erase(at)) {
      inside.emplace(moved(at->first), at->second);
    }
    names.merge(inside);
  }
};

// A handle; the content is the file system's.
class FaultFile final : public File {
 public:
  FaultFile(FaultFs& files, std::string path, std::shared_ptr<FaultFs::Inode> inode,
            std::uint64_t generation, bool writable)
      : files_(files),
        path_(std::move(path)),
        inode_(std::move(inode)),
        generation_(generation),
        writable_(writable),
        end_(inode_->content.size()) {}

  Status append(std::string_view bytes) override {
    VARVE_TRY(write_at(end_, std::span(&bytes, 1)));
    end_ += bytes.size();
    return {};
  }

  Status write_at(std::uint64_t offset, std::span<const std::string_view> parts) override {
    std::string bytes;
    for (const std::string_view part : parts) bytes += part;
    const std::lock_guard lock(files_.mutex_);
    return write(offset, std::move(bytes), "write");
  }

  Status fill_zero(std::uint64_t size_bytes) override {
    const std::lock_guard lock(files_.mutex_);
    VARVE_TRY(write(0, std::string(size_bytes, '\0'), "fill_zero"));
    end_ = std::max(end_, size_bytes);
    return {};
  }

  Status truncate(std::uint64_t size_bytes) override {
    const std::lock_guard lock(files_.mutex_);
    VARVE_TRY(files_.alive(generation_));
    if (!writable_) return failure(path_, "ftruncate", EBADF);
    VARVE_TRY(files_.begin_step(StepKind::kTruncate, path_, false));
    inode_->dirty.push_back({0, {}, size_bytes});
    inode_->dirty.back().apply(inode_->content);
    end_ = size_bytes;
    return {};
  }

  Status sync_data() override {
    const std::lock_guard lock(files_.mutex_);
    VARVE_TRY(files_.alive(generation_));
    if (auto step = files_.begin_step(StepKind::kSyncData, path_, false); !step.ok()) {
      if (!files_.cut_) inode_->dirty.clear();  // as the kernel: marked clean, never written
      return step;
    }
    for (const DirtyChange& change : inode_->dirty) change.apply(inode_->durable);
    inode_->dirty.clear();
    return {};
  }

  Result<std::size_t> read_at(std::uint64_t offset, std::span<char> out) const override {
    const std::lock_guard lock(files_.mutex_);
    VARVE_TRY(files_.alive(generation_));
    const std::string& content = inode_->content;
    if (offset >= content.size()) return std::size_t{0};
    const std::size_t n = std::min<std::size_t>(out.size(), content.size() - offset);
    content.copy(out.data(), n, offset);
    return n;
  }

  Result<std::uint64_t> size() const override {
    const std::lock_guard lock(files_.mutex_);
    VARVE_TRY(files_.alive(generation_));
    return static_cast<std::uint64_t>(inode_->content.size());
  }

  const std::string& path() const override { return path_; }

 private:
  Status write(std::uint64_t offset, std::string bytes, std::string_view call) {
    VARVE_TRY(files_.alive(generation_));
    if (!writable_) return failure(path_, call, EBADF);
    auto step = files_.begin_step(StepKind::kWrite, path_, true);
    if (!step.ok()) {
      if (files_.cut_ || step.error().code() != ErrorCode::kLimitExceeded) return step;
      bytes.resize(bytes.size() / 2);  // a full disk takes what still fits
    }
    inode_->dirty.push_back({offset, std::move(bytes), std::nullopt});
    inode_->dirty.back().apply(inode_->content);
    return step;
  }

  FaultFs& files_;
  const std::string path_;
  const std::shared_ptr<FaultFs::Inode> inode_;
  const std::uint64_t generation_;
  const bool writable_;
  std::uint64_t end_;
};

class FaultLock final : public DirectoryLock {
 public:
  FaultLock(FaultFs& files, std::string path, std::uint64_t generation)
      : files_(files), path_(std::move(path)), generation_(generation) {}
  ~FaultLock() override {
    const std::lock_guard lock(files_.mutex_);
    if (generation_ == files_.generation_) files_.locks_.erase(path_);
  }

 private:
  FaultFs& files_;
  const std::string path_;
  const std::uint64_t generation_;
};

std::string_view to_string(StepKind kind) {
  switch (kind) {
    case StepKind::kCreate: return "create";
    case StepKind::kWrite: return "write";
    case StepKind::kTruncate: return "truncate";
    case StepKind::kSyncData: return "fdatasync";
    case StepKind::kRename: return "rename";
    case StepKind::kLink: return "link";
    case StepKind::kRemove: return "remove";
    case StepKind::kCreateDirectory: return "mkdir";
    case StepKind::kSyncDirectory: return "fsync";
  }
  return "";
}

FaultFs::FaultFs() {
  for (const char* root : {".", "/"}) {
    names_.emplace(root, nullptr);
    durable_names_.emplace(root, nullptr);
  }
}

FaultFs::~FaultFs() = default;

std::uint64_t FaultFs::steps() const {
  const std::lock_guard lock(mutex_);
  return trace_.size();
}

std::vector<FaultFs::Step> FaultFs::trace() const {
  const std::lock_guard lock(mutex_);
  return trace_;
}

void FaultFs::cut_power_at(std::uint64_t step) {
  const std::lock_guard lock(mutex_);
  cut_at_ = step;
}

void FaultFs::reboot(Keep keep, std::uint64_t seed) {
  const std::lock_guard lock(mutex_);
  std::mt19937_64 random(seed);
  std::size_t kept = keep == Keep::kEverything ? name_changes_.size() : 0;
  if (keep == Keep::kRandom) kept = random() % (name_changes_.size() + 1);
  for (std::size_t i = 0; i < kept; ++i) name_changes_[i].apply(durable_names_);
  name_changes_.clear();
  // What got its name in a folder that is not there is lost with it; parents sort before.
  std::erase_if(durable_names_, [this](const auto& entry) {
    return durable_names_.count(parent_of(entry.first)) == 0;
  });
  for (auto& [name, inode] : durable_names_) {
    if (inode == nullptr) continue;
    if (keep == Keep::kEverything) inode->durable = inode->content;
    if (keep == Keep::kRandom) {
      for (const DirtyChange& change : inode->dirty) {
        change.apply_some_sectors(inode->durable, random);
      }
    }
    inode->dirty.clear();
    inode->content = inode->durable;
  }
  names_ = durable_names_;
  locks_.clear();
  failing_steps_.clear();
  cut_at_ = 0;
  full_at_ = 0;
  cut_ = false;
  ++generation_;
}

void FaultFs::fail_step(std::uint64_t step, int error) {
  const std::lock_guard lock(mutex_);
  failing_steps_[step] = error;
}

void FaultFs::fill_disk_at(std::uint64_t step) {
  const std::lock_guard lock(mutex_);
  full_at_ = step;
}

void FaultFs::make_space() {
  const std::lock_guard lock(mutex_);
  full_at_ = 0;
}

void FaultFs::clear_faults() {
  const std::lock_guard lock(mutex_);
  failing_steps_.clear();
  full_at_ = 0;
  cut_at_ = 0;
}

void FaultFs::flip_bit(const std::string& path, std::uint64_t offset, unsigned bit) {
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(path);
  VARVE_CHECK(found != names_.end() && found->second != nullptr);
  for (std::string* content : {&found->second->content, &found->second->durable}) {
    if (offset >= content->size()) continue;
    (*content)[offset] = static_cast<char>((*content)[offset] ^ (1 << (bit % 8)));
  }
}

Status FaultFs::begin_step(StepKind kind, const std::string& path, bool needs_space) {
  if (cut_) return Error(ErrorCode::kIo, fmt::format("{}: {}: power cut", path, to_string(kind)));
  trace_.push_back({kind, path});
  const std::uint64_t step = trace_.size();
  if (cut_at_ != 0 && step >= cut_at_) {
    cut_ = true;
    return Error(ErrorCode::kIo, fmt::format("{}: {}: power cut", path, to_string(kind)));
  }
  if (const auto failing = failing_steps_.find(step); failing != failing_steps_.end()) {
    return failure(path, to_string(kind), failing->second);
  }
  if (needs_space && full_at_ != 0 && step >= full_at_) {
    return failure(path, to_string(kind), ENOSPC);
  }
  return {};
}

Status FaultFs::alive(std::uint64_t generation) const {
  if (generation == generation_) return {};
  return Error(ErrorCode::kIo, "file handle from before the power cut");
}

Result<std::shared_ptr<FaultFs::Inode>> FaultFs::find(const std::string& path) const {
  const auto found = names_.find(path);
  if (found == names_.end()) return failure(path, "open", ENOENT);
  if (found->second == nullptr) return failure(path, "open", EISDIR);
  return found->second;
}

void FaultFs::change_name(NameChange change) {
  change.apply(names_);
  if (!change.vanishing.empty() && change.inode == nullptr) {
    for (NameChange& earlier : name_changes_) {
      earlier.name = change.moved(earlier.name);
      if (!earlier.vanishing.empty()) earlier.vanishing = change.moved(earlier.vanishing);
    }
  }
  name_changes_.push_back(std::move(change));
}

Result<std::unique_ptr<File>> FaultFs::open(const std::string& path, OpenMode mode) {
  const std::lock_guard lock(mutex_);
  const bool there = names_.count(path) > 0;
  if (there && mode == OpenMode::kCreate) return failure(path, "open", EEXIST);
  if (!there && mode == OpenMode::kExisting) return failure(path, "open", ENOENT);
  if (!there) {
    if (names_.count(parent_of(path)) == 0) return failure(path, "open", ENOENT);
    VARVE_TRY(begin_step(StepKind::kCreate, path, true));
    change_name({path, std::make_shared<Inode>(), true, {}});
  }
  VARVE_TRY_ASSIGN(std::shared_ptr<Inode> inode, find(path));
  if (there && mode == OpenMode::kTruncate) {
    VARVE_TRY(begin_step(StepKind::kTruncate, path, false));
    inode->dirty.push_back({0, {}, 0});
    inode->content.clear();
  }
  return std::unique_ptr<File>(
      std::make_unique<FaultFile>(*this, path, std::move(inode), generation_, true));
}

Result<std::unique_ptr<File>> FaultFs::open_read(const std::string& path) {
  const std::lock_guard lock(mutex_);
  VARVE_TRY_ASSIGN(std::shared_ptr<Inode> inode, find(path));
  return std::unique_ptr<File>(
      std::make_unique<FaultFile>(*this, path, std::move(inode), generation_, false));
}

Result<std::unique_ptr<MappedFile>> FaultFs::map(const std::string& path) {
  const std::lock_guard lock(mutex_);
  VARVE_TRY_ASSIGN(const std::shared_ptr<Inode> inode, find(path));
  return std::unique_ptr<MappedFile>(std::make_unique<StringFile>(inode->content));
}

Status FaultFs::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(from);
  if (found == names_.end()) return failure(from, "rename", ENOENT);
  VARVE_TRY(begin_step(StepKind::kRename, from, false));
  change_name({to, found->second, true, from});
  return {};
}

Status FaultFs::link(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  if (names_.count(to) > 0) return failure(to, "link", EEXIST);
  VARVE_TRY_ASSIGN(std::shared_ptr<Inode> inode, find(from));
  if (names_.count(parent_of(to)) == 0) return failure(to, "link", ENOENT);
  VARVE_TRY(begin_step(StepKind::kLink, to, true));
  change_name({to, std::move(inode), true, {}});
  return {};
}

Status FaultFs::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  VARVE_TRY(find(path));
  VARVE_TRY(begin_step(StepKind::kRemove, path, false));
  change_name({path, nullptr, false, {}});
  return {};
}

Status FaultFs::remove_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(path);
  if (found == names_.end()) return failure(path, "rmdir", ENOENT);
  if (found->second != nullptr) return failure(path, "rmdir", ENOTDIR);
  const auto after = names_.lower_bound(path + '/');
  if (after != names_.end() && after->first.starts_with(path + '/')) {
    return failure(path, "rmdir", ENOTEMPTY);
  }
  VARVE_TRY(begin_step(StepKind::kRemove, path, false));
  change_name({path, nullptr, false, {}});
  return {};
}

Status FaultFs::create_directories(const std::string& path) {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> missing;
  for (std::string at = path; names_.count(at) == 0; at = parent_of(at)) missing.push_back(at);
  while (!missing.empty()) {
    VARVE_TRY(begin_step(StepKind::kCreateDirectory, missing.back(), true));
    names_[missing.back()] = nullptr;
    durable_names_[missing.back()] = nullptr;  // RealFs syncs each into its parent
    missing.pop_back();
  }
  return {};
}

Status FaultFs::sync_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (names_.count(path) == 0) return failure(path, "open", ENOENT);
  VARVE_TRY(begin_step(StepKind::kSyncDirectory, path, false));
  std::vector<NameChange> left;
  for (NameChange& change : name_changes_) {
    if (parent_of(change.name) != path && parent_of(change.vanishing) != path) {
      left.push_back(std::move(change));
      continue;
    }
    change.apply(durable_names_);
  }
  name_changes_ = std::move(left);
  return {};
}

Result<std::vector<std::string>> FaultFs::list(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(directory);
  if (found == names_.end()) return failure(directory, "opendir", ENOENT);
  if (found->second != nullptr) return failure(directory, "opendir", ENOTDIR);
  std::vector<std::string> names;
  for (const auto& [name, inode] : names_) {
    if (name == directory || name == "." || name == "/" || parent_of(name) != directory) continue;
    names.push_back(name.substr(name.rfind('/') + 1));
  }
  return names;
}

Result<bool> FaultFs::exists(const std::string& path) {
  const std::lock_guard lock(mutex_);
  return names_.count(path) > 0;
}

Result<std::uint64_t> FaultFs::size(const std::string& path) {
  const std::lock_guard lock(mutex_);
  VARVE_TRY_ASSIGN(const std::shared_ptr<Inode> inode, find(path));
  return static_cast<std::uint64_t>(inode->content.size());
}

Result<std::uint64_t> FaultFs::free_bytes(const std::string&) {
  const std::lock_guard lock(mutex_);
  return full_at_ != 0 && trace_.size() + 1 >= full_at_ ? std::uint64_t{0} : std::uint64_t{1} << 40;
}

Result<std::unique_ptr<DirectoryLock>> FaultFs::lock_directory(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  const std::string path = join(directory, "lock");
  if (!locks_.insert(path).second) {
    return Error(ErrorCode::kUnavailable, fmt::format("{}: held by another process", path));
  }
  return std::unique_ptr<DirectoryLock>(std::make_unique<FaultLock>(*this, path, generation_));
}

}  // namespace varve::fs
