// SPDX-License-Identifier: Apache-2.0
#include "storage/head/chunk_list.h"

namespace varve::storage::head {

void push_chunk(BlockArena& arena, HotSeries& series, const ChunkRef& chunk) {
  if (series.chunks == 0 || series.list_count == kListRefs) {
    series.chunks = arena.allocate(series.chunks);
    series.list_count = 0;
  }
  std::byte* const bytes = arena.at(series.chunks).bytes.data();
  std::memcpy(bytes + series.list_count * sizeof(ChunkRef), &chunk, sizeof(ChunkRef));
  ++series.list_count;
}

void release_chunks(BlockArena& arena, HotSeries& series) {
  arena.release(series.chunks);
  series.chunks = 0;
  series.list_count = 0;
}

}  // namespace varve::storage::head
