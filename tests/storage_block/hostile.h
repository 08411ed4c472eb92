// SPDX-License-Identifier: Apache-2.0
// Blocks whose bytes are anything but whose checksums are right, so that what lies behind the
// checksums is put to the test; and reading all there is of a block.
#pragma once

#include <string>
#include <string_view>

#include "fs/fault_fs.h"
#include "storage/block/block.h"

namespace varve::storage::block {

// The content of a block's two files, without what closes them.
struct Contents {
  std::string index;
  std::string data;
  std::uint32_t root_bytes = 0;  // the last of the index

  static Contents of(fs::FileSystem& files, const std::string& directory);
  // One run of bytes, and back from any.
  std::string pack() const;
  static Contents unpack(std::string_view bytes);
  // Writes them, as good files, as a block. False if they are too short even for that.
  bool write(fs::FileSystem& files, const std::string& directory) const;
};

// Calls everything a block has. What comes back is of no interest: only that it does.
void read_everything(const Block& block);

}  // namespace varve::storage::block
