// SPDX-License-Identifier: Apache-2.0
// What the head has, as blocks: for the cut, for series that leave, and for snapshots. Chunks that
// are closed are copied as they are.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "fs/file_system.h"
#include "storage/block_store.h"
#include "storage/head/head.h"
#include "storage/write_path.h"
#include "varve/result.h"

namespace varve::storage {

struct HeadBlocksRequest {
  index::IdSpan ids;            // in the order of their labels (index::HeadIndex::label_order)
  Timestamp before_ms = 0;      // what lies before this is taken
  head::TakeLate late = head::TakeLate::kFrozen;
  // Leaves open chunks open: copies them instead of closing them. Then before_ms is not looked at:
  // everything is taken, late samples too.
  bool copy = false;
  // Where a block with a ULID is to be written; the folder does not exist.
  std::function<std::string(std::string_view ulid)> path;
  Timestamp now_ms = 0;         // for ULIDs
  std::size_t windows_at_once = 32;  // blocks open for writing; more windows take more passes
  const std::atomic<bool>* stop = nullptr;  // set: give up with kCanceled
};

struct HeadBlocks {
  std::vector<FinishedBlock> blocks;  // one per window of head::kChunkRangeMs, synced
  std::vector<Retiring> series;       // one per id: what had come to it when it was taken
  std::uint64_t chunks_lost = 0;      // could not be read for their content: logged, left out
};

// By one thread at a time. Takes a shard's mutex for one series at a time. After an error the
// folders it made are removed as far as that is possible.
Result<HeadBlocks> write_head_blocks(fs::FileSystem& files, const head::Head& head,
                                     const HeadBlocksRequest& request, base::Logger& log);

}  // namespace varve::storage
