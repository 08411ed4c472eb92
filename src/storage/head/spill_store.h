// SPDX-License-Identifier: Apache-2.0
// Where closed chunks go: append-only files that are read back through the page cache, so that the
// history of the head costs disk and no memory that the kernel could not take back. The files are scratch: what they hold is
// in the log too, so nothing is synced, and they are wiped and rebuilt when the database opens.
// Knows neither series nor encodings, and cannot lose what it was given: what the disk refuses stays
// in memory until the disk takes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/memory_account.h"
#include "fs/file_system.h"
#include "varve/sample.h"

namespace varve::storage::head {

// Where something lies: 40 bits of offset over all files, 20 of length, 4 for the user.
struct SpillPlace {
  std::uint64_t bits = 0;

  static constexpr std::size_t kLengthMax = (std::size_t{1} << 20) - 1;
  static SpillPlace make(std::uint64_t offset, std::size_t length, unsigned tag) {
    return {offset | (std::uint64_t{length} << 40) | (std::uint64_t{tag} << 60)};
  }
  std::uint64_t offset() const { return bits & ((std::uint64_t{1} << 40) - 1); }
  std::size_t length() const { return (bits >> 40) & kLengthMax; }
  unsigned tag() const { return static_cast<unsigned>(bits >> 60); }
};

// Thread-safe.
class SpillStore {
 public:
  static constexpr std::uint64_t kFileBytes = std::uint64_t{64} << 20;
  static constexpr std::size_t kBufferBytes = 256 * 1024;  // written at once

  // Removes what an earlier process left in the directory.
  static Result<std::unique_ptr<SpillStore>> create(fs::FileSystem& files, std::string directory,
                                                    base::MemoryAccount& account);
  ~SpillStore();

  // `newest_ms` is the time of the newest sample in `bytes`; precondition: bytes.size() <=
  // SpillPlace::kLengthMax. The 40-bit address space (1 TiB) must not be used up: see full().
  SpillPlace append(std::string_view bytes, unsigned tag, Timestamp newest_ms);

  // Exactly `out.size()` bytes. kNotFound if the file was dropped, kIo, kCorruption if it is short.
  Status read(std::uint64_t offset, std::span<char> out) const;
  // The file that holds `offset`, so that many small pieces of it are read without a call or a copy
  // each (a query for 60 of 5,000 series over 6 h spent half its time in those). It reaches at least
  // to offset + length; what it holds is not written again, and stays readable after drop_before().
  // Null if not all of that is in a file yet, or the file was dropped or cannot be mapped: read()
  // knows more.
  std::shared_ptr<const fs::MappedFile> map(std::uint64_t offset, std::size_t length) const;

  // Drops whole files that hold nothing at or after `time_ms`.
  void drop_before(Timestamp time_ms);
  // Writes what is buffered; the last error of the disk, if it still refuses.
  Status flush();

  std::size_t pending_bytes() const;
  std::uint64_t size_bytes() const;
  bool full() const;
  // Some file holds only samples older than this; used to skip the search for expired chunks.
  Timestamp oldest_file_newest_ms() const;

 private:
  struct SpillFile {
    std::uint64_t number = 0;
    std::shared_ptr<fs::File> file;  // null until first written
    Timestamp newest_ms = 0;
    // As far as the file went when a reader last needed more of it.
    mutable std::shared_ptr<const fs::MappedFile> mapped;
  };
  SpillStore(fs::FileSystem& files, std::string directory, base::MemoryAccount& account)
      : files_(files), directory_(std::move(directory)), account_(account) {}
  Status write_pending();
  std::string file_path(std::uint64_t number) const;

  fs::FileSystem& files_;
  const std::string directory_;
  base::MemoryAccount& account_;
  mutable std::mutex mutex_;  // guards everything below; held over a write of one buffer
  std::deque<SpillFile> spill_files_;  // by number, without gaps
  std::uint64_t written_end_ = 0;
  std::uint64_t end_ = 0;
  std::string pending_;  // [written_end_, end_)
  std::size_t retry_at_bytes_ = 0;  // after a failed write: not before pending_ has grown to this
  std::int64_t charged_ = 0;
};

}  // namespace varve::storage::head
