// SPDX-License-Identifier: Apache-2.0
// Several blocks into one, series by series in the order of their labels. Chunks are concatenated
// as they are; memory does not grow with samples.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fs/file_system.h"
#include "storage/block/block.h"
#include "storage/block/meta.h"
#include "varve/result.h"

namespace varve::storage {

struct MergeRequest {
  std::vector<std::shared_ptr<block::Block>> sources;
  std::string directory;        // of the new block; does not exist
  std::string ulid;
  Timestamp window_begin_ms = 0, window_end_ms = 0;
  bool repack = false;          // put small chunks together
  std::function<bool(const Labels&)> leave_out;  // series that are to go; null: none
  const std::atomic<bool>* stop = nullptr;  // set: give up with kCanceled
};

// Writes and syncs a block of samples with what the sources have and their tombstones leave;
// nullopt, and no folder, if that is nothing. Of samples of one time that of the source that
// block::counts_before() the others stays, as readers had it. After an error the folder is the
// caller's to remove.
Result<std::optional<block::BlockMeta>> merge_blocks(fs::FileSystem& files, MergeRequest request);

}  // namespace varve::storage
