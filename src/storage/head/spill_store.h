// SPDX-License-Identifier: Apache-2.0
// Where closed chunks go: append-only files that are read back through the page cache, so that the
// history of the head costs disk and no memory that the kernel could not take back. What they hold
// is in the log too until a snapshot refers to it, so they are synced then and not before. Knows
// neither series nor encodings, and cannot lose what it was given: what the disk refuses stays in
// memory until the disk takes it. See FORMAT.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/memory_account.h"
#include "fs/file_system.h"
#include "varve/sample.h"

namespace varve::storage::head {

// Where something lies: 40 bits of offset over all files, 20 of length, 4 for the user. Offsets
// wrap: what is held at any time spans less than 2^40 bytes.
struct SpillPlace {
  std::uint64_t bits = 0;

  static constexpr std::size_t kLengthMax = (std::size_t{1} << 20) - 1;
  static SpillPlace make(std::uint64_t offset, std::size_t length, unsigned tag) {
    return {offset | (std::uint64_t{length} << 40) | (std::uint64_t{tag} << 60)};
  }
  std::uint64_t offset() const { return bits & ((std::uint64_t{1} << 40) - 1); }
  std::size_t length() const { return (bits >> 40) & kLengthMax; }
  // In the files, where a checksum comes before them.
  static constexpr std::size_t kChecksumBytes = 4;
  std::size_t stored_length() const { return kChecksumBytes + length(); }
  unsigned tag() const { return static_cast<unsigned>(bits >> 60); }
};

// A file of an earlier process that a snapshot refers to.
struct SpillFileInfo {
  std::uint64_t number = 0;
  std::uint64_t bytes = 0;  // as far as it is referred to
  Timestamp newest_ms = 0;
};

// Thread-safe.
class SpillStore {
 public:
  static constexpr std::uint64_t kFileBytes = std::uint64_t{16} << 20;
  static constexpr std::size_t kBufferBytes = 256 * 1024;  // written at once

  // Goes on behind the files that are there, which are left alone until adopt().
  static Result<std::unique_ptr<SpillStore>> create(fs::FileSystem& files, std::string directory,
                                                    base::MemoryAccount& account);
  ~SpillStore();

  // Before the first append: the files that are still needed; all others are removed. What is wrong
  // with some of them (missing, shorter than said), each naming its file: what lies in them cannot
  // be held() then. An error only if the directory cannot be changed.
  Result<std::vector<Error>> adopt(std::span<const SpillFileInfo> needed);
  // What is there before adopt(), as far as it goes; how new it is is not known.
  Result<std::vector<SpillFileInfo>> found() const;
  // Whether all of a place lies in files.
  bool held(SpillPlace place) const;

  // `newest_ms` is the time of the newest sample in `bytes`; precondition: bytes.size() <=
  // SpillPlace::kLengthMax. The address space must not be used up: see full().
  SpillPlace append(std::string_view bytes, unsigned tag, Timestamp newest_ms);

  // The bytes of a place, verified, in `scratch`. kNotFound if the file was dropped, kIo,
  // kCorruption if it is short or the checksum is not theirs.
  Result<std::string_view> read(SpillPlace place, std::vector<char>& scratch) const;
  // The file that holds a place, so that many small pieces of it are read without a call or a copy
  // each (a query for 60 of 5,000 series over 6 h spent half its time in those). It reaches at
  // least to the end of the place, where it has stored_length() bytes for verify(); what it holds
  // is not written again, and stays readable after drop_before(). Null if not all of that is in a
  // file yet, or the file was dropped or cannot be mapped: read() knows more.
  std::shared_ptr<const fs::MappedFile> map(SpillPlace place) const;
  // The bytes of a place, if `stored` are what lies there; kCorruption.
  static Result<std::string_view> verify(SpillPlace place, std::string_view stored);

  // Forgets whole files that hold nothing at or after `time_ms`. They stay on disk until
  // remove_dropped(), for the snapshot that may refer to them.
  void drop_before(Timestamp time_ms);
  // A snapshot that refers to none of the forgotten files is durable.
  Status remove_dropped();
  // Writes what is buffered; the last error of the disk, if it still refuses.
  Status flush();
  // Makes everything appended so far durable, and says which files hold it. By one thread at a
  // time. After an error of a sync what the files hold is not known: it is returned for good.
  Result<std::vector<SpillFileInfo>> sync();

  std::size_t pending_bytes() const;
  std::uint64_t size_bytes() const;
  bool full() const;
  // Some file holds only samples older than this; used to skip the search for expired chunks.
  Timestamp oldest_file_newest_ms() const;
  // Files were forgotten since remove_dropped().
  bool has_dropped() const;

 private:
  struct SpillFile {
    std::uint64_t number = 0;
    std::shared_ptr<fs::File> file;  // null until first written
    std::uint64_t bytes = 0;         // appended, also what is not written yet
    Timestamp newest_ms = 0;
    bool dirty = false;  // written since the last sync
    // As far as the file went when a reader last needed more of it.
    mutable std::shared_ptr<const fs::MappedFile> mapped;
  };
  // Positions count on where offsets wrap.
  static constexpr std::uint64_t kOffsets = std::uint64_t{1} << 40;

  SpillStore(fs::FileSystem& files, std::string directory, base::MemoryAccount& account)
      : files_(files), directory_(std::move(directory)), account_(account) {}
  Status write_pending();
  // Exactly `out.size()` bytes from an offset on.
  Status read_stored(std::uint64_t offset, std::span<char> out) const;
  std::string file_path(std::uint64_t number) const;
  std::uint64_t position_of(std::uint64_t offset) const;
  const SpillFile* find(std::uint64_t number) const;
  SpillFile* find(std::uint64_t number) {
    return const_cast<SpillFile*>(static_cast<const SpillStore*>(this)->find(number));
  }

  fs::FileSystem& files_;
  const std::string directory_;
  base::MemoryAccount& account_;
  mutable std::mutex mutex_;  // guards everything below; held over a write of one buffer
  std::deque<SpillFile> spill_files_;  // by number; there may be gaps
  std::vector<std::uint64_t> dropped_;
  std::vector<std::uint64_t> found_;  // by create(), until adopt()
  std::uint64_t written_end_ = 0;  // positions
  std::uint64_t end_ = 0;
  std::string pending_;  // [written_end_, end_)
  std::size_t retry_at_bytes_ = 0;  // after a failed write: not before pending_ has grown to this
  bool names_dirty_ = false;        // files were made since the directory was synced
  std::optional<Error> sync_error_;
  std::int64_t charged_ = 0;
};

}  // namespace varve::storage::head
