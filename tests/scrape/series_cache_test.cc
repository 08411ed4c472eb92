// SPDX-License-Identifier: Apache-2.0
#include "scrape/series_cache.h"

#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>
#include <string>

using namespace varve;
using scrape::SeriesCache;
using storage::SeriesId;

TEST_CASE("series cache: agrees with a plain twin over random scrapes", "[scrape]") {
  const auto seed = GENERATE(1U, 2U, 3U, 4U);
  CAPTURE(seed);
  std::mt19937 random(seed);
  SeriesCache cache;
  std::set<std::uint32_t> before;  // ids tracked in the last scrape
  for (int round = 0; round < 60; ++round) {
    std::set<std::uint32_t> now;
    cache.begin();
    const std::uint32_t range = 50 + static_cast<std::uint32_t>(random() % 400);
    for (unsigned i = 0; i < 200; ++i) {
      const std::uint32_t id = 1 + static_cast<std::uint32_t>(random() % range);
      SeriesCache::Slot& slot = cache.find("series" + std::to_string(id));
      if (slot.state == SeriesCache::State::kUnknown) {
        slot.state = SeriesCache::State::kKnown;
        slot.id = static_cast<SeriesId>(id);
      }
      REQUIRE(slot.id == static_cast<SeriesId>(id));
      REQUIRE(cache.seen(slot) == now.contains(id));
      cache.mark_seen(slot);
      cache.mark_tracked(slot);
      now.insert(id);
    }
    std::vector<SeriesId> stale;
    const bool fails = random() % 5 == 0;
    if (fails) {
      cache.abort(stale);
    } else {
      cache.finish(stale);
    }
    if (!fails && random() % 7 == 0) cache.forget_meanings();
    std::set<std::uint32_t> got;
    for (const SeriesId id : stale) got.insert(static_cast<std::uint32_t>(id));
    CHECK(got.size() == stale.size());
    std::set<std::uint32_t> expected;
    for (const std::uint32_t id : before) {
      if (fails || !now.contains(id)) expected.insert(id);
    }
    CHECK(got == expected);
    before = fails ? std::set<std::uint32_t>{} : now;
  }
  CHECK(cache.size() <= 1000);
}

TEST_CASE("series cache: a series that stays under another text is not stale", "[scrape]") {
  SeriesCache cache;
  const auto scrape_one = [&](const char* text) {
    cache.begin();
    SeriesCache::Slot& slot = cache.find(text);
    slot.state = SeriesCache::State::kKnown;
    slot.id = static_cast<SeriesId>(7);
    cache.mark_seen(slot);
    cache.mark_tracked(slot);
    std::vector<SeriesId> stale;
    cache.finish(stale);
    return stale.size();
  };
  CHECK(scrape_one("m{a=\"1\",b=\"2\"}") == 0);
  CHECK(scrape_one("m{b=\"2\",a=\"1\"}") == 0);
}

TEST_CASE("series cache: scrapes that always fail late leave nothing behind", "[scrape]") {
  SeriesCache cache;
  std::vector<SeriesId> stale;
  const bool dropped = GENERATE(false, true);
  CAPTURE(dropped);
  const auto meet = [&](const std::string& text) {
    SeriesCache::Slot& slot = cache.find(text);
    cache.mark_seen(slot);
    if (slot.state != SeriesCache::State::kUnknown) return slot.state;
    slot.state = dropped ? SeriesCache::State::kDropped : SeriesCache::State::kPending;
    return SeriesCache::State::kUnknown;
  };
  cache.begin();
  SeriesCache::Slot& kept = cache.find("kept");
  kept.state = SeriesCache::State::kKnown;
  kept.id = static_cast<SeriesId>(1);
  cache.mark_seen(kept);
  cache.finish(stale);
  for (int scrape = 0; scrape < 100; ++scrape) {
    cache.begin();
    for (int i = 0; i < 1000; ++i) {
      meet("m{i=\"" + std::to_string(scrape * 1000 + i) + "\"}");
    }
    cache.abort(stale);
  }
  CHECK(cache.size() < 100);
  cache.begin();
  CHECK(cache.find("kept").state == SeriesCache::State::kKnown);
}
