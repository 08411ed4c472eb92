// SPDX-License-Identifier: Apache-2.0
#include "storage/head/block_arena.h"

#include <catch2/catch.hpp>

#include <array>
#include <random>
#include <vector>

#include "storage/head/series.h"

namespace varve::storage::head {
namespace {

TEST_CASE("block arena: blocks of two shards do not overlap and keep their content",
          "[storage][head]") {
  base::MemoryAccount account("test");
  auto memory = BlockMemory::create(account);
  REQUIRE(memory.ok());
  std::array<BlockArena, 2> arenas{BlockArena(**memory), BlockArena(**memory)};
  // Chains that grow and end, each at a moment of its own.
  struct Chain {
    BlockRef newest = 0;
    std::size_t length = 0;
    unsigned char fill = 0;
  };
  std::mt19937 random(3);
  std::array<std::vector<Chain>, 2> held{std::vector<Chain>(200), std::vector<Chain>(200)};
  const auto intact = [&memory](const Chain& chain) {
    std::size_t length = 0;
    for (BlockRef ref = chain.newest; ref != 0; ref = (*memory)->at(ref).older, ++length) {
      for (const std::byte byte : (*memory)->at(ref).bytes) {
        if (byte != std::byte{chain.fill}) return false;
      }
    }
    return length == chain.length;
  };
  for (int step = 0; step < 50'000; ++step) {
    const std::size_t shard = random() % 2;
    Chain& chain = held[shard][random() % 200];
    if (random() % 8 == 0) {
      REQUIRE(intact(chain));
      arenas[shard].release(chain.newest);
      chain = Chain();
      chain.fill = static_cast<unsigned char>(random());
    } else {
      chain.newest = arenas[shard].allocate(chain.newest);
      (*memory)->at(chain.newest).bytes.fill(std::byte{chain.fill});
      ++chain.length;
    }
  }
  for (const auto& chains : held) {
    for (const Chain& chain : chains) REQUIRE(intact(chain));
  }
}

TEST_CASE("block arena: what is released is given out again before there is more",
          "[storage][head]") {
  base::MemoryAccount account("test");
  auto memory = BlockMemory::create(account);
  BlockArena arena(**memory);
  for (int round = 0; round < 20; ++round) {
    BlockRef newest = 0;
    for (std::size_t bytes = 0; bytes < (8U << 20); bytes += sizeof(Block)) {
      newest = arena.allocate(newest);
    }
    CHECK(arena.free_bytes() == 0);
    arena.release(newest);
    CHECK(arena.free_bytes() == 8U << 20);
  }
  CHECK(account.bytes() <= std::int64_t{10} << 20);
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
