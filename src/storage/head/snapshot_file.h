// SPDX-License-Identifier: Apache-2.0
// The container of a snapshot: one file of pieces, each compressed and under checksums of its own,
// so that damage costs one piece. Knows nothing of what the pieces say. See FORMAT.md, "Snapshot".
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fs/file_system.h"
#include "varve/result.h"

namespace varve::storage::head {

enum class PieceKind : std::uint8_t {
  kBegin = 1,
  kSeries = 2,
  kShard = 3,
  kColumns = 4,
  kFiles = 5,
  kExemplars = 6,
  kMetadata = 7,
  kEnd = 8,
};

// "VSN2", little-endian. The last byte is the format's version.
inline constexpr std::uint32_t kPieceMagic = 0x324e5356;
inline constexpr std::size_t kPieceHeaderBytes = 48;
// Uncompressed. A shard of ten million series with everything beside them has a tenth of that.
inline constexpr std::size_t kPieceBytesMax = std::size_t{1} << 31;

// What a piece's header says of it, beside lengths and checksums.
struct PieceInfo {
  PieceKind kind = PieceKind::kBegin;
  std::uint16_t shard = 0;
  std::uint32_t segment = 0;  // of a shard: the log is needed from this segment on,
  std::uint64_t seq = 0;      // and behind this frame
};

// "00000012" and back.
std::string snapshot_name(std::uint32_t number);
std::optional<std::uint32_t> parse_snapshot_name(std::string_view name);

// Writes `<name>.tmp`. Not thread-safe. After an error the file is rubbish: discard().
class SnapshotWriter {
 public:
  static Result<std::unique_ptr<SnapshotWriter>> create(fs::FileSystem& files,
                                                        std::string directory,
                                                        std::uint32_t number);
  Status add(const PieceInfo& info, std::string_view bytes);
  // A piece as it stands in another file, header and all. Precondition: it is sound.
  Status add_stored(std::string_view piece);
  // Syncs it and gives it its name, durably.
  Status finish();
  void discard();
  std::uint64_t size_bytes() const { return offset_ + buffer_.size(); }

 private:
  static constexpr std::size_t kBufferBytes = 1 << 20;  // written at once

  SnapshotWriter(fs::FileSystem& files, std::string directory, std::uint32_t number)
      : files_(files), directory_(std::move(directory)), name_(snapshot_name(number)) {}

  fs::FileSystem& files_;
  const std::string directory_;
  const std::string name_;
  Status flush();

  std::unique_ptr<fs::File> file_;
  std::uint64_t offset_ = 0;
  std::uint64_t synced_ = 0;
  std::string buffer_;  // behind offset_
  std::string compressed_;
};

// A piece as found: its header held.
struct Piece {
  PieceInfo info;
  std::uint64_t offset = 0;
  std::string_view stored;
  std::uint32_t raw_bytes = 0;
  bool compressed = false;
  std::uint64_t checksum = 0;

  // kCorruption unless the stored bytes are those that were written.
  Status verify() const;
  // Verified and decompressed, into `scratch` or in place. kCorruption.
  Result<std::string_view> open(std::string& scratch) const;
};

// Finds the pieces of a file. `gaps`: bytes that are no piece, each with its offset in the message.
// Pieces of another version are gaps. Any bytes will do.
std::vector<Piece> find_pieces(std::string_view file, std::vector<Error>& gaps);

}  // namespace varve::storage::head
