// SPDX-License-Identifier: Apache-2.0
#include "promql/value/column_ops.h"

#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "varve/sample.h"

namespace varve::promql {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

// Numbers of all sizes, with what is special among doubles in between.
std::vector<double> doubles(std::mt19937_64& random, std::size_t count) {
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i) {
    switch (random() % 12) {
      case 0:
        values.push_back(random() % 2 == 0 ? kInf : -kInf);
        break;
      case 1:
        values.push_back(std::numeric_limits<double>::quiet_NaN());
        break;
      case 2:
        values.push_back(random() % 2 == 0 ? 0.0 : -0.0);
        break;
      case 3:
        values.push_back(std::numeric_limits<double>::max());
        break;
      case 4:
        values.push_back(std::bit_cast<double>(random()));
        break;
      default:
        values.push_back(static_cast<double>(random() % 100'000) / 7 - 5000);
        break;
    }
  }
  return values;
}

bool same_number(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) ||
         std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

TEST_CASE("columns: compensated sums have the bits of one addition after the other", "[promql]") {
  std::mt19937_64 random(GENERATE(range(1u, 30u)));
  const std::size_t count = random() % 40;
  std::vector<double> sums(count, -0.0), compensations(count, 0),
      plain_sums = sums, plain_compensations = compensations;
  for (int round = 0; round < 20; ++round) {
    std::vector<double> terms = doubles(random, count);
    // Most columns stay finite.
    for (std::size_t i = 0; i < count; ++i) {
      if (i % 4 != 0 && !(std::fabs(terms[i]) < 1e300)) terms[i] = 1;
    }
    add_compensated(terms.data(), count, sums.data(), compensations.data());
    add_compensated_plain(terms.data(), count, plain_sums.data(), plain_compensations.data());
    for (std::size_t i = 0; i < count; ++i) {
      CAPTURE(round, i, terms[i]);
      REQUIRE(same_number(sums[i], plain_sums[i]));
      REQUIRE(same_number(compensations[i], plain_compensations[i]));
    }
  }
}

TEST_CASE("columns: joined sums have the bits of joining one after the other", "[promql]") {
  std::mt19937_64 random(GENERATE(range(1u, 30u)));
  const std::size_t count = random() % 40;
  std::vector<double> sums = doubles(random, count), compensations(count, 0.25);
  for (std::size_t i = 0; i < count; ++i) {
    if (std::isinf(sums[i])) compensations[i] = 0;
  }
  const std::vector<double> later = doubles(random, count), later_compensations(count, 0.125);
  std::vector<double> plain_sums = sums, plain_compensations = compensations;
  merge_compensated(later.data(), later_compensations.data(), count, sums.data(),
                    compensations.data());
  add_compensated_plain(later.data(), count, plain_sums.data(), plain_compensations.data());
  for (std::size_t i = 0; i < count; ++i) {
    if (!std::isinf(plain_sums[i])) plain_compensations[i] += later_compensations[i];
    CAPTURE(i, later[i]);
    CHECK(same_number(sums[i], plain_sums[i]));
    CHECK(same_number(compensations[i], plain_compensations[i]));
  }
}

TEST_CASE("columns: what rises has no fall and no NaN", "[promql]") {
  for (std::size_t count = 0; count < 70; ++count) {
    std::vector<double> values;
    for (std::size_t i = 0; i < count; ++i) values.push_back(static_cast<double>(i / 2));
    REQUIRE(rises(values));
    REQUIRE(rises_plain(values));
    for (std::size_t i = 0; i < count; ++i) {
      std::vector<double> odd = values;
      odd[i] = std::numeric_limits<double>::quiet_NaN();
      REQUIRE_FALSE(rises(odd));
      REQUIRE_FALSE(rises_plain(odd));
      odd[i] = -1;
      REQUIRE(rises(odd) == (i == 0));
      REQUIRE(rises_plain(odd) == (i == 0));
    }
  }
}

TEST_CASE("columns: every fall is found, and a NaN falls to nothing", "[promql]") {
  std::mt19937_64 random(GENERATE(range(1u, 30u)));
  for (std::size_t count = 0; count < 70; ++count) {
    std::vector<double> values = doubles(random, count);
    if (random() % 2 == 0)
      std::sort(values.begin(), values.end(),
                [](double a, double b) { return std::isnan(b) ? !std::isnan(a) : a < b; });
    if (count > 0 && random() % 2 == 0) values[random() % count] = -1e308;
    std::vector<std::uint32_t> falls, plain;
    find_falls(values, falls);
    find_falls_plain(values, plain);
    REQUIRE(falls == plain);
  }
}

TEST_CASE("columns: bits are found wherever they stand", "[promql]") {
  std::mt19937_64 random(7);
  for (std::size_t count = 0; count < 70; ++count) {
    // Other NaNs are not the stale marker.
    std::vector<double> values(count, std::numeric_limits<double>::quiet_NaN());
    CHECK_FALSE(contains_bits(values, kStaleNanBits));
    for (std::size_t i = 0; i < count; ++i) {
      std::vector<double> with = values;
      with[i] = std::bit_cast<double>(kStaleNanBits);
      REQUIRE(contains_bits(with, kStaleNanBits));
      REQUIRE(contains_bits_plain(with, kStaleNanBits));
    }
  }
}

TEST_CASE("columns: each is counted up by one", "[promql]") {
  for (std::size_t count = 0; count < 20; ++count) {
    std::vector<std::uint32_t> counts(count + 1);
    for (std::size_t i = 0; i <= count; ++i) counts[i] = static_cast<std::uint32_t>(i);
    count_up(counts.data(), count);
    for (std::size_t i = 0; i < count; ++i) REQUIRE(counts[i] == i + 1);
    REQUIRE(counts[count] == count);
  }
}

}  // namespace
}  // namespace varve::promql
