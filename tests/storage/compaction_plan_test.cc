// SPDX-License-Identifier: Apache-2.0
#include "storage/compaction_plan.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>

#include "storage/retention.h"

namespace varve::storage::test {
namespace {

constexpr std::int64_t kHour = 3'600'000;
const std::vector<std::int64_t> kWindows{2 * kHour, 24 * kHour, 168 * kHour};

block::BlockMeta block_of(Timestamp begin_h, std::int64_t hours, std::uint64_t bytes = 1000,
                          int number = 0) {
  block::BlockMeta meta;
  meta.ulid = std::to_string(begin_h) + "+" + std::to_string(hours) + "#" + std::to_string(number);
  meta.window_begin_ms = begin_h * kHour;
  meta.window_end_ms = (begin_h + hours) * kHour;
  meta.range = {meta.window_begin_ms, meta.window_end_ms - 1};
  meta.bytes = bytes;
  return meta;
}

std::optional<CompactionPlan> plan(const std::vector<block::BlockMeta>& blocks, Timestamp settled_h,
                                   bool force = false) {
  return plan_compaction({blocks, kWindows, settled_h * kHour, force});
}

TEST_CASE("compaction plan: a window is merged when it has ended, not before", "[storage]") {
  std::vector<block::BlockMeta> blocks;
  for (int h = 0; h < 24; h += 2) {
    blocks.push_back(block_of(h, 2));
    CHECK_FALSE(plan(blocks, h + 2 - 1));
  }
  CHECK_FALSE(plan(blocks, 23));
  const auto found = plan(blocks, 24);
  REQUIRE(found);
  CHECK(found->sources.size() == 12);
  CHECK(found->window_begin_ms == 0);
  CHECK(found->window_end_ms == 24 * kHour);
  CHECK(found->repack);
}

TEST_CASE("compaction plan: a week is made at once from what there is", "[storage]") {
  std::vector<block::BlockMeta> blocks{block_of(0, 24), block_of(24, 24)};
  for (int h = 48; h < 168; h += 2) blocks.push_back(block_of(h, 2));
  const auto found = plan(blocks, 168);
  REQUIRE(found);
  CHECK(found->sources.size() == blocks.size());
  CHECK(found->window_end_ms == 168 * kHour);
}

TEST_CASE("compaction plan: a window that is set aside leaves what is in it to smaller ones",
          "[storage]") {
  std::vector<block::BlockMeta> blocks{block_of(0, 24), block_of(24, 2), block_of(24, 2, 1000, 1),
                                       block_of(26, 2)};
  std::vector<TimeRange> set_aside;
  std::vector<Timestamp> lengths_h;
  while (const auto found =
             plan_compaction({blocks, kWindows, 168 * kHour, false, set_aside})) {
    lengths_h.push_back((found->window_end_ms - found->window_begin_ms) / kHour);
    set_aside.push_back({found->window_begin_ms, found->window_end_ms});
    REQUIRE(set_aside.size() < 10);
  }
  CHECK(lengths_h == std::vector<Timestamp>{168, 24, 2});
}

TEST_CASE("compaction plan: one block alone is left as it is", "[storage]") {
  CHECK_FALSE(plan({block_of(0, 2)}, 1000, true));
  CHECK_FALSE(plan({block_of(0, 24), block_of(168, 24)}, 1000, true));
}

TEST_CASE("compaction plan: blocks of one small window are merged once it has ended", "[storage]") {
  const std::vector<block::BlockMeta> blocks{block_of(2, 2), block_of(2, 2, 10, 1)};
  CHECK_FALSE(plan(blocks, 3));
  const auto found = plan(blocks, 4);
  REQUIRE(found);
  CHECK(found->window_begin_ms == 2 * kHour);
  CHECK(found->window_end_ms == 4 * kHour);
  CHECK_FALSE(found->repack);
}

TEST_CASE("compaction plan: a few late samples do not have a large block rewritten", "[storage]") {
  std::vector<block::BlockMeta> blocks{block_of(0, 24, 100'000), block_of(4, 2, 10)};
  CHECK_FALSE(plan(blocks, 30));
  CHECK(plan(blocks, 30, true));
  blocks.push_back(block_of(6, 2, 20'000));
  CHECK(plan(blocks, 30));
  blocks.pop_back();
  for (int i = 1; i < 4; ++i) blocks.push_back(block_of(4, 2, 10, i));
  CHECK(plan(blocks, 30));
}

TEST_CASE("compaction plan: on demand an unfinished day is merged, not an unfinished week",
          "[storage]") {
  std::vector<block::BlockMeta> blocks{block_of(0, 24), block_of(24, 2), block_of(26, 2)};
  const auto found = plan(blocks, 28, true);
  REQUIRE(found);
  CHECK(found->window_begin_ms == 24 * kHour);
  CHECK(found->window_end_ms == 48 * kHour);
}

TEST_CASE("compaction plan: following the plans ends, with each sample in one block", "[storage]") {
  for (unsigned seed = 0; seed < 50; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    std::vector<block::BlockMeta> blocks;
    int number = 0;
    for (int i = 0; i < 60; ++i) {
      const int h = 2 * static_cast<int>(random() % 200) - 100;
      blocks.push_back(block_of(h, 2, 1 + random() % 1000, number++));
    }
    const bool force = seed % 2 == 0;
    int merges = 0;
    while (const auto found = plan(blocks, 250, force)) {
      REQUIRE(++merges < 200);
      REQUIRE(found->sources.size() >= 2);
      std::uint64_t bytes = 0;
      for (const std::string& source : found->sources) {
        const auto at = std::find_if(blocks.begin(), blocks.end(),
                                     [&source](const auto& b) { return b.ulid == source; });
        REQUIRE(at != blocks.end());
        CHECK(at->window_begin_ms >= found->window_begin_ms);
        CHECK(at->window_end_ms <= found->window_end_ms);
        bytes += at->bytes;
        blocks.erase(at);
      }
      block::BlockMeta merged = block_of(0, 2, bytes, number++);
      merged.window_begin_ms = found->window_begin_ms;
      merged.window_end_ms = found->window_end_ms;
      blocks.push_back(merged);
    }
  }
}

TEST_CASE("windows begin at multiples of their length, before the epoch too", "[storage]") {
  CHECK(window_begin(0, 10) == 0);
  CHECK(window_begin(9, 10) == 0);
  CHECK(window_begin(10, 10) == 10);
  CHECK(window_begin(-1, 10) == -10);
  CHECK(window_begin(-10, 10) == -10);
  CHECK(window_begin(TimeRange::all().min_ms, 10) == TimeRange::all().min_ms);
}

TEST_CASE("retention: by time what lies wholly before, by size the oldest", "[storage]") {
  std::vector<KeptBlock> blocks;
  for (int h = 0; h < 10; h += 2) blocks.push_back({block_of(h, 2), 100});
  CHECK(excess_blocks(blocks, 0, 0).empty());
  CHECK(excess_blocks(blocks, 0, 500).empty());
  CHECK(excess_blocks(blocks, 0, 499) == std::vector{blocks[0].meta.ulid});
  CHECK(excess_blocks(blocks, 100, 400) == std::vector{blocks[0].meta.ulid, blocks[1].meta.ulid});
  CHECK(excess_blocks(blocks, 1000, 10).size() == 5);
}

}  // namespace
}  // namespace varve::storage::test
