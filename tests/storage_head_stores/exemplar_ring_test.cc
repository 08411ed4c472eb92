// SPDX-License-Identifier: Apache-2.0
#include "storage/head/exemplar_ring.h"

#include <catch2/catch.hpp>
#include <map>
#include <random>

using namespace varve;
using namespace varve::storage;
using namespace varve::storage::head;

namespace {

ExemplarSample sample(Timestamp time, double value, const char* trace = "t") {
  return {Labels{{"trace_id", trace}}, value, time};
}

std::vector<ExemplarPoint> of(const ExemplarRing& ring, SeriesId series,
                              TimeRange range = TimeRange::all()) {
  return ring.query(std::span(&series, 1), range)[0];
}

}  // namespace

TEST_CASE("exemplar ring: a series goes forward, repetition is ignored", "[storage][head]") {
  ExemplarRing ring(10);
  const SeriesId a{1};
  CHECK(*ring.add(a, sample(10, 1)) == ExemplarRing::Added::kAdded);
  CHECK(*ring.add(a, sample(10, 1)) == ExemplarRing::Added::kDuplicate);
  CHECK(*ring.add(a, sample(10, 2)) == ExemplarRing::Added::kAdded);
  const auto old = ring.add(a, sample(9, 5));
  CHECK(old.error().code() == ErrorCode::kOutOfOrder);
  CHECK(old.error().message() == "out of order exemplar");
  CHECK(ring.add(a, sample(10, 1)).error().code() == ErrorCode::kOutOfOrder);
  CHECK(*ring.add(SeriesId{2}, sample(1, 1)) == ExemplarRing::Added::kAdded);
  CHECK(of(ring, a).size() == 2);
  CHECK(of(ring, a, {10, 10}).size() == 2);
  CHECK(of(ring, a, {11, 99}).empty());
  CHECK(of(ring, SeriesId{3}).empty());
  CHECK(ring.stats().series == 2);
  CHECK(ring.stats().newest_ms == 1);
}

TEST_CASE("exemplar ring: at most 128 characters of labels, not bytes", "[storage][head]") {
  ExemplarRing ring(10);
  const auto with_value = [](std::size_t length, std::string_view character) {
    std::string value;
    for (std::size_t i = 0; i < length; ++i) value += character;
    return ExemplarSample{Labels{{"a", value}}, 1, 1};
  };
  CHECK(ring.add(SeriesId{1}, with_value(127, "\xe2\x82\xac")).ok());
  const auto refused = ring.add(SeriesId{2}, with_value(128, "x"));
  CHECK(refused.error().code() == ErrorCode::kInvalidArgument);
  CHECK(refused.error().message() ==
        "label length for exemplar exceeds maximum of 128 UTF-8 characters");
}

TEST_CASE("exemplar ring: the oldest make room, as a plain list would", "[storage][head]") {
  const auto seed = GENERATE(1u, 2u, 3u);
  CAPTURE(seed);
  std::mt19937 random(seed);
  constexpr std::size_t kCapacity = 37;
  ExemplarRing ring(kCapacity);
  std::vector<std::pair<std::uint32_t, Timestamp>> plain;
  for (Timestamp time = 1; time < 500; ++time) {
    const auto series = static_cast<std::uint32_t>(1 + random() % 9);
    REQUIRE(ring.add(static_cast<SeriesId>(series), sample(time, 0)).ok());
    plain.emplace_back(series, time);
    if (plain.size() > kCapacity) plain.erase(plain.begin());
    std::map<std::uint32_t, std::vector<Timestamp>> expected;
    for (const auto& [id, at] : plain) expected[id].push_back(at);
    REQUIRE(ring.stats().series == expected.size());
    REQUIRE(ring.stats().oldest_ms == plain.front().second);
    for (std::uint32_t id = 1; id < 10; ++id) {
      std::vector<Timestamp> got;
      for (const auto& point : of(ring, static_cast<SeriesId>(id))) {
        got.push_back(point.timestamp_ms);
      }
      REQUIRE(got == expected[id]);
    }
  }
}

TEST_CASE("exemplar ring: without capacity nothing is kept", "[storage][head]") {
  ExemplarRing ring(0);
  CHECK(*ring.add(SeriesId{1}, sample(1, 1)) == ExemplarRing::Added::kDuplicate);
  CHECK(ring.stats().exemplars == 0);
}
