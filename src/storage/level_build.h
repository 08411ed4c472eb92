// SPDX-License-Identifier: Apache-2.0
// Makes one block of a level: buckets folded from samples or from a finer level, beside those of
// blocks that are there already. Streams series by series.
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

// What buckets can be made of: blocks of samples (resolution 0), or of a finer level.
struct LevelSource {
  std::int64_t resolution_ms = 0;
  std::vector<std::shared_ptr<block::Block>> blocks;
};

// Buckets of one series that are made anew, of one source.
struct LevelPiece {
  TimeRange ends;
  std::size_t source = 0;
  // Whether the source has all that these buckets are about. If not, old ones stay where there are
  // any.
  bool whole = true;
};

struct LevelRequest {
  std::vector<std::shared_ptr<block::Block>> old;  // of this level; apart in time
  std::vector<LevelSource> sources;
  FoldOptions fold;
  // Of a series: ascending, apart; buckets beside them are the old ones. Null: nothing is made.
  std::function<std::vector<LevelPiece>(const Labels&)> pieces;
  std::function<bool(const Labels&)>
      leave_out;  // series that are to go from the old ones; null: none
  std::string directory;                         // of the new block; does not exist
  std::string ulid;
  Timestamp window_begin_ms = 0, window_end_ms = 0;
  std::uint64_t hash_fingerprint = 0;
  const std::atomic<bool>* stop = nullptr;  // set: give up with kCanceled
};

// Writes and syncs the block; nullopt, and no folder, if it would have no buckets. What cannot be
// read of sources is reported to `context` and left out, what cannot be read of old blocks is an
// error. After an error the folder is the caller's to remove.
Result<std::optional<block::BlockMeta>> build_level(fs::FileSystem& files, LevelRequest request,
                                                    ReadContext& context);

}  // namespace varve::storage
