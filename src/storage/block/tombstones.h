// SPDX-License-Identifier: Apache-2.0
// Which samples of a block are deleted: time ranges by series ordinal. Immutable once made; the
// file is replaced as a whole. See FORMAT.md.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "fs/file_system.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::storage::block {

class Tombstones {
 public:
  // Merges with what is there. The range includes both ends.
  void add(std::uint32_t ordinal, TimeRange range);
  // Ascending, disjoint; empty if nothing of the series is deleted.
  std::span<const TimeRange> of(std::uint32_t ordinal) const;
  bool empty() const { return by_ordinal_.empty(); }
  std::size_t series_count() const { return by_ordinal_.size(); }
  const std::map<std::uint32_t, std::vector<TimeRange>>& all() const { return by_ordinal_; }
  // How often the block's file has been replaced, this one included; 0: there is none.
  std::uint64_t generation() const { return generation_; }
  void set_generation(std::uint64_t generation) { generation_ = generation; }

  // The file of a block's directory. `generation_min` is what somebody else knows to have been
  // written: without a file it must be 0 (nothing is deleted), and an older file is damage.
  // kCorruption names file and offset.
  static Result<Tombstones> read(fs::FileSystem& files, const std::string& directory,
                                 std::uint64_t generation_min = 0);
  // Atomically (tmp, sync, rename, directory sync). The generation is not 0.
  Status write(fs::FileSystem& files, const std::string& directory) const;

 private:
  std::uint64_t generation_ = 0;
  std::map<std::uint32_t, std::vector<TimeRange>> by_ordinal_;
};

}  // namespace varve::storage::block
