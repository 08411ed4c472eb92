// SPDX-License-Identifier: Apache-2.0
#include "storage/head/chunk_list.h"

namespace varve::storage::head {
namespace {

// Lists grow by two sizes at once, through every second one: room for four more chunks. All lists
// grow at about the same time, and what they leave would otherwise be held by the few open chunks
// that lie between them: it was a tenth of the memory of a head of two hours.
constexpr BlockClass kGrowBy = 2;

}  // namespace

BlockRef push_chunk(BlockArena& arena, BlockRef list, const ChunkRef& chunk) {
  if (list != 0) {
    std::byte* block = arena.at(list);
    ChunkListHeader& header = list_header(block);
    if (header.count < list_capacity(header.block_class)) {
      list_refs(block)[header.count++] = chunk;
      return list;
    }
  }
  const bool grow = list != 0 && list_header(arena.at(list)).block_class + std::size_t{kGrowBy} <
                                     kBlockBytes.size();
  const BlockClass block_class =
      grow ? static_cast<BlockClass>(list_header(arena.at(list)).block_class + kGrowBy)
           : BlockClass{0};
  const BlockRef larger = arena.allocate(block_class);
  std::byte* to = arena.at(larger);
  ChunkListHeader header{.older = list, .count = 0, .block_class = block_class, .unused = 0};
  if (grow) {
    std::byte* from = arena.at(list);
    header.older = list_header(from).older;
    header.count = list_header(from).count;
    std::memcpy(list_refs(to), list_refs(from), header.count * sizeof(ChunkRef));
    arena.release(list, list_header(from).block_class);
  }
  list_refs(to)[header.count++] = chunk;
  list_header(to) = header;
  return larger;
}

void release_chunks(BlockArena& arena, BlockRef list) {
  while (list != 0) {
    const ChunkListHeader header = list_header(arena.at(list));
    arena.release(list, header.block_class);
    list = header.older;
  }
}

}  // namespace varve::storage::head
