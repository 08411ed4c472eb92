// SPDX-License-Identifier: Apache-2.0
#include "storage/head/block_arena.h"

#include <catch2/catch.hpp>

#include <cstring>
#include <random>
#include <vector>

#include "storage/head/chunk_list.h"
#include "storage/head/series.h"

namespace varve::storage::head {
namespace {

TEST_CASE("block arena: blocks do not overlap and keep their content", "[storage][head]") {
  base::MemoryAccount account("test");
  auto memory = BlockMemory::create(account);
  REQUIRE(memory.ok());
  BlockArena arena(**memory);
  struct Held {
    BlockRef ref;
    BlockClass block_class;
    unsigned char fill;
  };
  std::vector<Held> held;
  std::mt19937 random(3);
  const auto intact = [&arena](const Held& block) {
    const std::byte* at = arena.at(block.ref);
    for (std::size_t i = 0; i < kBlockBytes[block.block_class]; ++i) {
      if (at[i] != std::byte{block.fill}) return false;
    }
    return true;
  };
  for (int step = 0; step < 20'000; ++step) {
    if (held.empty() || random() % 5 < (step < 10'000 ? 3U : 1U)) {
      Held block{0, static_cast<BlockClass>(random() % kBlockBytes.size()),
                 static_cast<unsigned char>(random())};
      block.ref = arena.allocate(block.block_class);
      std::memset(arena.at(block.ref), block.fill, kBlockBytes[block.block_class]);
      held.push_back(block);
    } else {
      const std::size_t at = random() % held.size();
      REQUIRE(intact(held[at]));
      arena.release(held[at].ref, held[at].block_class);
      held[at] = held.back();
      held.pop_back();
    }
  }
  for (const Held& block : held) REQUIRE(intact(block));
}

TEST_CASE("block arena: memory of one size serves another when it is free", "[storage][head]") {
  base::MemoryAccount account("test");
  auto memory = BlockMemory::create(account);
  BlockArena arena(**memory);
  std::vector<BlockRef> blocks;
  for (BlockClass block_class = 0; block_class < kBlockBytes.size(); ++block_class) {
    for (std::size_t bytes = 0; bytes < (8U << 20); bytes += kBlockBytes[block_class]) {
      blocks.push_back(arena.allocate(block_class));
    }
    for (const BlockRef ref : blocks) arena.release(ref, block_class);
    blocks.clear();
  }
  CHECK(account.bytes() <= std::int64_t{12} << 20);
}

TEST_CASE("block arena: pages stay full while blocks of all sizes come and go", "[storage][head]") {
  base::MemoryAccount account("test");
  auto memory = BlockMemory::create(account);
  BlockArena arena(**memory);
  // Chunks that grow through the sizes and end, each at a moment of its own.
  struct Chunk {
    BlockRef ref = 0;
    BlockClass block_class = 0;
    BlockClass last = 0;
  };
  std::mt19937 random(7);
  std::vector<Chunk> chunks(20'000);
  std::size_t live = 0;
  for (int step = 0; step < 600'000; ++step) {
    Chunk& chunk = chunks[random() % chunks.size()];
    if (chunk.ref != 0) {
      arena.release(chunk.ref, chunk.block_class);
      live -= kBlockBytes[chunk.block_class];
    }
    if (chunk.ref == 0 || chunk.block_class == chunk.last) {
      chunk.block_class = 0;
      chunk.last = static_cast<BlockClass>(random() % kBlockBytes.size());
    } else {
      ++chunk.block_class;
    }
    chunk.ref = arena.allocate(chunk.block_class);
    live += kBlockBytes[chunk.block_class];
  }
  CHECK(static_cast<double>(account.bytes()) < 1.4 * static_cast<double>(live));
}

TEST_CASE("chunk list: gives back what was pushed, newest first", "[storage][head]") {
  base::MemoryAccount account("test");
  auto memory = BlockMemory::create(account);
  BlockArena arena(**memory);
  const auto count = GENERATE(0U, 1U, 2U, 4U, 63U, 64U, 200U);
  BlockRef list = 0;
  for (unsigned i = 0; i < count; ++i) {
    ChunkRef chunk;
    chunk.place = SpillPlace::make(i * 100, i, 1);
    chunk.column = i;
    list = push_chunk(arena, list, chunk);
  }
  unsigned expected = count;
  for_each_chunk(arena, list, [&](const ChunkRef& chunk) {
    --expected;
    CHECK(chunk.column == expected);
    CHECK(chunk.place.offset() == expected * 100);
    CHECK(chunk.place.length() == expected);
    CHECK(chunk.place.tag() == 1);
    return true;
  });
  CHECK(expected == 0);
  release_chunks(arena, list);
}

TEST_CASE("chunk ranges end at multiples of two hours", "[storage][head]") {
  CHECK(chunk_range_end(0) == kChunkRangeMs);
  CHECK(chunk_range_end(kChunkRangeMs - 1) == kChunkRangeMs);
  CHECK(chunk_range_end(kChunkRangeMs) == 2 * kChunkRangeMs);
  CHECK(chunk_range_end(-1) == 0);
  CHECK(chunk_range_end(-kChunkRangeMs) == 0);
  CHECK(chunk_range_end(-kChunkRangeMs - 1) == -kChunkRangeMs);
  for (const Timestamp t : {TimeRange::all().min_ms, TimeRange::all().min_ms + 1,
                            TimeRange::all().max_ms - 1, TimeRange::all().max_ms}) {
    const Timestamp end = chunk_range_end(t);
    CHECK(end >= t);
    CHECK(static_cast<std::uint64_t>(end) - static_cast<std::uint64_t>(t) <= kChunkRangeMs);
  }
}

}  // namespace
}  // namespace varve::storage::head
