// SPDX-License-Identifier: Apache-2.0
// The window index against looking at every sample at every step.
#include "promql/eval/window_index.h"

#include <catch2/catch.hpp>

#include <random>

namespace varve::promql {
namespace {

TEST_CASE("window index: every window holds exactly its samples", "[promql][eval]") {
  const auto seed = GENERATE(range(1u, 40u));
  CAPTURE(seed);
  std::mt19937 random(seed);
  std::vector<Timestamp> times;
  Timestamp t = static_cast<Timestamp>(random() % 2000) - 1000;
  const std::size_t count = random() % 60;
  const unsigned spread = seed % 3 == 0 ? 1 : seed % 3 == 1 ? 3 : 50;  // 1: evenly
  for (std::size_t i = 0; i < count; ++i) {
    times.push_back(t);
    t += 1 + (spread < 50 ? 14 : 0) + static_cast<Timestamp>(random() % spread);
  }
  WindowShape shape;
  shape.first_end_ms = static_cast<Timestamp>(random() % 2000) - 1000;
  shape.step_ms = random() % 4 == 0 ? 0 : 1 + static_cast<Timestamp>(random() % 100);
  shape.range_ms = 1 + static_cast<Timestamp>(random() % 300);
  shape.count = 1 + random() % 30;
  shape.reach_back_ms = random() % 3 == 0 ? 40 : 0;
  shape.reach_forward_ms = random() % 3 == 0 ? 30 : 0;

  const WindowIndex index = index_windows(times, shape);
  std::uint64_t total = 0;
  for (std::size_t step = 0; step < shape.count; ++step) {
    CAPTURE(step);
    const Timestamp end = shape.end_ms(step) + shape.reach_forward_ms;
    const Timestamp start = shape.end_ms(step) - shape.range_ms - shape.reach_back_ms;
    std::size_t inside = 0;
    for (std::size_t i = 0; i < times.size(); ++i) {
      const bool in = times[i] > start && times[i] <= end;
      inside += in ? 1 : 0;
      REQUIRE(in == (i >= index.lo[step] && i < index.hi[step]));
      if (in) REQUIRE(shape.span().contains(times[i]));
    }
    total += inside;
  }
  REQUIRE(total == index.samples_total);
}

TEST_CASE("window index: the cache gives series of one id one index", "[promql][eval]") {
  const std::vector<Timestamp> times{10, 20, 30};
  WindowShape shape;
  shape.first_end_ms = 30;
  shape.range_ms = 15;
  shape.count = 1;
  WindowIndexCache cache(shape);
  REQUIRE(cache.get(7, times) == cache.get(7, times));
  REQUIRE(cache.get(0, times) != cache.get(0, times));
  WindowIndexLookup lookup(cache);
  const SharedWindowIndex* first = &lookup.find(0, times);
  REQUIRE(first == &lookup.find(0, times));  // equal times, though without an id
  const std::vector<Timestamp> others{10, 20, 31};
  REQUIRE(lookup.find(0, others).index.hi[0] == 2);
}

TEST_CASE("window index: times that are not those of their id share no index", "[promql][eval]") {
  const std::vector<Timestamp> times{10, 20, 30};
  const std::vector<Timestamp> others =
      GENERATE(std::vector<Timestamp>{}, std::vector<Timestamp>{30}, std::vector<Timestamp>{10, 30},
               std::vector<Timestamp>{11, 20, 30}, std::vector<Timestamp>{10, 20, 31});
  WindowShape shape;
  shape.first_end_ms = 30;
  shape.range_ms = 30;
  shape.count = 1;
  const WindowIndex expected = index_windows(others, shape);
  WindowIndexCache cache(shape);
  WindowIndexLookup lookup(cache);
  REQUIRE(lookup.find(7, times).index.hi[0] == 3);
  CHECK(lookup.find(7, others).index.hi == expected.hi);  // against the series before
  CHECK(WindowIndexLookup(cache).find(7, others).index.hi == expected.hi);
  CHECK(cache.get(7, times)->index.hi[0] == 3);
}

}  // namespace
}  // namespace varve::promql
