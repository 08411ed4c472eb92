// SPDX-License-Identifier: Apache-2.0
#include "storage/sample_columns.h"

#include <catch2/catch.hpp>
#include <random>
#include <vector>

namespace varve::storage {
namespace {

TEST_CASE("plain column: as a vector of what was put in", "[storage]") {
  std::mt19937_64 random(1);
  PlainColumn<double> column;
  std::vector<double> plain;
  for (int round = 0; round < 2000; ++round) {
    switch (random() % 5) {
      case 0: {
        column.push_back(round);
        plain.push_back(round);
        break;
      }
      case 1: {
        const std::vector<double> more(random() % 50, round);
        column.append(more);
        plain.insert(plain.end(), more.begin(), more.end());
        break;
      }
      case 2: {
        const std::size_t size = random() % (plain.size() + 1);
        column.resize(size);
        plain.resize(size);
        break;
      }
      case 3: {
        PlainColumn<double> copy = column;
        column = std::move(copy);
        REQUIRE(copy.empty());
        break;
      }
      default:
        if (random() % 10 == 0) {
          column.clear();
          plain.clear();
        }
        break;
    }
    REQUIRE(column == plain);
  }
}

// Series after series of parts, some the same as before, some not, some cut or changed afterwards:
// what is there is always what was appended since clear().
TEST_CASE("recalled times: a part that was there before is the part that is there", "[storage]") {
  std::mt19937_64 random(GENERATE(range(1u, 21u)));
  const auto part = [](std::uint64_t key) {
    std::vector<Timestamp> times;
    for (std::uint64_t i = 0; i < key % 7; ++i)
      times.push_back(static_cast<Timestamp>(key * 100 + i));
    return times;
  };
  RecalledTimes times;
  for (int series = 0; series < 300; ++series) {
    times.clear();
    std::vector<Timestamp> plain;
    for (std::uint64_t p = 0; p < 6; ++p) {
      const std::uint64_t key = 1 + p * 10 + (random() % 4 == 0 ? random() % 3 : 0);
      const std::vector<Timestamp> more = part(key);
      switch (random() % 16) {
        case 0:
          times.append(more);
          break;
        case 1:
          times.push_back(5);
          plain.push_back(5);
          [[fallthrough]];
        default:
          times.append(more, key);
          break;
      }
      plain.insert(plain.end(), more.begin(), more.end());
      if (random() % 20 == 0 && !plain.empty()) {
        plain.back() = 77;
        times.mutable_data()[plain.size() - 1] = 77;
      }
      if (random() % 20 == 0) {
        plain.resize(plain.size() / 2);
        times.resize(plain.size());
      }
      if (random() % 20 == 0) {
        RecalledTimes moved = std::move(times);
        REQUIRE(times.empty());
        times = moved;
      }
      REQUIRE(times == plain);
    }
  }
}

TEST_CASE("recalled times: equal parts are not copied anew", "[storage]") {
  const std::vector<Timestamp> first{1, 2, 3}, second{4, 5};
  RecalledTimes times;
  times.append(first, 10);
  times.append(second, 20);
  times.clear();
  // Key and ends answer for the times: were these copied, it would be seen.
  times.append(std::vector<Timestamp>{1, 7, 3}, 10);
  CHECK(times == first);
  // Other ends, so the same key is a coincidence.
  times.append(std::vector<Timestamp>{4, 7}, 20);
  CHECK(times == std::vector<Timestamp>{1, 2, 3, 4, 7});
}

}  // namespace
}  // namespace varve::storage
