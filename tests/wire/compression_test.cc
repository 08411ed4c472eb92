// SPDX-License-Identifier: Apache-2.0
#include "wire/compression.h"

#include <catch2/catch.hpp>
#include <random>

namespace varve::wire {
namespace {

TEST_CASE("snappy: round trips, up to exactly the bound", "[wire]") {
  const auto size = GENERATE(0u, 1u, 100u, 70'000u);
  std::string plain;
  std::mt19937 random(size);
  while (plain.size() < size) plain += "label" + std::to_string(random() % 100);
  plain.resize(size);
  std::string compressed;
  snappy_compress(plain, compressed);
  std::string out = "something longer that was there before";
  REQUIRE(snappy_decompress(compressed, size, out).ok());
  CHECK(out == plain);
  if (size > 0) {
    const Status refused = snappy_decompress(compressed, size - 1, out);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code() == ErrorCode::kLimitExceeded);
  }
}

TEST_CASE("snappy: the densest block is not taken for a bomb", "[wire]") {
  std::string compressed;
  snappy_compress(std::string(10 << 20, 'x'), compressed);
  std::string out;
  CHECK(snappy_decompress(compressed, 10 << 20, out).ok());
}

TEST_CASE("snappy: twelve bytes that claim 4 GB are refused without allocating", "[wire]") {
  const std::string bomb("\xff\xff\xff\xff\x0f\x00\x00\x00\x00\x00\x00\x00", 12);
  std::string out;
  Status refused = snappy_decompress(bomb, 64 << 20, out);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code() == ErrorCode::kLimitExceeded);
  // Nor does a claim below the limit get memory that so few bytes cannot fill.
  refused = snappy_decompress(bomb, std::size_t{8} << 30, out);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code() == ErrorCode::kInvalidArgument);
  CHECK(out.capacity() < 1000);
}

TEST_CASE("snappy: truncated and foreign bytes are refused", "[wire]") {
  std::string compressed;
  snappy_compress(std::string(1000, 'x') + "tail", compressed);
  std::string out;
  for (std::size_t size = 0; size < compressed.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(snappy_decompress(compressed.substr(0, size), 1 << 20, out).ok());
  }
  CHECK_FALSE(snappy_decompress("not snappy at all, but text", 1 << 20, out).ok());
}

}  // namespace
}  // namespace varve::wire
