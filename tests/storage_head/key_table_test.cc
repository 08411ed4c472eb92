// SPDX-License-Identifier: Apache-2.0
#include "storage/head/key_table.h"

#include <catch2/catch.hpp>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace varve::storage::head {
namespace {

TEST_CASE("key table: finds what was put in, by space, through growth", "[storage][head]") {
  base::MemoryAccount account("test");
  KeyTable table(index::SeriesHasher::random(), account);
  for (std::uint32_t i = 1; i <= 20'000; ++i) {
    const std::string key = "key" + std::to_string(i);
    table.insert(table.hasher().key(key, 1), static_cast<SeriesId>(i));
    if (i % 2 == 0) table.insert(table.hasher().labels(key), static_cast<SeriesId>(i + 100'000));
  }
  for (std::uint32_t i = 1; i <= 20'000; ++i) {
    const std::string key = "key" + std::to_string(i);
    REQUIRE(table.find(table.hasher().key(key, 1)) == static_cast<SeriesId>(i));
    REQUIRE(table.find(table.hasher().key(key, 2)) == SeriesId::kNone);
    const std::uint32_t labels_id = i % 2 == 0 ? i + 100'000 : 0;
    REQUIRE(table.find(table.hasher().labels(key)) == static_cast<SeriesId>(labels_id));
  }
  CHECK(table.size() == 30'000);
}

TEST_CASE("key table: many are found as each of them is alone", "[storage][head]") {
  base::MemoryAccount account("test");
  KeyTable table(index::SeriesHasher::random(), account);
  const auto name = [&](std::uint32_t i) {
    return table.hasher().labels("key" + std::to_string(i));
  };
  constexpr std::uint32_t kNames = 20'000;  // buckets are full here and there
  for (std::uint32_t i = 1; i <= kNames; ++i) table.insert(name(i), static_cast<SeriesId>(i));
  const KeyTable::Reader reader(table);
  for (std::uint32_t first = 1; first < kNames + 1000; first += KeyTable::Reader::kFindMax) {
    std::vector<index::SeriesHash> hashes;
    for (std::size_t i = 0; i < KeyTable::Reader::kFindMax; ++i) {
      hashes.push_back(name(first + static_cast<std::uint32_t>(i)));
    }
    std::vector<SeriesId> ids(hashes.size());
    reader.find(hashes, ids.data());
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const std::uint32_t number = first + static_cast<std::uint32_t>(i);
      REQUIRE(ids[i] == static_cast<SeriesId>(number <= kNames ? number : 0));
      REQUIRE(reader.find(hashes[i]) == ids[i]);
    }
  }
}

TEST_CASE("key table: the names of dead series go, the others stay, and it shrinks",
          "[storage][head]") {
  base::MemoryAccount account("test");
  KeyTable table(index::SeriesHasher::random(), account);
  const auto alias = [&](std::uint32_t i) {
    return table.hasher().key("key" + std::to_string(i), 1);
  };
  const auto name = [&](std::uint32_t i) {
    return table.hasher().labels("key" + std::to_string(i));
  };
  for (std::uint32_t i = 1; i <= 20'000; ++i) {
    table.insert(name(i), static_cast<SeriesId>(i));
    table.insert(alias(i), static_cast<SeriesId>(i));
  }
  const auto held = account.bytes();
  const auto dead = [](SeriesId id) { return static_cast<std::uint32_t>(id) % 10 != 0; };
  CHECK(table.remove_if(dead) == 36'000);
  CHECK(table.size() == 4'000);
  CHECK(account.bytes() < held / 4);
  CHECK(table.remove_if(dead) == 0);
  for (std::uint32_t i = 1; i <= 20'000; ++i) {
    const SeriesId expected = i % 10 == 0 ? static_cast<SeriesId>(i) : SeriesId::kNone;
    REQUIRE(table.find(name(i)) == expected);
    REQUIRE(table.find(alias(i)) == expected);
  }
  table.insert(name(1), static_cast<SeriesId>(30'000));
  CHECK(table.find(name(1)) == static_cast<SeriesId>(30'000));
}

TEST_CASE("key table: readers find everything published while it grows", "[storage][head]") {
  base::MemoryAccount account("test");
  KeyTable table(index::SeriesHasher::random(), account);
  constexpr std::uint32_t kKeys = 60'000;
  std::atomic<std::uint32_t> published{0};
  std::atomic<int> missing{0};
  std::vector<std::thread> readers;
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&] {
      std::uint32_t next = 1;
      while (published.load() < kKeys) {
        const std::uint32_t bound = published.load(std::memory_order_acquire);
        const KeyTable::Reader reader(table);
        for (int i = 0; i < 500 && bound > 0; ++i) {
          next = (next * 7919 + 1) % bound + 1;
          const index::SeriesHash hash = table.hasher().key(std::to_string(next), 0);
          reader.prefetch(hash);
          if (reader.find(hash) != static_cast<SeriesId>(next)) ++missing;
        }
      }
    });
  }
  for (std::uint32_t i = 1; i <= kKeys; ++i) {
    table.insert(table.hasher().key(std::to_string(i), 0), static_cast<SeriesId>(i));
    published.store(i, std::memory_order_release);
  }
  for (std::thread& reader : readers) reader.join();
  CHECK(missing == 0);
}

}  // namespace
}  // namespace varve::storage::head
