// SPDX-License-Identifier: Apache-2.0
#include "storage/codec/gorilla.h"

#include <bit>
#include <catch2/catch.hpp>
#include <cstring>
#include <random>

#include "shapes.h"

using namespace varve;
using namespace varve::storage::codec;

namespace {

struct Chunk {
  GorillaState state;
  std::vector<std::uint64_t> words;

  void append(Timestamp t, double value) {
    REQUIRE(gorilla_accepts(state, t));
    words.resize(state.word_count + kGorillaAppendWordsMax);
    gorilla_append(state, words.data() + state.word_count, t, value);
  }
};

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * 8) == 0;
}

void check_round_trip(const std::vector<Timestamp>& times, const std::vector<double>& values) {
  Chunk chunk;
  for (std::size_t i = 0; i < times.size(); ++i) chunk.append(times[i], values[i]);
  std::vector<Timestamp> got_times(times.size());
  std::vector<double> got_values(values.size());
  gorilla_decode(chunk.state, chunk.words.data(), got_times.data(), got_values.data());
  CHECK(got_times == times);
  CHECK(same_bits(got_values, values));

  std::vector<std::uint8_t> bytes;
  gorilla_to_xor_chunk(chunk.state, chunk.words.data(), bytes);
  CHECK(bytes.size() == gorilla_size_bytes(chunk.state));
  got_times.clear();
  got_values.clear();
  REQUIRE(decode_xor_chunk(bytes, got_times, got_values).ok());
  CHECK(got_times == times);
  CHECK(same_bits(got_values, values));
}

}  // namespace

TEST_CASE("gorilla: every shape and count comes back bit for bit", "[storage][codec]") {
  const auto count = GENERATE(1u, 2u, 3u, 7u, 120u, 400u);
  const auto seed = GENERATE(range(1u, 12u));
  CAPTURE(count, seed);
  for (const auto shapes : {real_shapes(), odd_shapes()}) {
    for (const Shape& shape : shapes) {
      CAPTURE(shape.name);
      const std::vector<double> values = shape.make(seed, count);
      check_round_trip(steady_times(count), values);
      check_round_trip(jittered_times(seed, count), values);
      check_round_trip(gapped_times(seed, count), values);
    }
  }
}

TEST_CASE("gorilla: runs of equal samples of every length, whatever ends them",
          "[storage][codec]") {
  const auto end = GENERATE(0, 1, 2);  // a value, a late sample, both
  const auto before = GENERATE(range(0u, 6u));
  CAPTURE(end, before);
  for (std::size_t length = 0; length < 130; ++length) {
    CAPTURE(length);
    std::vector<Timestamp> times{1'000};
    std::vector<double> values{0.25};
    const auto add = [&](Timestamp after_ms, double value) {
      times.push_back(times.back() + after_ms);
      values.push_back(value);
    };
    for (unsigned i = 0; i < before; ++i) add(15'000 + i % 2, i * 0.7);
    for (std::size_t i = 0; i < length; ++i) add(15'000, values.back());
    add(end == 0 ? 15'000 : 15'001, end == 1 ? values.back() : 3.5);
    for (int i = 0; i < 9; ++i) add(15'000, values.back());
    check_round_trip(times, values);
  }
}

TEST_CASE("gorilla: times of every distance, up to the largest accepted", "[storage][codec]") {
  const auto seed = GENERATE(range(1u, 40u));
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  std::vector<Timestamp> times{std::bit_cast<Timestamp>(random()) / 2};
  std::vector<double> values{1};
  for (int i = 0; i < 200; ++i) {
    times.push_back(times.back() +
                    static_cast<Timestamp>(random() & ((1ULL << (random() % 33)) - 1)));
    values.push_back(i);
  }
  check_round_trip(times, values);
}

TEST_CASE("gorilla: a chunk refuses times it cannot hold", "[storage][codec]") {
  Chunk chunk;
  chunk.append(1000, 1);
  CHECK_FALSE(gorilla_accepts(chunk.state, 999));
  CHECK(gorilla_accepts(chunk.state, 1000));
  CHECK(gorilla_accepts(chunk.state, 1000 + 0xffffffffLL));
  CHECK_FALSE(gorilla_accepts(chunk.state, 1000 + 0x100000000LL));
  Chunk early;
  early.append(std::numeric_limits<Timestamp>::min(), 1);
  CHECK_FALSE(gorilla_accepts(early.state, std::numeric_limits<Timestamp>::max()));
}

TEST_CASE("gorilla: a copied state decodes what it saw while appending goes on",
          "[storage][codec]") {
  const std::vector<double> values = real_shapes()[0].make(7, 120);
  const std::vector<Timestamp> times = jittered_times(7, 120);
  Chunk chunk;
  chunk.words.resize(kGorillaAppendWordsMax * 120);
  std::vector<GorillaState> states;
  for (std::size_t i = 0; i < times.size(); ++i) {
    gorilla_append(chunk.state, chunk.words.data() + chunk.state.word_count, times[i], values[i]);
    states.push_back(chunk.state);
  }
  for (const GorillaState& state : states) {
    std::vector<Timestamp> got_times(state.count);
    std::vector<double> got_values(state.count);
    gorilla_decode(state, chunk.words.data(), got_times.data(), got_values.data());
    CHECK(std::equal(got_times.begin(), got_times.end(), times.begin()));
    CHECK(std::equal(got_values.begin(), got_values.end(), values.begin()));
  }
}

TEST_CASE("gorilla: the owner's fields are left alone", "[storage][codec]") {
  Chunk chunk;
  chunk.state.owner_byte = 0x5a;
  chunk.state.owner_word = 0xdeadbeef;
  for (int i = 0; i < 50; ++i) chunk.append(i, i * 0.1);
  CHECK(chunk.state.owner_byte == 0x5a);
  CHECK(chunk.state.owner_word == 0xdeadbeef);
}

TEST_CASE("gorilla: the bytes are those of a Prometheus XOR chunk", "[storage][codec]") {
  // Worked out by hand from prometheus tsdb/docs/format/chunks.md: count 3; t0 = 1000 as varint
  // d0 0f; v0 = 1.0; delta 15 as uvarint 0f; the same value, bit 0; delta of delta 1, bits 10 and
  // 14 bits; 1.0 ^ 2.0 = 0x7ff0 << 48, bits 11, 1 leading zero in 5 bits, 11 bits in 6, the bits.
  Chunk chunk;
  chunk.append(1000, 1);
  chunk.append(1015, 1);
  chunk.append(1031, 2);
  std::vector<std::uint8_t> bytes;
  gorilla_to_xor_chunk(chunk.state, chunk.words.data(), bytes);
  const std::vector<std::uint8_t> expected = {0x00, 0x03, 0xd0, 0x0f, 0x3f, 0xf0, 0x00,
                                              0x00, 0x00, 0x00, 0x00, 0x00, 0x0f, 0x40,
                                              0x00, 0xe1, 0x2f, 0xff, 0x80};
  CHECK(bytes == expected);
}

TEST_CASE("xor chunk: cut or lying bytes are corruption, and nothing is appended",
          "[storage][codec]") {
  const bool steady = GENERATE(false, true);
  CAPTURE(steady);
  Chunk chunk;
  for (int i = 0; i < 100; ++i) {
    chunk.append(i * 1000 + (steady ? 0 : i % 3), steady ? 1.5 : i * 1.5);
  }
  std::vector<std::uint8_t> bytes;
  gorilla_to_xor_chunk(chunk.state, chunk.words.data(), bytes);
  std::vector<Timestamp> times;
  std::vector<double> values;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    const Status status = decode_xor_chunk({bytes.data(), size}, times, values);
    CHECK_FALSE(status.ok());
    CHECK(times.empty());
  }
  std::vector<std::uint8_t> claims = {0xff, 0xff, 0, 0, 0};
  CHECK(decode_xor_chunk(claims, times, values).error().code() == ErrorCode::kCorruption);
}
