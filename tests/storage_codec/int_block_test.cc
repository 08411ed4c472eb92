// SPDX-License-Identifier: Apache-2.0
#include "storage/codec/int_block.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <vector>

#include "storage/codec/bits.h"

using namespace varve::storage::codec;

TEST_CASE("bit packing: every width and count, fast and plain", "[storage][codec]") {
  const auto width = GENERATE(range(0u, kPackWidthMax + 1));
  CAPTURE(width);
  std::mt19937_64 random(width);
  for (std::size_t count = 0; count <= 128; ++count) {
    CAPTURE(count);
    std::vector<std::uint64_t> values;
    for (std::size_t i = 0; i < count; ++i) values.push_back(random() & low_bits(width));
    std::vector<std::uint8_t> bytes(packed_bytes(count, width) + kUnpackSlackBytes, 0xff);
    pack(values.data(), count, width, bytes.data());
    CHECK(bytes[packed_bytes(count, width)] == 0xff);
    IntBuffer fast;
    IntBuffer plain;
    unpack(bytes.data(), count, width, fast.data());
    unpack_plain(bytes.data(), count, width, plain.data());
    CHECK(std::equal(values.begin(), values.end(), fast.begin()));
    CHECK(std::equal(values.begin(), values.end(), plain.begin()));
  }
}

TEST_CASE("bit strings: what is put is taken", "[storage][codec]") {
  std::mt19937_64 random(1);
  for (int round = 0; round < 500; ++round) {
    std::vector<std::pair<std::uint64_t, unsigned>> parts;
    std::size_t bits = 0;
    for (std::size_t i = 0; i < random() % 60; ++i) {
      const auto count = static_cast<unsigned>(1 + random() % 64);
      parts.emplace_back(random() & low_bits(count), count);
      bits += count;
    }
    std::vector<std::uint8_t> bytes(bits / 8 + 16);
    BitSink sink(bytes.data(), 0, 0);
    for (const auto& [value, count] : parts) sink.put(value, count);
    bytes.resize(static_cast<std::size_t>(sink.finish() - bytes.data()));
    CHECK(bytes.size() == (bits + 7) / 8);
    const std::size_t size = bytes.size();
    bytes.resize(size + kBitSlackBytes);
    BitSource source(bytes.data(), size);
    for (const auto& [value, count] : parts) CHECK(source.take(count) == value);
    CHECK_FALSE(source.overrun());
    CHECK(source.taken_bytes() == size);
    source.take(8);
    CHECK(source.overrun());
  }
}
