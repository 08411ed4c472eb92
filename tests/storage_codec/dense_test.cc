// SPDX-License-Identifier: Apache-2.0
#include "storage/codec/dense.h"

#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "shapes.h"
#include "storage/codec/decimal.h"
#include "storage/codec/value_block_avx512.h"

using namespace varve;
using namespace varve::storage::codec;

namespace {

std::vector<std::uint8_t> encode(const std::vector<double>& values, ValueHint& hint) {
  std::vector<std::uint8_t> bytes(kDenseValuesBytesMax);
  bytes.resize(encode_values(values, hint, bytes.data()));
  return bytes;
}

void check_round_trip(const std::vector<double>& values, ValueHint& hint) {
  const std::vector<std::uint8_t> bytes = encode(values, hint);
  CAPTURE(value_codec_name(bytes[0]));
  // Exactly as many bytes as there are, so that sanitizers see a read behind them.
  std::unique_ptr<std::uint8_t[]> exact(new std::uint8_t[bytes.size()]);
  std::copy(bytes.begin(), bytes.end(), exact.get());
  std::vector<double> got(values.size());
  const auto taken = decode_values({exact.get(), bytes.size()}, values.size(), got.data());
  REQUIRE(taken.ok());
  REQUIRE(*taken == bytes.size());
  REQUIRE(std::memcmp(got.data(), values.data(), values.size() * 8) == 0);
  // And with other bytes behind them, where the decoder may load more at once.
  std::vector<std::uint8_t> longer = bytes;
  longer.resize(bytes.size() + 100, 0xff);
  std::fill(got.begin(), got.end(), 0);
  const auto taken_again = decode_values(longer, values.size(), got.data());
  REQUIRE(taken_again.ok());
  REQUIRE(*taken_again == bytes.size());
  REQUIRE(std::memcmp(got.data(), values.data(), values.size() * 8) == 0);
}

std::string hex(const std::vector<std::uint8_t>& bytes) {
  std::string out;
  for (const std::uint8_t byte : bytes) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

}  // namespace

TEST_CASE("value block: every shape and count comes back bit for bit", "[storage][codec]") {
  const auto count = GENERATE(1u, 2u, 3u, 8u, 63u, 64u, 65u, 119u, 120u, 127u, 128u);
  CAPTURE(count);
  for (const auto shapes : {real_shapes(), odd_shapes()}) {
    for (const Shape& shape : shapes) {
      CAPTURE(shape.name);
      ValueHint hint;
      for (std::uint64_t seed = 1; seed < 60; ++seed) {
        CAPTURE(seed);
        check_round_trip(shape.make(seed, count), hint);
        ValueHint wrong{static_cast<std::uint8_t>(seed * 7)};
        check_round_trip(shape.make(seed, count), wrong);
      }
    }
  }
}

TEST_CASE("value block: a series that changes its nature under one hint", "[storage][codec]") {
  const auto seed = GENERATE(range(1u, 200u));
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  ValueHint hint;
  for (int block = 0; block < 20; ++block) {
    const auto shapes = random() % 2 == 0 ? real_shapes() : odd_shapes();
    const Shape& shape = shapes[random() % shapes.size()];
    CAPTURE(shape.name);
    check_round_trip(shape.make(random(), 1 + random() % 128), hint);
  }
}

TEST_CASE("value block: decimals of every exponent are found", "[storage][codec]") {
  const auto exponent = GENERATE(range(0, 16));
  CAPTURE(exponent);
  std::mt19937_64 random(42);
  for (int round = 0; round < 2000; ++round) {
    const auto integer = static_cast<std::int64_t>(random() % (1ULL << 50));
    const double value =
        static_cast<double>(integer) / kPowersOfTen[static_cast<unsigned>(exponent)];
    CAPTURE(integer);
    CHECK(is_decimal(value));
  }
}

TEST_CASE("value block: the fast and the plain conversion agree", "[storage][codec]") {
  std::mt19937_64 random(43);
  std::vector<std::uint64_t> ints;
  for (int i = 0; i < 127; ++i) {
    const auto value = static_cast<std::int64_t>(random()) >> (random() % 64);
    ints.push_back(static_cast<std::uint64_t>(value));
  }
  ints.push_back(0x8000000000000000);
  for (unsigned exponent = 0; exponent <= kExponentMax; ++exponent) {
    std::vector<double> fast(ints.size());
    std::vector<double> plain(ints.size());
    from_decimals(ints.data(), ints.size(), exponent, fast.data());
    from_decimals_plain(ints.data(), ints.size(), exponent, plain.data());
    CHECK(fast == plain);
  }
}

TEST_CASE("value block: decoding in registers and over memory agree on any bytes",
          "[storage][codec]") {
  if (!have_avx512_blocks()) return;
  std::mt19937_64 random(45);
  std::size_t decoded = 0;
  for (int round = 0; round < 300'000; ++round) {
    const std::size_t size = random() % 400;
    std::unique_ptr<std::uint8_t[]> bytes(new std::uint8_t[size]);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(random());
    // Small numbers in front, so that counts of jumps and entries are often possible ones.
    for (std::size_t i = 0; i < std::min<std::size_t>(size, 4); ++i) {
      if (random() % 2 == 0) bytes[i] = static_cast<std::uint8_t>(bytes[i] & 0x0f);
    }
    const auto codec = static_cast<BlockCodec>(1 + random() % 8);
    const auto second = static_cast<std::uint8_t>(random() % 64 + (random() % 2) * kHasDivisor);
    const std::size_t count = 1 + random() % kIntsMax;
    const auto exponent = static_cast<unsigned>(random() % (kExponentMax + 1));
    CAPTURE(round, static_cast<int>(codec), static_cast<int>(second), count, exponent);
    ByteReader plain_reader({bytes.get(), size});
    ByteReader fast_reader({bytes.get(), size});
    IntBuffer ints;
    std::vector<double> plain(count), fast(count);
    const bool plain_ok = decode_ints(plain_reader, codec, second, count, ints);
    const bool fast_ok =
        decode_decimals_avx512(fast_reader, codec, second, count, exponent, fast.data());
    REQUIRE(fast_ok == plain_ok);
    if (!plain_ok) continue;
    ++decoded;
    from_decimals_plain(ints.data(), count, exponent, plain.data());
    REQUIRE(fast_reader.taken() == plain_reader.taken());
    REQUIRE(std::memcmp(fast.data(), plain.data(), count * 8) == 0);
  }
  CHECK(decoded > 50'000);
}

TEST_CASE("value block: the cheapest encoding is taken", "[storage][codec]") {
  const auto codec_of = [](std::vector<double> values) {
    ValueHint hint;
    return std::string(value_codec_name(encode(values, hint)[0]));
  };
  std::vector<double> line;
  for (int i = 0; i < 120; ++i) line.push_back(i * 0.25);
  CHECK(codec_of(line) == "affine");
  CHECK(codec_of(std::vector<double>(120, 3.75)) == "const");
  CHECK(codec_of(std::vector<double>(120, stale_marker())) == "const_bits");
  CHECK(codec_of(real_shapes()[0].make(1, 120)) == "delta");
  CHECK(codec_of(real_shapes()[2].make(1, 120)) == "sparse");
  CHECK(codec_of(real_shapes()[4].make(1, 120)) == "for");
  CHECK(codec_of(real_shapes()[6].make(1, 120)) == "raw");
}

TEST_CASE("value block: the bytes are pinned", "[storage][codec]") {
  ValueHint hint;
  CHECK(hex(encode({1, 1, 1, 1}, hint)) == "000002");
  CHECK(hex(encode({10, 10.5, 11, 11.5}, hint)) == "1100c8010a");
  CHECK(hex(encode({3, 1, 4, 1, 5, 9, 2, 6}, hint)) == "0204060302038451");
  CHECK(hex(encode({7, stale_marker()}, hint)) == "00400e010101");
  CHECK(hex(encode({stale_marker(), stale_marker()}, hint)) == "0a020000000000f07f");
}

TEST_CASE("value block: cut bytes are corruption", "[storage][codec]") {
  for (const auto shapes : {real_shapes(), odd_shapes()}) {
    for (const Shape& shape : shapes) {
      CAPTURE(shape.name);
      ValueHint hint;
      const std::vector<std::uint8_t> bytes = encode(shape.make(5, 120), hint);
      std::vector<double> got(120);
      for (std::size_t size = 0; size < bytes.size(); ++size) {
        std::unique_ptr<std::uint8_t[]> exact(new std::uint8_t[size]);
        std::copy_n(bytes.begin(), size, exact.get());
        CHECK_FALSE(decode_values({exact.get(), size}, 120, got.data()).ok());
      }
    }
  }
}

TEST_CASE("value block: random bytes never lead outside", "[storage][codec]") {
  std::mt19937_64 random(44);
  std::vector<double> got(128);
  for (int round = 0; round < 200'000; ++round) {
    const std::size_t size = random() % 200;
    std::unique_ptr<std::uint8_t[]> bytes(new std::uint8_t[size]);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(random());
    if (size > 0) bytes[0] = static_cast<std::uint8_t>(random() % 12);
    if (size > 1) bytes[1] = static_cast<std::uint8_t>(random() % 30 + (random() % 4) * 64);
    const auto taken = decode_values({bytes.get(), size}, 1 + random() % 128, got.data());
    if (taken.ok()) CHECK(*taken <= size);
  }
}
