// SPDX-License-Identifier: Apache-2.0
// Blocks of a level: the buckets of a series in and out of the chunks of an ordinary block.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fs/file_system.h"
#include "storage/block/block.h"
#include "storage/block/writer.h"
#include "storage/bucket_fold.h"
#include "varve/result.h"

namespace varve::storage {

// Appends the buckets of a series that end in `ends` and are not deleted. kCorruption.
Status read_level(const block::Block& block, const block::Tombstones& tombstones,
                  std::uint32_t ordinal, TimeRange ends, FoldedSeries& out);

// Writes one level block, series by series in label order. Not thread-safe; an error ends it, and
// the directory is the caller's to remove.
class LevelWriter {
 public:
  static Result<std::unique_ptr<LevelWriter>> create(fs::FileSystem& files, std::string directory);

  // Of the series at hand, oldest first. Chunks as they stand in another block of the same level
  // are handed on if they are large enough; else they are put together with their neighbours.
  Status add(const block::Block& block, const block::Tombstones& tombstones, std::uint32_t ordinal,
             TimeRange ends);
  void add(FoldedSeries buckets);
  // Ends the series; nothing is written if it has no buckets.
  Status finish_series(const Labels& labels, const index::SeriesHash& hash);

  bool empty() const { return !any_; }
  // As block::Writer::finish().
  Result<block::BlockMeta> finish(block::BlockMeta meta) {
    return writer_->finish(std::move(meta));
  }

 private:
  // A float chunk with fewer buckets is put together with others.
  static constexpr std::uint32_t kSmallChunk = 96;

  explicit LevelWriter(std::unique_ptr<block::Writer> writer) : writer_(std::move(writer)) {}
  void flush_floats(bool all);
  void flush_histograms();
  void write_floats(std::span<const codec::Bucket> buckets);
  std::string_view keep(std::string bytes) { return kept_.emplace_back(std::move(bytes)); }

  const std::unique_ptr<block::Writer> writer_;
  FoldedSeries pending_;
  std::vector<block::ChunkToWrite> chunks_;
  std::vector<TimeRange> ranges_;  // of chunks_
  std::deque<std::string> kept_;   // what was encoded here
  bool any_ = false;
};

}  // namespace varve::storage
