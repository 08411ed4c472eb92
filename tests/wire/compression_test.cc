// SPDX-License-Identifier: Apache-2.0
#include "wire/compression.h"

#include <snappy.h>

#include <algorithm>
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

// Elements of every kind and length, ends included, beside the library's own answer.
TEST_CASE("snappy: blocks of any elements are undone as the library does it", "[wire]") {
  const auto seed = GENERATE(range(1u, 200u));
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto below = [&](std::uint32_t bound) {
    return static_cast<std::uint32_t>(random() % bound);
  };
  const bool broken = below(4) == 0;
  std::string elements;
  std::uint32_t size = 0;
  const std::uint32_t count = 1 + below(80);
  for (std::uint32_t i = 0; i < count; ++i) {
    const bool amiss = broken && below(20) == 0;
    std::uint32_t kind = size == 0 ? 0 : below(4);
    std::uint32_t length = 1 + below(64);
    if (kind == 0) {
      if (below(8) == 0) length = 1 + below(600);
      if (length <= 60) {
        elements += static_cast<char>((length - 1) << 2);
      } else if (length <= 256) {
        elements += static_cast<char>(60 << 2);
        elements += static_cast<char>(length - 1);
      } else {
        elements += static_cast<char>(61 << 2);
        elements += static_cast<char>(length - 1);
        elements += static_cast<char>((length - 1) >> 8);
      }
      for (std::uint32_t j = amiss ? 1 : 0; j < length; ++j)
        elements += static_cast<char>(random());
    } else {
      std::uint32_t offset = 1 + (below(2) == 0 ? below(std::min(size, 80U)) : below(size));
      if (amiss) offset = below(2) == 0 ? 0 : size + 1 + below(9);
      if (kind == 1 && offset >= 2048) kind = 2;
      if (kind == 1) {
        length = 4 + length % 8;
        elements += static_cast<char>(1 | (length - 4) << 2 | (offset >> 8) << 5);
        elements += static_cast<char>(offset);
      } else {
        elements += static_cast<char>(kind | (length - 1) << 2);
        for (std::uint32_t j = 0; j < (kind == 2 ? 2 : 4); ++j) {
          elements += static_cast<char>(offset >> (8 * j));
        }
      }
    }
    size += length;
  }
  if (broken && below(2) == 0) size += below(3);
  std::string block;
  for (std::uint32_t rest = size; ; rest >>= 7) {
    block += static_cast<char>((rest & 127) | (rest > 127 ? 128 : 0));
    if (rest <= 127) break;
  }
  block += elements;
  std::string expected;
  const bool whole = snappy::Uncompress(block.data(), block.size(), &expected);
  std::string out;
  CHECK(snappy_decompress(block, 1 << 20, out).ok() == whole);
  if (whole) CHECK(out == expected);
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
