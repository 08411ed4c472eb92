// SPDX-License-Identifier: Apache-2.0
// Makes one block of a level: buckets folded from samples or from a finer level, beside those of blocks
// that are there already. Streams series by series.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fs/file_system.h"
#include "storage/block/block.h"
#include "storage/bucket_fold.h"
#include "storage/read_context.h"
#include "varve/result.h"

namespace varve::storage {

struct LevelRequest {
  std::vector<std::shared_ptr<block::Block>> old;  // of this level; apart in time
  // What new buckets are made of: blocks of samples (source_resolution_ms 0), or of a finer level.
  std::vector<std::shared_ptr<block::Block>> sources;
  std::int64_t source_resolution_ms = 0;
  FoldOptions fold;
  TimeRange ends{0, -1};  // of the buckets that are made anew; the others are the old ones
  // Of a series: where its samples (or finer buckets) begin to be complete, exclusive; buckets before
  // that stay as they are. nullopt: the level does not keep the series, nothing is made. Null: all.
  std::function<std::optional<Timestamp>(const Labels&)> complete_after;
  std::function<bool(const Labels&)> leave_out;  // series that are to go from the old ones; null: none
  std::string directory;                         // of the new block; does not exist
  std::string ulid;
  Timestamp window_begin_ms = 0, window_end_ms = 0;
  std::uint64_t hash_fingerprint = 0;
  const std::atomic<bool>* stop = nullptr;  // set: give up with kCanceled
};

// Writes and syncs the block; nullopt, and no folder, if it would have no buckets. What cannot be read
// of sources is reported to `context` and left out, what cannot be read of old blocks is an error.
// After an error the folder is the caller's to remove.
Result<std::optional<block::BlockMeta>> build_level(fs::FileSystem& files, LevelRequest request,
                                                    ReadContext& context);

}  // namespace varve::storage
