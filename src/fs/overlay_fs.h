// SPDX-License-Identifier: Apache-2.0
// Another file system with changes that stay in memory: what reads a directory of somebody else's,
// even of a running process, can create, rename and remove as its own code wants, and nothing
// happens.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "fs/file_system.h"

namespace varve::fs {

// Thread-safe. The lower file system must outlive it, and is only ever read. Files that are opened
// for writing are copied into memory whole. Locks are granted without asking.
class OverlayFs final : public FileSystem {
 public:
  explicit OverlayFs(FileSystem& lower);
  ~OverlayFs() override;

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<std::unique_ptr<File>> open_read(const std::string& path) override;
  Result<std::unique_ptr<MappedFile>> map(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status link(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status remove_directory(const std::string& path) override;
  Status create_directories(const std::string& path) override;
  Status sync_directory(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<bool> exists(const std::string& path) override;
  Result<std::uint64_t> size(const std::string& path) override;
  Result<std::uint64_t> free_bytes(const std::string& path) override;
  Result<std::unique_ptr<DirectoryLock>> lock_directory(const std::string& directory) override;

 private:
  struct Content;
  // What became of a name: own content, a directory of its own, another place below, or gone. A
  // change of a folder holds for all below it that has no change of its own.
  struct Change {
    std::shared_ptr<Content> content;
    bool directory = false;
    std::string below;  // where the lower file system has it; empty: nowhere
  };

  // The lower path that stands for `path`, empty if there is none. mutex_ is held.
  std::string below(const std::string& path) const;
  Result<std::shared_ptr<Content>> own_copy(const std::string& path);
  Result<bool> exists_now(const std::string& path) const;

  FileSystem& lower_;
  mutable std::mutex mutex_;  // guards changes_
  std::map<std::string, Change> changes_;
};

}  // namespace varve::fs
