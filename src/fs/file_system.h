// SPDX-License-Identifier: Apache-2.0
// Files as the engine needs them: what becomes durable when is explicit, and every error names the
// file and the system's reason. The only room that calls the file system; it knows no file formats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "varve/result.h"

namespace varve::fs {

// One file open for writing (and reading). The destructor closes without syncing. Not thread-safe
// for writes; read_at may run beside anything.
//
// Errors: kLimitExceeded if there is no space (ENOSPC, EDQUOT), else kIo. After an error of a
// write the bytes it covered are of unknown content; after an error of sync_data everything since
// the last good sync may be lost, and syncing again proves nothing (the kernel drops what it could
// not write): give the file up.
class File {
 public:
  virtual ~File() = default;

  // At the end of the file; the position is kept by this object, so one appender per file.
  virtual Status append(std::string_view bytes) = 0;
  // The parts one after the other, from `offset` on; grows the file where needed.
  virtual Status write_at(std::uint64_t offset, std::span<const std::string_view> parts) = 0;
  Status write_at(std::uint64_t offset, std::string_view bytes) {
    return write_at(offset, std::span(&bytes, 1));
  }
  // Writes zeros over [0, size_bytes), so that later writes there need no new blocks and their
  // sync_data no journal commit. Grows the file where needed, never shrinks it.
  virtual Status fill_zero(std::uint64_t size_bytes) = 0;
  virtual Status truncate(std::uint64_t size_bytes) = 0;
  // fdatasync: content and size. A new file's name is durable only after sync_directory.
  virtual Status sync_data() = 0;

  // How many bytes were read; fewer than asked only at the end of the file.
  virtual Result<std::size_t> read_at(std::uint64_t offset, std::span<char> out) const = 0;
  virtual Result<std::uint64_t> size() const = 0;
  virtual const std::string& path() const = 0;
};

// A whole file, read-only. The bytes live as long as this object; the file must not be truncated
// meanwhile (immutable files and segments at recovery are not).
class MappedFile {
 public:
  virtual ~MappedFile() = default;
  virtual std::string_view bytes() const = 0;
};

// Holds a directory against other processes until destroyed.
class DirectoryLock {
 public:
  virtual ~DirectoryLock() = default;
};

enum class OpenMode : std::uint8_t {
  kCreate,    // kAlreadyExists if there is one
  kTruncate,  // create, or empty what is there
  kExisting,  // kNotFound if there is none; append() continues at its end
};

// Thread-safe. Errors: kNotFound, kAlreadyExists, kLimitExceeded (no space), kIo.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  // Only for reading; writes through it fail.
  virtual Result<std::unique_ptr<File>> open_read(const std::string& path) = 0;
  virtual Result<std::unique_ptr<MappedFile>> map(const std::string& path) = 0;

  // Atomic; replaces `to`. Durable after sync_directory of the folder(s).
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  // Another name for a file's content, from then on its equal: what is done to either's name leaves
  // the other. kAlreadyExists if `to` is there. Durable after sync_directory of its folder.
  virtual Status link(const std::string& from, const std::string& to) = 0;
  virtual Status remove(const std::string& path) = 0;            // a file
  virtual Status remove_directory(const std::string& path) = 0;  // an empty one
  // With missing parents; no error if it is there. Each new name is synced into its parent.
  virtual Status create_directories(const std::string& path) = 0;
  virtual Status sync_directory(const std::string& path) = 0;

  // Names, not paths, sorted by bytes; without "." and "..".
  virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
  virtual Result<bool> exists(const std::string& path) = 0;
  virtual Result<std::uint64_t> size(const std::string& path) = 0;
  // Bytes a writer without privileges can still use where `path` lies.
  virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;

  // Takes flock(LOCK_EX) on `<directory>/lock` without waiting and writes the own pid into it.
  // kUnavailable if another process has it; the message says which.
  virtual Result<std::unique_ptr<DirectoryLock>> lock_directory(const std::string& directory) = 0;

  // The whole content. kLimitExceeded if it is larger than `size_max`.
  Result<std::string> read_file(const std::string& path, std::uint64_t size_max);
  // Replaces the content at once or not at all: `<path>.tmp`, sync, rename, sync of the folder.
  Status write_file_atomically(const std::string& path, std::string_view content);
};

// "dir/name", with one slash.
std::string join(std::string_view directory, std::string_view name);
// The folder of a path: "a/b" of "a/b/c", "." of "c".
std::string parent_of(std::string_view path);

}  // namespace varve::fs
