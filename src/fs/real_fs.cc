// SPDX-License-Identifier: Apache-2.0
#include "fs/real_fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "base/try.h"
#include "fs/forgetful.h"

namespace varve::fs {
namespace {

constexpr std::size_t kPartsMax = 64;  // per pwritev; IOV_MAX is 1024
// Zeros go out a page at a time: a large write would fill the page cache with large folios, and
// every small write into one of those later counts (and is throttled) as if the whole folio were
// written.
constexpr std::size_t kZeroBytes = 4 << 10;

ErrorCode code_of(int error) {
  switch (error) {
    case ENOENT: return ErrorCode::kNotFound;
    case EEXIST: return ErrorCode::kAlreadyExists;
    case ENOSPC:
    case EDQUOT: return ErrorCode::kLimitExceeded;
    default: return ErrorCode::kIo;
  }
}

// "wal/00000012.wal: fdatasync: Input/output error".
Error failure(std::string_view path, std::string_view call, int error) {
  return Error(code_of(error),
               fmt::format("{}: {}: {}", path, call, std::generic_category().message(error)));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_;
};

// Retries what a signal interrupted.
template <typename Call>
auto retried(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

class RealFile final : public File {
 public:
  RealFile(std::string path, Descriptor fd, std::uint64_t end)
      : path_(std::move(path)), fd_(std::move(fd)), end_(end) {}

  Status append(std::string_view bytes) override {
    VARVE_TRY(write_at(end_, std::span(&bytes, 1)));
    end_ += bytes.size();
    return {};
  }

  Status write_at(std::uint64_t offset, std::span<const std::string_view> parts) override {
    std::array<iovec, kPartsMax> vectors{};
    while (!parts.empty()) {
      const std::size_t count = std::min(parts.size(), kPartsMax);
      for (std::size_t i = 0; i < count; ++i) {
        vectors[i] = {const_cast<char*>(parts[i].data()), parts[i].size()};
      }
      VARVE_TRY(write_vectors(offset, std::span(vectors).first(count)));
      for (std::size_t i = 0; i < count; ++i) offset += parts[i].size();
      parts = parts.subspan(count);
    }
    return {};
  }

  Status fill_zero(std::uint64_t size_bytes) override {
    // Reserving the blocks in one piece first keeps them together; not every file system can.
    if (retried([&] { return ::fallocate(fd_.get(), 0, 0, static_cast<off_t>(size_bytes)); }) < 0 &&
        errno != EOPNOTSUPP && errno != ENOSYS) {
      return failure(path_, "fallocate", errno);
    }
    const std::string zeros(
        static_cast<std::size_t>(std::min<std::uint64_t>(kZeroBytes, size_bytes)), '\0');
    for (std::uint64_t at = 0; at < size_bytes; at += zeros.size()) {
      const auto part = std::string_view(zeros).substr(
          0, static_cast<std::size_t>(std::min<std::uint64_t>(zeros.size(), size_bytes - at)));
      VARVE_TRY(write_at(at, std::span(&part, 1)));
    }
    end_ = std::max(end_, size_bytes);
    return {};
  }

  Status truncate(std::uint64_t size_bytes) override {
    if (retried([&] { return ::ftruncate(fd_.get(), static_cast<off_t>(size_bytes)); }) < 0) {
      return failure(path_, "ftruncate", errno);
    }
    end_ = size_bytes;
    return {};
  }

  Status sync_data() override {
    if (retried([&] { return ::fdatasync(fd_.get()); }) < 0) {
      return failure(path_, "fdatasync", errno);
    }
    return {};
  }

  Result<std::size_t> read_at(std::uint64_t offset, std::span<char> out) const override {
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t n = retried([&] {
        return ::pread(fd_.get(), out.data() + done, out.size() - done,
                       static_cast<off_t>(offset + done));
      });
      if (n < 0) return failure(path_, "pread", errno);
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

  Result<std::uint64_t> size() const override {
    struct stat info {};
    if (::fstat(fd_.get(), &info) < 0) return failure(path_, "fstat", errno);
    return static_cast<std::uint64_t>(info.st_size);
  }

  const std::string& path() const override { return path_; }

 private:
  Status write_vectors(std::uint64_t offset, std::span<iovec> vectors) {
    while (!vectors.empty()) {
      const ssize_t n = retried([&] {
        return ::pwritev(fd_.get(), vectors.data(), static_cast<int>(vectors.size()),
                         static_cast<off_t>(offset));
      });
      if (n < 0) return failure(path_, "write", errno);
      std::size_t left = static_cast<std::size_t>(n);
      offset += left;
      while (!vectors.empty() && left >= vectors.front().iov_len) {
        left -= vectors.front().iov_len;
        vectors = vectors.subspan(1);
      }
      if (vectors.empty()) break;
      // The kernel writes less than asked when space or a limit ends; the next call says which.
      vectors.front().iov_base = static_cast<char*>(vectors.front().iov_base) + left;
      vectors.front().iov_len -= left;
    }
    return {};
  }

  const std::string path_;
  const Descriptor fd_;
  std::uint64_t end_;  // where append() goes
};

class RealMappedFile final : public MappedFile, public Forgetful {
 public:
  RealMappedFile(void* data, std::size_t size) : data_(data), size_(size) {}
  ~RealMappedFile() override {
    if (size_ > 0) ::munmap(data_, size_);
  }
  std::string_view bytes() const override { return {static_cast<const char*>(data_), size_}; }
  void forget(std::size_t begin, std::size_t end) const override {
    static const auto kPage = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    begin = (begin + kPage - 1) / kPage * kPage;  // whole pages only
    end = std::min(end, size_) / kPage * kPage;
    // The page cache keeps them; a failure costs memory and nothing else.
    if (begin < end) ::madvise(static_cast<char*>(data_) + begin, end - begin, MADV_DONTNEED);
  }

 private:
  void* data_;
  std::size_t size_;
};

class RealDirectoryLock final : public DirectoryLock {
 public:
  explicit RealDirectoryLock(Descriptor fd) : fd_(std::move(fd)) {}

 private:
  const Descriptor fd_;  // closing it frees the lock; the file stays
};

Result<Descriptor> open_descriptor(const std::string& path, int flags) {
  Descriptor fd(retried([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0644); }));
  if (!fd.valid()) return failure(path, "open", errno);
  return fd;
}

}  // namespace

Result<std::unique_ptr<File>> RealFs::open(const std::string& path, OpenMode mode) {
  int flags = O_RDWR;
  if (mode == OpenMode::kCreate) flags |= O_CREAT | O_EXCL;
  if (mode == OpenMode::kTruncate) flags |= O_CREAT | O_TRUNC;
  VARVE_TRY_ASSIGN(Descriptor fd, open_descriptor(path, flags));
  struct stat info {};
  if (::fstat(fd.get(), &info) < 0) return failure(path, "fstat", errno);
  return std::unique_ptr<File>(std::make_unique<RealFile>(
      path, std::move(fd), static_cast<std::uint64_t>(info.st_size)));
}

Result<std::unique_ptr<File>> RealFs::open_read(const std::string& path) {
  VARVE_TRY_ASSIGN(Descriptor fd, open_descriptor(path, O_RDONLY));
  return std::unique_ptr<File>(std::make_unique<RealFile>(path, std::move(fd), 0));
}

Result<std::unique_ptr<MappedFile>> RealFs::map(const std::string& path) {
  VARVE_TRY_ASSIGN(const Descriptor fd, open_descriptor(path, O_RDONLY));
  struct stat info {};
  if (::fstat(fd.get(), &info) < 0) return failure(path, "fstat", errno);
  const auto size = static_cast<std::size_t>(info.st_size);
  void* data = nullptr;
  if (size > 0) {
    data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
    if (data == MAP_FAILED) return failure(path, "mmap", errno);
  }
  return std::unique_ptr<MappedFile>(std::make_unique<RealMappedFile>(data, size));
}

Status RealFs::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) < 0) {
    return failure(from, fmt::format("rename to {}", to), errno);
  }
  return {};
}

Status RealFs::link(const std::string& from, const std::string& to) {
  if (::link(from.c_str(), to.c_str()) < 0) {
    return failure(from, fmt::format("link to {}", to), errno);
  }
  return {};
}

Status RealFs::remove(const std::string& path) {
  if (::unlink(path.c_str()) < 0) return failure(path, "unlink", errno);
  return {};
}

Status RealFs::remove_directory(const std::string& path) {
  if (::rmdir(path.c_str()) < 0) return failure(path, "rmdir", errno);
  return {};
}

Status RealFs::create_directories(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0) return sync_directory(parent_of(path));
  if (errno == ENOENT && parent_of(path) != path) {
    VARVE_TRY(create_directories(parent_of(path)));
    if (::mkdir(path.c_str(), 0755) == 0) return sync_directory(parent_of(path));
  }
  const int error = errno;
  struct stat info {};
  if (error == EEXIST && ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
  return failure(path, "mkdir", error);
}

Status RealFs::sync_directory(const std::string& path) {
  VARVE_TRY_ASSIGN(const Descriptor fd, open_descriptor(path, O_RDONLY | O_DIRECTORY));
  if (retried([&] { return ::fsync(fd.get()); }) < 0) return failure(path, "fsync", errno);
  return {};
}

Result<std::vector<std::string>> RealFs::list(const std::string& directory) {
  DIR* stream = ::opendir(directory.c_str());
  if (stream == nullptr) return failure(directory, "opendir", errno);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  const int error = errno;
  ::closedir(stream);
  if (error != 0) return failure(directory, "readdir", error);
  std::sort(names.begin(), names.end());
  return names;
}

Result<bool> RealFs::exists(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return failure(path, "stat", errno);
}

Result<std::uint64_t> RealFs::size(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) < 0) return failure(path, "stat", errno);
  return static_cast<std::uint64_t>(info.st_size);
}

Result<std::uint64_t> RealFs::free_bytes(const std::string& path) {
  struct statvfs info {};
  if (::statvfs(path.c_str(), &info) < 0) return failure(path, "statvfs", errno);
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

Result<std::unique_ptr<DirectoryLock>> RealFs::lock_directory(const std::string& directory) {
  const std::string path = join(directory, "lock");
  VARVE_TRY_ASSIGN(Descriptor fd, open_descriptor(path, O_RDWR | O_CREAT));
  if (retried([&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); }) < 0) {
    if (errno != EWOULDBLOCK) return failure(path, "flock", errno);
    std::array<char, 32> content{};
    const ssize_t n = ::pread(fd.get(), content.data(), content.size() - 1, 0);
    std::string holder(content.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
    while (!holder.empty() && (holder.back() < '0' || holder.back() > '9')) holder.pop_back();
    return Error(ErrorCode::kUnavailable,
                 fmt::format("{}: held by {}", path,
                             holder.empty() ? "another process" : "process " + holder));
  }
  // The pid only helps people; a full disk must not keep the database from opening.
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(fd.get(), 0) == 0 && ::pwrite(fd.get(), pid.data(), pid.size(), 0) < 0) errno = 0;
  return std::unique_ptr<DirectoryLock>(std::make_unique<RealDirectoryLock>(std::move(fd)));
}

}  // namespace varve::fs
