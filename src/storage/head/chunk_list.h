// SPDX-License-Identifier: Apache-2.0
// The closed chunks of a series: a chain of blocks, of which only the newest may have room.
#pragma once

#include <cstddef>
#include <cstring>

#include "storage/head/block_arena.h"
#include "storage/head/series.h"

namespace varve::storage::head {

// As a block has them: without the padding that ChunkRef ends with.
inline constexpr std::size_t kListRefBytes = sizeof(SpillPlace) + sizeof(TimeColumnId);
inline constexpr std::size_t kListRefs = sizeof(Block::bytes) / kListRefBytes;  // of a block

inline ChunkRef list_ref(const Block& block, std::size_t i) {
  ChunkRef ref;
  const std::byte* const at = block.bytes.data() + i * kListRefBytes;
  std::memcpy(&ref.place, at, sizeof ref.place);
  std::memcpy(&ref.column, at + sizeof ref.place, sizeof ref.column);
  return ref;
}

// Appends the newest chunk to the list.
void push_chunk(BlockArena& arena, HotSeries& series, const ChunkRef& chunk);

// Visits the chunks, newest first, while visit(chunk) returns true.
template <typename Visit>
void for_each_chunk(const BlockArena& arena, const HotSeries& series, const Visit& visit) {
  std::size_t count = series.list_count;
  for (BlockRef list = series.chunks; list != 0; count = kListRefs) {
    const Block& block = arena.at(list);
    while (count-- > 0) {
      if (!visit(list_ref(block, count))) return;
    }
    list = block.older;
  }
}

// Empties the list.
void release_chunks(BlockArena& arena, HotSeries& series);

}  // namespace varve::storage::head
