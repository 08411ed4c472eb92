// SPDX-License-Identifier: Apache-2.0
#include "storage/head/chunk_list.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <vector>

#include "storage/head/block_arena.h"
#include "storage/head/series.h"

namespace varve::storage::head {
namespace {

// A list by itself, beside what it should hold.
struct List {
  List() : memory(std::move(BlockMemory::create(account)).value()), arena(*memory) {
    // Blocks come with what was in them before.
    BlockRef chain = 0;
    for (int i = 0; i < 300; ++i) {
      chain = arena.allocate(chain);
      arena.at(chain).bytes.fill(std::byte{0xee});
    }
    arena.release(chain);
  }
  void push(const ChunkRef& chunk) {
    push_chunks(arena, series, std::span(&chunk, 1));
    expected.push_back(chunk);
  }
  std::vector<ChunkRef> newest_first() const {
    std::vector<ChunkRef> chunks;
    for_each_chunk(arena, series, [&chunks](const ChunkRef& chunk) {
      chunks.push_back(chunk);
      return true;
    });
    return chunks;
  }
  void check() const {
    const std::vector<ChunkRef> chunks = newest_first();
    const bool same = std::equal(chunks.begin(), chunks.end(), expected.rbegin(), expected.rend(),
                                 [](const ChunkRef& a, const ChunkRef& b) {
                                   return a.place.bits == b.place.bits && a.column == b.column;
                                 });
    CHECK(same);
  }
  std::size_t block_count() const {
    std::size_t count = 0;
    for (BlockRef at = series.chunks; at != 0; at = arena.at(at).older) ++count;
    return count;
  }

  base::MemoryAccount account{"test"};
  std::unique_ptr<BlockMemory> memory;
  BlockArena arena;
  HotSeries series;
  std::vector<ChunkRef> expected;
};

ChunkRef chunk_at(std::uint64_t offset, std::size_t length, TimeColumnId column,
                  ChunkRef::Tag tag = ChunkRef::kFloats) {
  ChunkRef chunk;
  chunk.place = SpillPlace::make(offset & ((std::uint64_t{1} << 40) - 1), length, tag);
  chunk.column = column;
  return chunk;
}

TEST_CASE("chunk list: gives back what was pushed, newest first", "[storage][head]") {
  const auto count = GENERATE(0U, 1U, 2U, 3U, 4U, 5U, 6U, 7U, 63U, 200U);
  CAPTURE(count);
  List list;
  for (unsigned i = 0; i < count; ++i) list.push(chunk_at(i * 100, i, i));
  list.check();
  release_chunks(list.arena, list.series);
  CHECK(list.newest_first().empty());
}

TEST_CASE("chunk list: any places and columns, also those that wrap", "[storage][head]") {
  const auto seed = GENERATE(range(0U, 50U));
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const auto number = [&random](unsigned bits_max) {
    const unsigned bits = static_cast<unsigned>(random() % (bits_max + 1));
    return bits == 0 ? 0 : random() >> (64 - bits);
  };
  List list;
  ChunkRef last = chunk_at(number(40), 1, static_cast<TimeColumnId>(number(32)));
  for (int i = 0; i < 300; ++i) {
    last = chunk_at(last.place.offset() + number(40), number(20),
                    last.column + static_cast<TimeColumnId>(number(32)),
                    random() % 4 == 0 ? ChunkRef::kHistograms : ChunkRef::kFloats);
    list.push(last);
  }
  list.check();
}

TEST_CASE("chunk list: as many at once as one by one", "[storage][head]") {
  const auto before = GENERATE(0U, 1U, 5U, 9U, 40U);
  const auto added = GENERATE(0U, 1U, 3U, 30U);
  CAPTURE(before, added);
  List list;
  for (unsigned i = 0; i < before; ++i) list.push(chunk_at(i * 5'000'000, 100 + i, 2 * i));
  std::vector<ChunkRef> more;
  for (unsigned i = before; i < before + added; ++i) {
    more.push_back(chunk_at(i * 5'000'000, 100 + i, 2 * i));
    list.expected.push_back(more.back());
  }
  std::reverse(more.begin(), more.end());
  push_chunks(list.arena, list.series, more);
  list.check();
}

TEST_CASE("chunk list: the visit ends when it is told to", "[storage][head]") {
  List list;
  for (unsigned i = 0; i < 40; ++i) list.push(chunk_at(i, 1, i));
  unsigned visited = 0;
  for_each_chunk(list.arena, list.series, [&](const ChunkRef& chunk) {
    CHECK(chunk.column == 39 - visited);
    return ++visited < 25;
  });
  CHECK(visited == 25);
}

TEST_CASE("chunk list: three hours at 15 s of one of a million series take one block",
          "[storage][head]") {
  List list;
  std::mt19937_64 random(1);
  ChunkRef last = chunk_at(std::uint64_t{7} << 30, 140, 20'000);
  for (int i = 0; i < 7; ++i) {
    // All of them close one in between.
    last = chunk_at(last.place.offset() + 120'000'000 + random() % 40'000'000, 90 + random() % 150,
                    last.column + 100);
    list.push(last);
  }
  list.check();
  CHECK(list.block_count() == 1);
}

}  // namespace
}  // namespace varve::storage::head
