// SPDX-License-Identifier: Apache-2.0
#include "storage/codec/times.h"

#include <bit>
#include <catch2/catch.hpp>
#include <limits>
#include <random>
#include <vector>

#include "shapes.h"

using namespace varve;
using namespace varve::storage::codec;

namespace {

std::vector<std::uint8_t> encode(const std::vector<Timestamp>& times) {
  std::vector<std::uint8_t> bytes(kTimesBytesMax);
  bytes.resize(encode_times(times, bytes.data()));
  return bytes;
}

void check_round_trip(const std::vector<Timestamp>& times) {
  const std::vector<std::uint8_t> bytes = encode(times);
  std::vector<Timestamp> got(times.size());
  const auto taken = decode_times(bytes, times.size(), got.data());
  REQUIRE(taken.ok());
  CHECK(*taken == bytes.size());
  CHECK(got == times);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(decode_times({bytes.data(), size}, times.size(), got.data()).ok());
  }
}

}  // namespace

TEST_CASE("time block: any times come back", "[storage][codec]") {
  const auto count = GENERATE(1u, 2u, 3u, 64u, 65u, 120u, 128u);
  const auto seed = GENERATE(range(1u, 30u));
  CAPTURE(count, seed);
  check_round_trip(steady_times(count));
  check_round_trip(jittered_times(seed, count));
  check_round_trip(gapped_times(seed, count));
  std::mt19937_64 random(seed);
  std::vector<Timestamp> times;
  for (unsigned i = 0; i < count; ++i) times.push_back(std::bit_cast<Timestamp>(random()));
  check_round_trip(times);
  for (Timestamp& time : times) time >>= random() % 64;
  check_round_trip(times);
  std::sort(times.begin(), times.end());
  check_round_trip(times);
}

TEST_CASE("time block: the ends of time", "[storage][codec]") {
  constexpr Timestamp kMin = std::numeric_limits<Timestamp>::min();
  constexpr Timestamp kMax = std::numeric_limits<Timestamp>::max();
  check_round_trip({kMin, kMax});
  check_round_trip({kMin, 0, kMax});
  check_round_trip({kMax - 2, kMax - 1, kMax});
  check_round_trip({kMin, kMin + 1, kMin + (Timestamp{1} << 54)});
}

TEST_CASE("time block: scrapes are small", "[storage][codec]") {
  CHECK(encode(steady_times(120)).size() <= 12);
  CHECK(encode(jittered_times(1, 120)).size() <= 60);
  CHECK(encode(gapped_times(1, 120)).size() <= 25);
}

TEST_CASE("time block: equal columns have equal hashes", "[storage][codec]") {
  CHECK(hash_times(steady_times(120)) == hash_times(steady_times(120)));
  CHECK(hash_times(steady_times(120)) != hash_times(steady_times(119)));
  CHECK(hash_times(steady_times(120)) != hash_times(jittered_times(1, 120)));
}

TEST_CASE("time block: the bytes are pinned", "[storage][codec]") {
  CHECK(encode({1000, 2000, 3000}) ==
        std::vector<std::uint8_t>{0x01, 0x00, 0xd0, 0x0f, 0xd0, 0x0f});
}
