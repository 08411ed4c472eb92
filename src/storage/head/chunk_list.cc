// SPDX-License-Identifier: Apache-2.0
#include "storage/head/chunk_list.h"

namespace varve::storage::head {

void push_chunk(BlockArena& arena, HotSeries& series, const ChunkRef& chunk) {
  if (series.chunks == 0 || series.list_count == kListRefs) {
    series.chunks = arena.allocate(series.chunks);
    series.list_count = 0;
  }
  std::byte* const at =
      arena.at(series.chunks).bytes.data() + series.list_count * kListRefBytes;
  std::memcpy(at, &chunk.place, sizeof chunk.place);
  std::memcpy(at + sizeof chunk.place, &chunk.column, sizeof chunk.column);
  ++series.list_count;
}

void release_chunks(BlockArena& arena, HotSeries& series) {
  arena.release(series.chunks);
  series.chunks = 0;
  series.list_count = 0;
}

}  // namespace varve::storage::head
