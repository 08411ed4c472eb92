// SPDX-License-Identifier: Apache-2.0
// The closed chunks of a series: a chain of blocks, each as full as it was when another was needed.
// A block has its chunks from the oldest on, each as the difference to the one before: what lies
// between two chunks of a series is what all the others wrote meanwhile, a few megabytes, so that
// most take 6 to 8 bytes of their 12, and the chunks of three hours at 15 s fit in one block.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "storage/head/block_arena.h"
#include "storage/head/series.h"

namespace varve::storage::head {

// A byte of widths, and the least that a column, an offset and a length take.
inline constexpr std::size_t kListEntryBytesMin = 4;
inline constexpr std::size_t kListRefsMax = sizeof(Block::bytes) / kListEntryBytesMin;

// The chunks that a block has, oldest first.
class ListBlock {
 public:
  explicit ListBlock(const Block& block);

  std::span<const ChunkRef> refs() const { return std::span(refs_).first(count_); }
  std::size_t used_bytes() const { return used_; }

 private:
  std::array<ChunkRef, kListRefsMax> refs_;
  std::size_t count_ = 0;
  std::size_t used_ = 0;
};

// Appends chunks to the list, each newer than those before; `newest_first` as for_each_chunk visits
// them. Precondition: their tags are ChunkRef's.
void push_chunks(BlockArena& arena, HotSeries& series, std::span<const ChunkRef> newest_first);

// Visits the chunks, newest first, while visit(chunk) returns true.
template <typename Visit>
void for_each_chunk(const BlockArena& arena, const HotSeries& series, const Visit& visit) {
  for (BlockRef at = series.chunks; at != 0; at = arena.at(at).older) {
    const ListBlock block(arena.at(at));
    const std::span<const ChunkRef> refs = block.refs();
    for (std::size_t i = refs.size(); i-- > 0;) {
      if (!visit(refs[i])) return;
    }
  }
}

// Empties the list.
void release_chunks(BlockArena& arena, HotSeries& series);

}  // namespace varve::storage::head
