// SPDX-License-Identifier: Apache-2.0
// Which series of several sources are the same: a join by their 128-bit hashes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "storage/index/series_hash.h"

namespace varve::storage {

// Sources are added one after the other; every distinct hash becomes an entry, numbered in the
// order of its first appearance. Blocks of one database list their series in the same order, so the
// entry behind the last one found is tried first, and most joins never look anything up.
class SeriesJoin {
 public:
  static constexpr std::uint32_t kAbsent = 0xffffffff;

  // By entry, the position of its hash in `hashes`, or kAbsent. The list ends with the entries that
  // there were by then: later ones are absent. Precondition: hashes are distinct.
  std::vector<std::uint32_t> add(std::span<const index::SeriesHash> hashes);

  std::size_t size() const { return entries_.size(); }
  std::span<const index::SeriesHash> entries() const { return entries_; }

 private:
  std::uint32_t find(const index::SeriesHash& hash) const;
  void put(std::uint32_t entry);
  void build();

  std::vector<index::SeriesHash> entries_;
  std::vector<std::uint32_t> table_;  // of entries, by hash; empty until something is looked up
};

}  // namespace varve::storage
