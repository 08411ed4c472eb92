// SPDX-License-Identifier: Apache-2.0
// The blocks that count, for tools: opened for reading, changing nothing, and with what is wrong
// beside them instead of an error.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fs/file_system.h"
#include "storage/block/block.h"
#include "storage/block/meta.h"
#include "varve/result.h"

namespace varve::storage {

struct OpenedBlock {
  block::BlockMeta meta;                // as the MANIFEST has it
  std::string folder;                   // its name in varve/dense
  std::shared_ptr<block::Block> block;  // null: see problem
  std::string problem;
};

struct OpenBlocks {
  std::vector<OpenedBlock> blocks;    // by time
  std::vector<std::string> problems;  // of the MANIFEST
};

// kNotFound if there is no varve/ at `path`; kInvalidArgument if a newer version wrote it.
Result<OpenBlocks> open_blocks(fs::FileSystem& files, const std::string& path);

}  // namespace varve::storage
