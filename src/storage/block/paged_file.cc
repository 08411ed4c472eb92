// SPDX-License-Identifier: Apache-2.0
#include "storage/block/paged_file.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "fs/forgetful.h"
#include "storage/block/format.h"

namespace varve::storage::block {
namespace {

static_assert(std::endian::native == std::endian::little, "files are written as the memory is");

// Written to the file at once: large enough that system calls do not show.
constexpr std::size_t kWriteBytes = 4 * kPageBytes;
// Synced at least every so many bytes, so that the disk is never busy for long with what nobody
// waits for while the log wants to sync.
constexpr std::uint64_t kSyncBytes = std::uint64_t{8} << 20;

struct Footer {
  std::uint64_t content_bytes;
  std::uint64_t table_checksum;
  std::uint64_t root_at;
  std::uint64_t root_bytes;
  std::uint32_t magic;
  std::uint32_t version;
  std::uint64_t checksum;
};
static_assert(sizeof(Footer) == kFooterBytes);

std::string_view table_bytes(const std::vector<std::uint64_t>& checksums) {
  return {reinterpret_cast<const char*>(checksums.data()), checksums.size() * 8};
}

}  // namespace

Result<std::unique_ptr<PagedWriter>> PagedWriter::create(fs::FileSystem& files,
                                                         const std::string& path,
                                                         std::uint32_t magic) {
  std::unique_ptr<PagedWriter> writer(new PagedWriter());
  VARVE_TRY_ASSIGN(writer->file_, files.open(path, fs::OpenMode::kCreate));
  writer->magic_ = magic;
  writer->buffer_.reserve(kWriteBytes);
  const std::uint32_t header[2] = {magic, kFormatVersion};
  VARVE_TRY(writer->append({reinterpret_cast<const char*>(header), sizeof header}));
  return writer;
}

Status PagedWriter::append(std::string_view bytes) {
  while (bytes.size() > kWriteBytes - buffer_.size()) {
    const std::size_t part = kWriteBytes - buffer_.size();
    buffer_ += bytes.substr(0, part);
    bytes.remove_prefix(part);
    VARVE_TRY(write_out(false));
  }
  buffer_ += bytes;
  return {};
}

Status PagedWriter::write_out(bool all) {
  const std::size_t size = all ? buffer_.size() : buffer_.size() / kPageBytes * kPageBytes;
  for (std::size_t at = 0; at < size; at += kPageBytes) {
    checksums_.push_back(XXH3_64bits(buffer_.data() + at, std::min(kPageBytes, size - at)));
  }
  VARVE_TRY(file_->append(std::string_view(buffer_).substr(0, size)));
  written_ += size;
  buffer_.erase(0, size);
  if (written_ - synced_ < kSyncBytes) return {};
  synced_ = written_;
  return file_->sync_data();
}

Status PagedWriter::finish(std::uint64_t root_at, std::uint64_t root_bytes) {
  VARVE_TRY(write_out(true));
  Footer footer{};
  footer.content_bytes = written_;
  footer.table_checksum = XXH3_64bits(checksums_.data(), checksums_.size() * 8);
  footer.root_at = root_at;
  footer.root_bytes = root_bytes;
  footer.magic = magic_;
  footer.version = kFormatVersion;
  footer.checksum = XXH3_64bits(&footer, kFooterChecksumAt);
  VARVE_TRY(file_->append(table_bytes(checksums_)));
  VARVE_TRY(file_->append({reinterpret_cast<const char*>(&footer), sizeof footer}));
  file_bytes_ = written_ + checksums_.size() * 8 + sizeof footer;
  identity_ = footer.checksum;
  return file_->sync_data();
}

Result<std::unique_ptr<PagedFile>> PagedFile::open(fs::FileSystem& files, std::string path,
                                                   std::uint32_t magic) {
  std::unique_ptr<PagedFile> file(new PagedFile());
  file->path_ = std::move(path);
  VARVE_TRY_ASSIGN(file->file_, files.map(file->path_));
  file->bytes_ = file->file_->bytes();
  const std::string_view bytes = file->bytes_;
  if (bytes.size() < kFileHeaderBytes + kFooterBytes) {
    return file->corrupt(0, fmt::format("{} bytes, too few for a block's file", bytes.size()));
  }
  // The header comes first: a file of a newer format may end in another footer.
  std::uint32_t header[2];
  std::memcpy(header, bytes.data(), sizeof header);
  if (header[0] != magic) return file->corrupt(0, "not a block's file, or damaged: wrong magic");
  const std::uint64_t footer_at = bytes.size() - kFooterBytes;
  Footer footer;
  std::memcpy(&footer, bytes.data() + footer_at, sizeof footer);
  const bool footer_good =
      XXH3_64bits(&footer, kFooterChecksumAt) == footer.checksum && footer.magic == magic;
  if (header[1] > kFormatVersion && !(footer_good && footer.version <= kFormatVersion)) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{}: written by a newer Varve (block format {}, this one reads {})",
                             file->path_, header[1], kFormatVersion));
  }
  if (!footer_good) return file->corrupt(footer_at, "footer: checksum mismatch, or a torn file");
  const std::uint64_t content = footer.content_bytes;
  const std::uint64_t pages = content / kPageBytes + (content % kPageBytes != 0 ? 1 : 0);
  if (content < kFileHeaderBytes || content > footer_at || pages * 8 != footer_at - content) {
    return file->corrupt(footer_at, "footer: its lengths are not the file's");
  }
  if (footer.root_at > content || footer.root_bytes > content - footer.root_at) {
    return file->corrupt(footer_at, "footer: the root lies outside");
  }
  file->content_bytes_ = content;
  file->root_at_ = footer.root_at;
  file->root_bytes_ = footer.root_bytes;
  file->table_checksum_ = footer.table_checksum;
  file->identity_ = footer.checksum;
  file->verified_ = std::make_unique<std::atomic<std::uint64_t>[]>(pages / 64 + 1);
  return file;
}

void PagedFile::forget(std::uint64_t begin, std::uint64_t end) const {
  const auto* const pages = dynamic_cast<const fs::Forgetful*>(file_.get());
  if (pages != nullptr) pages->forget(begin, end);
}

Error PagedFile::corrupt(std::uint64_t at, std::string_view what) const {
  return {ErrorCode::kCorruption, fmt::format("{} at {}: {}", path_, at, what)};
}

Error PagedFile::outside(std::uint64_t at, std::uint64_t size) const {
  return corrupt(
      at, fmt::format("{} bytes are pointed to, the content ends at {}", size, content_bytes_));
}

Status PagedFile::verify_table() const {
  if (table_verified_.load(std::memory_order_acquire)) return {};
  const std::string_view table =
      bytes_.substr(content_bytes_, bytes_.size() - kFooterBytes - content_bytes_);
  const std::uint64_t computed = XXH3_64bits(table.data(), table.size());
  if (computed != table_checksum_) {
    return corrupt(content_bytes_, fmt::format("checksums of pages: checksum mismatch (stored "
                                               "{:016x}, computed {:016x})",
                                               table_checksum_, computed));
  }
  table_verified_.store(true, std::memory_order_release);
  return {};
}

Status PagedFile::verify_page(std::uint64_t page) const {
  VARVE_TRY(verify_table());
  std::uint64_t stored = 0;
  std::memcpy(&stored, bytes_.data() + content_bytes_ + page * 8, 8);
  const std::uint64_t at = page * kPageBytes;
  const std::uint64_t size = std::min<std::uint64_t>(kPageBytes, content_bytes_ - at);
  const std::uint64_t computed = XXH3_64bits(bytes_.data() + at, size);
  if (computed != stored) {
    return corrupt(at, fmt::format("page of {} bytes: checksum mismatch (stored {:016x}, computed "
                                   "{:016x})",
                                   size, stored, computed));
  }
  verified_[page >> 6].fetch_or(std::uint64_t{1} << (page & 63), std::memory_order_release);
  return {};
}

std::size_t PagedFile::verify(const std::function<void(const Error&)>& report) const {
  table_verified_.store(false, std::memory_order_release);
  if (const Status table = verify_table(); !table.ok()) {
    report(table.error());
    return 1;
  }
  std::size_t findings = 0;
  for (std::uint64_t page = 0; page * kPageBytes < content_bytes_; ++page) {
    const Status good = verify_page(page);
    if (good.ok()) continue;
    report(good.error());
    ++findings;
  }
  return findings;
}

}  // namespace varve::storage::block
