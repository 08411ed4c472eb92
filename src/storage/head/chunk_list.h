// SPDX-License-Identifier: Apache-2.0
// The closed chunks of a series: an array in an arena block that grows through the block sizes, then
// a chain of full blocks, the newest first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "storage/head/block_arena.h"
#include "storage/head/series.h"

namespace varve::storage::head {

// The first bytes of a list block; ChunkRefs follow, ascending in time.
struct ChunkListHeader {
  BlockRef older = 0;  // a full block
  std::uint16_t count = 0;
  BlockClass block_class = 0;
  std::uint8_t unused = 0;
};
static_assert(sizeof(ChunkListHeader) == 8);

inline ChunkListHeader& list_header(std::byte* block) {
  return *reinterpret_cast<ChunkListHeader*>(block);
}
inline ChunkRef* list_refs(std::byte* block) {
  return reinterpret_cast<ChunkRef*>(block + sizeof(ChunkListHeader));
}
constexpr std::size_t list_capacity(BlockClass block_class) {
  return (kBlockBytes[block_class] - sizeof(ChunkListHeader)) / sizeof(ChunkRef);
}

// Appends to the list that begins at `list` (0: empty) and returns where it begins now.
BlockRef push_chunk(BlockArena& arena, BlockRef list, const ChunkRef& chunk);

// Visits the chunks, newest first, while visit(chunk) returns true.
template <typename Visit>
void for_each_chunk(const BlockArena& arena, BlockRef list, const Visit& visit) {
  while (list != 0) {
    std::byte* block = arena.at(list);
    const ChunkListHeader& header = list_header(block);
    for (std::size_t i = header.count; i-- > 0;) {
      if (!visit(list_refs(block)[i])) return;
    }
    list = header.older;
  }
}

// Releases all blocks of a list.
void release_chunks(BlockArena& arena, BlockRef list);

}  // namespace varve::storage::head
