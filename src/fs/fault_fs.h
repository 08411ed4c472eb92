// SPDX-License-Identifier: Apache-2.0
// A file system in memory that breaks on demand. It numbers every step that changes the disk
// (create, write, fill_zero, truncate, sync, rename, link, remove, mkdir, directory sync; from 1
// on), so that a test can run a workload once to count its steps and then again for each step with
// the power cut, the disk full or the device failing there. In the library because every room's
// crash tests use it; never in the daemon.
//
// What survives a power cut: content up to the file's last good sync_data, and names as of their
// directory's last sync_directory. Of the rest nothing, everything or a seeded random part is kept
// (of writes any mix of 512-byte sectors, of name changes a prefix in order, as journals do).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "fs/file_system.h"

namespace varve::fs {

enum class StepKind : std::uint8_t {
  kCreate, kWrite, kTruncate, kSyncData, kRename, kLink, kRemove, kCreateDirectory, kSyncDirectory,
};
std::string_view to_string(StepKind kind);

// Thread-safe.
class FaultFs final : public FileSystem {
 public:
  struct Step {
    StepKind kind;
    std::string path;
  };
  enum class Keep : std::uint8_t { kNothing, kEverything, kRandom };

  FaultFs();
  ~FaultFs() override;

  // Steps done so far, and what they were.
  std::uint64_t steps() const;
  std::vector<Step> trace() const;

  // The step with this number (1 is the first ever) and all later ones fail and change nothing.
  void cut_power_at(std::uint64_t step);
  // Ends a power cut (or starts one now and ends it): the disk is what survived, old handles stay
  // dead, locks are free, faults are cleared. `seed` matters for kRandom.
  void reboot(Keep keep, std::uint64_t seed = 0);

  // The step with this number fails with errno `error`: ENOSPC (half of a write gets through), EIO
  // (a failing sync_data drops what was dirty: later syncs succeed without it).
  void fail_step(std::uint64_t step, int error);
  // From this step on everything that needs space fails with ENOSPC, until make_space().
  void fill_disk_at(std::uint64_t step);
  void make_space();
  void clear_faults();

  // Flips one bit of a file, behind everybody's back and durably. The file must be that long.
  void flip_bit(const std::string& path, std::uint64_t offset, unsigned bit);

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
  friend class FaultFile;
  friend class FaultLock;
  struct Inode;
  struct NameChange;
  using Names = std::map<std::string, std::shared_ptr<Inode>>;  // nullptr: a directory

  // Counts a step; an error if it is to fail. mutex_ is held.
  Status begin_step(StepKind kind, const std::string& path, bool needs_space);
  Status alive(std::uint64_t generation) const;
  Result<std::shared_ptr<Inode>> find(const std::string& path) const;
  void change_name(NameChange change);

  mutable std::mutex mutex_;  // guards everything below and all inodes
  Names names_;               // as the processes see them
  Names durable_names_;       // as they are after a power cut
  std::vector<NameChange> name_changes_;  // not durable yet, oldest first
  std::vector<Step> trace_;
  std::map<std::uint64_t, int> failing_steps_;
  std::uint64_t cut_at_ = 0;   // 0: never
  std::uint64_t full_at_ = 0;  // 0: never
  bool cut_ = false;
  std::uint64_t generation_ = 0;  // handles of earlier ones are dead
  std::set<std::string> locks_;
};

}  // namespace varve::fs
