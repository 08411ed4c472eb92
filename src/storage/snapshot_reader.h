// SPDX-License-Identifier: Apache-2.0
// The newest snapshot of the head, as recovery needs it: found, checked, and decoded piece by
// piece.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "fs/file_system.h"
#include "storage/head/head.h"
#include "storage/head/shard_image.h"
#include "storage/head/snapshot_file.h"
#include "storage/recovery.h"
#include "varve/result.h"

namespace varve::storage {

// Pieces may be read by several threads at once.
class SnapshotReader {
 public:
  // Without a snapshot: one that has nothing. What a crash left half-written is removed. kIo.
  // `expected` is the number of one that has been there, 0: none. Unless it or a newer one is,
  // that is kCorruption, or counts as damage if `repair`.
  static Result<SnapshotReader> open(fs::FileSystem& files, const std::string& directory,
                                     std::uint32_t expected, bool repair, base::Logger& log);

  const RecoveredSnapshot& info() const { return info_; }
  // It was expected and is not there: the log begins behind it.
  bool missing() const { return missing_; }
  // Behind this frame the log goes on for a shard; 0: from its beginning.
  std::uint64_t covered_seq(unsigned shard) const { return seqs_[shard]; }
  // The smallest of them; frames up to it are needed by nobody.
  std::uint64_t needed_after_seq() const;
  std::uint64_t newest_seq() const;
  std::uint32_t newest_segment() const;

  // Each decodes its pieces, calls back, and reports damage to the log.
  // The image of a shard; empty if there is none.
  void shard(unsigned shard, head::ShardImage& image);
  // An error of `take` is damage as well.
  void columns(
      const std::function<Status(std::uint64_t begin, std::vector<head::TimeColumn>&)>& take);
  // False if it is not known which files there are.
  bool head_files(std::vector<head::SpillFileInfo>& out);
  // Ascending by id; labels live until `take` returns.
  void series(const std::function<void(SeriesId, std::string_view labels)>& take);
  void exemplars(const std::function<void(SeriesId, const ExemplarSample&)>& take);
  void metadata(const std::function<void(const MetadataEntry&)>& take);
  struct End {
    std::uint32_t next_id = 0;
    Timestamp min_ms = TimeRange::all().max_ms;
    Timestamp max_ms = TimeRange::all().min_ms;
    bool known = false;
  };
  End end();

  // Whether something of it was lost so far.
  bool damaged() const { return damaged_->load(std::memory_order_relaxed); }

 private:
  explicit SnapshotReader(base::Logger& log) : log_(&log) {}
  void each(head::PieceKind kind, const std::function<Status(std::string_view)>& decode);
  void report(const Error& error);

  base::Logger* log_;
  std::string path_;
  RecoveredSnapshot info_;
  bool missing_ = false;
  std::unique_ptr<fs::MappedFile> file_;
  std::vector<head::Piece> pieces_;
  std::array<std::uint64_t, head::kShards> seqs_{};
  std::unique_ptr<std::atomic<bool>> damaged_ = std::make_unique<std::atomic<bool>>(false);
};

}  // namespace varve::storage
