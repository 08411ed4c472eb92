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

  // The file of a block's directory: missing means empty. kCorruption names file and offset.
  static Result<Tombstones> read(fs::FileSystem& files, const std::string& directory);
  // Atomically (tmp, sync, rename, directory sync).
  Status write(fs::FileSystem& files, const std::string& directory) const;

 private:
  std::map<std::uint32_t, std::vector<TimeRange>> by_ordinal_;
};

}  // namespace varve::storage::block
