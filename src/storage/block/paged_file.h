// SPDX-License-Identifier: Apache-2.0
// A file of pages under checksums: written once from front to back, then read through a mapping
// that verifies each page when it is first touched. It knows nothing of what the pages hold, but
// for the place of a root from which a reader starts. See FORMAT.md, "Pages".
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/try.h"
#include "fs/file_system.h"
#include "varve/result.h"

namespace varve::storage::block {

// Not thread-safe. After an error the file is of no use.
class PagedWriter {
 public:
  static Result<std::unique_ptr<PagedWriter>> create(fs::FileSystem& files, const std::string& path,
                                                     std::uint32_t magic);

  Status append(std::string_view bytes);
  // Where the next byte will stand.
  std::uint64_t position() const { return written_ + buffer_.size(); }
  // Writes what closes the file, and syncs it. The root is what was appended there.
  Status finish(std::uint64_t root_at, std::uint64_t root_bytes);

  // After finish().
  std::uint64_t file_bytes() const { return file_bytes_; }
  std::uint64_t content_bytes() const { return written_; }
  std::uint64_t identity() const { return identity_; }

 private:
  PagedWriter() = default;
  Status write_out(bool all);

  std::unique_ptr<fs::File> file_;
  std::uint32_t magic_ = 0;
  std::string buffer_;  // starts at a page
  std::uint64_t written_ = 0;
  std::uint64_t synced_ = 0;  // of written_
  std::vector<std::uint64_t> checksums_;
  std::uint64_t file_bytes_ = 0;
  std::uint64_t identity_ = 0;
};

// Immutable; any thread. Views live as long as it.
class PagedFile {
 public:
  // Reads the footer only. kCorruption; kInvalidArgument if the format is newer.
  static Result<std::unique_ptr<PagedFile>> open(fs::FileSystem& files, std::string path,
                                                 std::uint32_t magic);

  // Verified bytes of the content; kCorruption if there are not so many or their page is damaged.
  Result<std::string_view> read(std::uint64_t at, std::uint64_t size) const {
    if (size == 0 && at <= content_bytes_) return std::string_view(bytes_.data() + at, 0);
    if (at >= content_bytes_ || size > content_bytes_ - at) return outside(at, size);
    const std::uint64_t last = (at + size - 1) >> kPageShift;
    for (std::uint64_t page = at >> kPageShift; page <= last; ++page) {
      const std::uint64_t word = verified_[page >> 6].load(std::memory_order_acquire);
      if ((word >> (page & 63) & 1) == 0) VARVE_TRY(verify_page(page));
    }
    return bytes_.substr(at, size);
  }

  // "<path> at <offset>: <what>".
  Error corrupt(std::uint64_t at, std::string_view what) const;

  const std::string& path() const { return path_; }
  std::uint64_t content_bytes() const { return content_bytes_; }
  std::uint64_t file_bytes() const { return bytes_.size(); }
  // As fs::Forgetful, of the content; nothing if the file system keeps it in memory anyway.
  void forget(std::uint64_t begin, std::uint64_t end) const;
  // Where the content is mapped, to tell the offset of a view.
  const char* begin() const { return bytes_.data(); }
  std::uint64_t root_at() const { return root_at_; }
  std::uint64_t root_bytes() const { return root_bytes_; }
  // The footer's checksum, which all else hangs on: tells two files apart.
  std::uint64_t identity() const { return identity_; }

  // Reads every page anew; each finding goes to `report`. How many.
  std::size_t verify(const std::function<void(const Error&)>& report) const;

 private:
  static constexpr unsigned kPageShift = 16;

  PagedFile() = default;
  Error outside(std::uint64_t at, std::uint64_t size) const;
  Status verify_table() const;
  Status verify_page(std::uint64_t page) const;

  std::string path_;
  std::unique_ptr<fs::MappedFile> file_;
  std::string_view bytes_;
  std::uint64_t content_bytes_ = 0;
  std::uint64_t root_at_ = 0;
  std::uint64_t root_bytes_ = 0;
  std::uint64_t table_checksum_ = 0;
  std::uint64_t identity_ = 0;
  // Bits are only ever set, after the page was found good.
  mutable std::atomic<bool> table_verified_{false};
  std::unique_ptr<std::atomic<std::uint64_t>[]> verified_;
};

// A part of a file with bounds of its own; a value.
struct Extent {
  const PagedFile* file = nullptr;
  std::uint64_t at = 0;
  std::uint64_t size = 0;

  Result<std::string_view> read(std::uint64_t offset, std::uint64_t bytes) const {
    if (offset > size || bytes > size - offset) return corrupt(offset, "the part ends before that");
    return file->read(at + offset, bytes);
  }
  Result<std::string_view> all() const { return file->read(at, size); }
  // The part [offset, offset + bytes); kCorruption if it is not within this one.
  Result<Extent> part(std::uint64_t offset, std::uint64_t bytes) const {
    if (offset > size || bytes > size - offset) return corrupt(offset, "the part ends before that");
    return Extent{file, at + offset, bytes};
  }
  Error corrupt(std::uint64_t offset, std::string_view what) const {
    return file->corrupt(at + offset, what);
  }
};

}  // namespace varve::storage::block
