// SPDX-License-Identifier: Apache-2.0
#include "storage/head/snapshot_file.h"

#include <fmt/format.h>
#include <xxhash.h>
#include <zstd.h>

#include <charconv>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/try.h"

namespace varve::storage::head {
namespace {

// At 1 a core compresses half a gigabyte a second and saves nearly as much as at 3. Most of a shard
// are the bits of its open chunks, of which no level makes less.
constexpr int level_for(PieceKind kind) { return kind == PieceKind::kShard ? -1 : 1; }
// Synced at least every so many bytes, so that the log's syncs never wait long for a snapshot's.
constexpr std::uint64_t kSyncBytes = std::uint64_t{8} << 20;

struct PieceHeader {
  std::uint32_t magic = kPieceMagic;
  std::uint8_t kind = 0;
  std::uint8_t compressed = 0;
  std::uint16_t shard = 0;
  std::uint32_t stored_bytes = 0;
  std::uint32_t raw_bytes = 0;
  std::uint32_t segment = 0;
  std::uint32_t zero = 0;
  std::uint64_t seq = 0;
  std::uint64_t body_checksum = 0;    // of the stored bytes
  std::uint64_t header_checksum = 0;  // of the header's bytes before
};
static_assert(sizeof(PieceHeader) == kPieceHeaderBytes);

std::uint64_t checksum_of(const PieceHeader& header) {
  return XXH3_64bits(&header, offsetof(PieceHeader, header_checksum));
}

}  // namespace

std::string snapshot_name(std::uint32_t number) { return fmt::format("{:08}", number); }

std::optional<std::uint32_t> parse_snapshot_name(std::string_view name) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (name.size() < 8 || error != std::errc() || end != name.data() + name.size()) return {};
  return number;
}

Result<std::unique_ptr<SnapshotWriter>> SnapshotWriter::create(fs::FileSystem& files,
                                                               std::string directory,
                                                               std::uint32_t number) {
  std::unique_ptr<SnapshotWriter> writer(new SnapshotWriter(files, std::move(directory), number));
  VARVE_TRY_ASSIGN(writer->file_, files.open(fs::join(writer->directory_, writer->name_ + ".tmp"),
                                             fs::OpenMode::kTruncate));
  return writer;
}

Status SnapshotWriter::add(const PieceInfo& info, std::string_view bytes) {
  if (bytes.size() > kPieceBytesMax) {
    return Error(ErrorCode::kLimitExceeded,
                 fmt::format("a piece of a snapshot has {} bytes", bytes.size()));
  }
  compressed_.resize(ZSTD_compressBound(bytes.size()));
  const std::size_t size = ZSTD_compress(compressed_.data(), compressed_.size(), bytes.data(),
                                         bytes.size(), level_for(info.kind));
  const bool smaller = ZSTD_isError(size) == 0 && size < bytes.size();
  const std::string_view stored = smaller ? std::string_view(compressed_.data(), size) : bytes;
  PieceHeader header;
  header.kind = static_cast<std::uint8_t>(info.kind);
  header.compressed = smaller ? 1 : 0;
  header.shard = info.shard;
  header.stored_bytes = static_cast<std::uint32_t>(stored.size());
  header.raw_bytes = static_cast<std::uint32_t>(bytes.size());
  header.segment = info.segment;
  header.seq = info.seq;
  header.body_checksum = XXH3_64bits(stored.data(), stored.size());
  header.header_checksum = checksum_of(header);
  buffer_.append(reinterpret_cast<const char*>(&header), sizeof header);
  buffer_.append(stored);
  return buffer_.size() < kBufferBytes ? Status() : flush();
}

Status SnapshotWriter::add_stored(std::string_view piece) {
  buffer_.append(piece);
  return buffer_.size() < kBufferBytes ? Status() : flush();
}

Status SnapshotWriter::flush() {
  // A shard's piece may be far larger than the buffer.
  std::string_view left = buffer_;
  while (!left.empty()) {
    const std::string_view part = left.substr(0, kSyncBytes);
    VARVE_TRY(file_->write_at(offset_, part));
    offset_ += part.size();
    left.remove_prefix(part.size());
    if (offset_ - synced_ < kSyncBytes) continue;
    VARVE_TRY(file_->sync_data());
    synced_ = offset_;
  }
  buffer_.clear();
  return {};
}

Status SnapshotWriter::finish() {
  VARVE_TRY(flush());
  VARVE_TRY(file_->sync_data());
  file_.reset();
  VARVE_TRY(files_.rename(fs::join(directory_, name_ + ".tmp"), fs::join(directory_, name_)));
  return files_.sync_directory(directory_);
}

void SnapshotWriter::discard() {
  file_.reset();
  static_cast<void>(files_.remove(fs::join(directory_, name_ + ".tmp")).ok());
}

Status Piece::verify() const {
  const std::uint64_t computed = XXH3_64bits(stored.data(), stored.size());
  if (computed == checksum) return {};
  return Error(ErrorCode::kCorruption,
               fmt::format("piece at {}: checksum mismatch (stored {:016x}, computed {:016x})",
                           offset, checksum, computed));
}

Result<std::string_view> Piece::open(std::string& scratch) const {
  VARVE_TRY(verify());
  if (!compressed) return stored;
  // The size in the stream itself is not trusted to reserve memory, nor is the header's.
  const unsigned long long claimed = ZSTD_getFrameContentSize(stored.data(), stored.size());
  if (claimed != raw_bytes || raw_bytes > kPieceBytesMax) {
    return Error(ErrorCode::kCorruption, fmt::format("piece at {}: length", offset));
  }
  scratch.resize(raw_bytes);
  const std::size_t size =
      ZSTD_decompress(scratch.data(), scratch.size(), stored.data(), stored.size());
  if (ZSTD_isError(size) != 0 || size != raw_bytes) {
    return Error(ErrorCode::kCorruption, fmt::format("piece at {}: does not decompress", offset));
  }
  return std::string_view(scratch);
}

std::vector<Piece> find_pieces(std::string_view file, std::vector<Error>& gaps) {
  const std::uint32_t magic = kPieceMagic;
  const std::string_view needle(reinterpret_cast<const char*>(&magic), sizeof magic);
  std::vector<Piece> pieces;
  std::size_t at = 0;
  std::size_t gap = 0;  // where what is no piece began
  const auto end_gap = [&](std::size_t end) {
    if (gap < end) {
      gaps.emplace_back(ErrorCode::kCorruption,
                        fmt::format("{} bytes at {} are no piece of a snapshot", end - gap, gap));
    }
  };
  while (at + kPieceHeaderBytes <= file.size()) {
    PieceHeader header;
    std::memcpy(&header, file.data() + at, sizeof header);
    const std::size_t left = file.size() - at - kPieceHeaderBytes;
    if (header.magic != kPieceMagic || header.header_checksum != checksum_of(header) ||
        header.stored_bytes > left) {
      at = file.find(needle, at + 1);
      if (at == std::string_view::npos) break;
      continue;
    }
    end_gap(at);
    Piece piece;
    piece.info = {static_cast<PieceKind>(header.kind), header.shard, header.segment, header.seq};
    piece.offset = at;
    piece.stored = file.substr(at + kPieceHeaderBytes, header.stored_bytes);
    piece.raw_bytes = header.raw_bytes;
    piece.compressed = header.compressed != 0;
    piece.checksum = header.body_checksum;
    pieces.push_back(piece);
    at += kPieceHeaderBytes + header.stored_bytes;
    gap = at;
  }
  end_gap(file.size());
  return pieces;
}

}  // namespace varve::storage::head
