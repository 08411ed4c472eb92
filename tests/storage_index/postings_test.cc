// SPDX-License-Identifier: Apache-2.0
#include "storage/index/postings.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "storage/index/id_list.h"

using namespace varve;
using namespace varve::storage;
using namespace varve::storage::index;

namespace {

Ids random_ids(std::mt19937_64& random, std::size_t count, std::uint32_t limit) {
  std::set<SeriesId> ids;
  for (std::size_t i = 0; i < count; ++i)
    ids.insert(SeriesId{1 + static_cast<std::uint32_t>(random() % limit)});
  return {ids.begin(), ids.end()};
}

}  // namespace

TEST_CASE("postings algebra: equal to sets", "[storage][index]") {
  const auto seed = GENERATE(range(1u, 60u));
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const auto limit = static_cast<std::uint32_t>(10 + random() % 5000);
  const Ids a = random_ids(random, random() % 300, limit);
  const Ids b = random_ids(random, random() % 3000, limit);
  const Ids c = random_ids(random, random() % 30, limit);
  const std::set<SeriesId> in_b(b.begin(), b.end());

  Ids both;
  Ids only_a;
  for (const SeriesId id : a) (in_b.contains(id) ? both : only_a).push_back(id);
  CHECK(intersect(a, b) == both);
  CHECK(intersect(b, a) == both);
  CHECK(subtract(a, b) == only_a);

  std::set<SeriesId> all(a.begin(), a.end());
  all.insert(b.begin(), b.end());
  all.insert(c.begin(), c.end());
  const IdSpan lists[] = {a, b, c, {}, a};
  CHECK(unite(lists) == Ids(all.begin(), all.end()));
}

TEST_CASE("postings: galloping finds the first id not below", "[storage][index]") {
  std::mt19937_64 random(3);
  const Ids ids = random_ids(random, 500, 2000);
  for (int round = 0; round < 2000; ++round) {
    const std::size_t from = random() % (ids.size() + 1);
    const SeriesId target{static_cast<std::uint32_t>(random() % 2100)};
    const auto expected = static_cast<std::size_t>(
        std::lower_bound(ids.begin() + static_cast<std::ptrdiff_t>(from), ids.end(), target) -
        ids.begin());
    CHECK(gallop(ids, from, target) == expected);
  }
}

TEST_CASE("id list: a cursor seeks like a binary search, at every length", "[storage][index]") {
  base::MemoryAccount account("test");
  const auto count = GENERATE(0u, 1u, 2u, 5u, 6u, 100u, 5000u, 60'000u);
  // How long its runs of consecutive ids are at first, and further on.
  const auto [run, run_later] = GENERATE(table<std::uint32_t, std::uint32_t>(
      {{1u, 1u}, {4u, 4u}, {300u, 300u}, {300u, 1u}, {1u, 300u}, {1'000'000u, 1'000'000u}}));
  CAPTURE(count, run, run_later);
  {
    Arena arena(account);
    alignas(IdList) unsigned char memory[sizeof(IdList)] = {};
    auto& list = *reinterpret_cast<IdList*>(memory);
    std::mt19937_64 random(count);
    std::vector<std::uint32_t> ids;
    for (std::uint32_t i = 0, id = 0; i < count; ++i) {
      const bool gap = random() % (i < count / 2 ? run : run_later) == 0;
      id += gap ? 1 + static_cast<std::uint32_t>(random() % 5) : 1;
      ids.push_back(id);
      list.append(id, arena);
    }
    CHECK(list.size() == count);
    std::vector<std::uint32_t> copied;
    list.copy_to(0xffffffff, copied);
    CHECK(copied == ids);
    copied.clear();
    list.visit_runs([&copied](std::span<const std::uint32_t> some) {
      copied.insert(copied.end(), some.begin(), some.end());
      return true;
    });
    CHECK(copied == ids);
    copied.clear();
    list.copy_to(count, copied);
    CHECK(copied ==
          std::vector<std::uint32_t>(ids.begin(), std::upper_bound(ids.begin(), ids.end(), count)));
    for (const std::uint32_t stride : {1u, 3u, 50u, 4000u}) {
      IdList::Cursor cursor(list);
      for (std::uint32_t target = 0; target < 6 * count + 10;
           target += 1 + static_cast<std::uint32_t>(random() % stride)) {
        if (cursor.seek(target) != std::binary_search(ids.begin(), ids.end(), target)) {
          FAIL("seek to " << target << " by " << stride);
        }
      }
    }
  }
  CHECK(account.bytes() == 0);
}

TEST_CASE("id list: ids one after the other take no memory, and long runs of them little",
          "[storage][index]") {
  base::MemoryAccount account("test");
  Arena arena(account);
  alignas(IdList) unsigned char memory[sizeof(IdList)] = {};
  auto& list = *reinterpret_cast<IdList*>(memory);
  for (std::uint32_t id = 7; id < 1'000'007; ++id) list.append(id, arena);
  CHECK(account.bytes() == 0);
  for (std::uint32_t id = 2'000'000; id < 3'000'000; id += id % 100 == 98 ? 2 : 1) {
    list.append(id, arena);
  }
  CHECK(list.size() == 1'990'000);
  CHECK(account.bytes() < 400'000);  // of 4 MB
}
