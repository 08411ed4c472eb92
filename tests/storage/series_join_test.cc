// SPDX-License-Identifier: Apache-2.0
#include "storage/series_join.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <random>

namespace varve::storage {
namespace {

index::SeriesHash hash_of(std::uint64_t series) {
  return {series * 0x9e3779b97f4a7c15ULL, series ^ 0x123456789abcdefULL};
}

TEST_CASE("series join: every series is one entry, found in each source that has it",
          "[storage]") {
  const auto seed = GENERATE(range(1u, 9u));
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  SeriesJoin join;
  std::map<std::uint64_t, std::size_t> entry_of;
  const std::size_t universe = seed % 2 == 0 ? 40 : 3000;
  for (int source = 0; source < 6; ++source) {
    // Sources list their series in one order, as blocks do, but not always: the order is a hint.
    std::vector<std::uint64_t> series;
    for (std::uint64_t s = 0; s < universe; ++s) {
      if (random() % 4 != 0) series.push_back(s);
    }
    if (source % 3 == 2) std::shuffle(series.begin(), series.end(), random);
    if (source == 4) series.clear();
    std::vector<index::SeriesHash> hashes;
    for (const std::uint64_t s : series) hashes.push_back(hash_of(s));
    const std::vector<std::uint32_t> at = join.add(hashes);

    REQUIRE(at.size() == join.size());
    std::size_t found = 0;
    for (std::size_t e = 0; e < at.size(); ++e) {
      if (at[e] == SeriesJoin::kAbsent) continue;
      ++found;
      REQUIRE(join.entries()[e] == hashes[at[e]]);
    }
    CHECK(found == series.size());
    for (const std::uint64_t s : series) {
      const auto entry = static_cast<std::size_t>(
          std::find(join.entries().begin(), join.entries().end(), hash_of(s)) -
          join.entries().begin());
      const auto [known, is_new] = entry_of.emplace(s, entry);
      CHECK(known->second == entry);
      static_cast<void>(is_new);
    }
    CHECK(join.size() == entry_of.size());
  }
}

}  // namespace
}  // namespace varve::storage
