// SPDX-License-Identifier: Apache-2.0
// What does it take to get from the raw labels of a sample to its series: to hash 200 bytes, and to
// find the id that belongs to the hash? Requests of 2,000 series, those of one target together as
// scrapers send them, or anywhere.
//
// Floor: XXH3 reads 20 to 30 bytes a nanosecond once they are in the cache, so 8 to 10 ns; keys
// that come out of memory in order cost 200 B at its bandwidth, 8 ns more. A look-up is one cache
// line from anywhere: 16 prefetches or so are under way at a time, so that it is the load that does
// not wait (bench/base) that counts: 2 ns of 100k series (1.6 MB, in L2), 10 to 20 ns of 1M.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/memory_account.h"
#include "storage/head/key_table.h"

namespace {

using namespace varve;
using namespace varve::storage;
using head::KeyTable;
using index::SeriesHash;
using index::SeriesHasher;

constexpr std::size_t kRequest = 2000;
constexpr std::size_t kAtATime = 125;

// A secret that is no secret, so that every run is like the others.
SeriesHasher fixed_hasher() {
  std::string hex;
  std::mt19937 random(1);
  for (std::size_t i = 0; i < 2 * SeriesHasher::kSecretBytes; ++i) {
    hex += "0123456789abcdef"[random() % 16];
  }
  return SeriesHasher::from_hex(hex).value();
}

// The label bytes of a remote-write series are about that long; only the number differs.
constexpr std::size_t kKeyBytes = 200;

void hash_keys(benchmark::State& state) {
  const SeriesHasher hasher = fixed_hasher();
  std::string keys;
  for (std::size_t i = 0; i < kRequest; ++i) {
    std::string key(kKeyBytes, 'k');
    key.replace(kKeyBytes / 2, 8, std::to_string(10'000'000 + i));
    keys += key;
  }
  std::vector<SeriesHash> hashes(kRequest);
  for (auto _ : state) {
    for (std::size_t i = 0; i < kRequest; ++i) {
      hashes[i] = hasher.key(std::string_view(keys).substr(i * kKeyBytes, kKeyBytes), 1);
    }
    benchmark::DoNotOptimize(hashes.data());
  }
  std::sort(hashes.begin(), hashes.end(),
            [](const SeriesHash& a, const SeriesHash& b) { return a.low < b.low; });
  if (std::adjacent_find(hashes.begin(), hashes.end()) != hashes.end()) {
    state.SkipWithError("two keys with one hash");
  }
  state.counters["per_key"] = benchmark::Counter(
      static_cast<double>(kRequest),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(keys.size()));
}
BENCHMARK(hash_keys);

void look_up(benchmark::State& state, bool shuffled) {
  const auto count = static_cast<std::size_t>(state.range(0));
  base::MemoryAccount account("bench");
  KeyTable table(fixed_hasher(), account);
  std::mt19937_64 random(1);
  std::vector<SeriesHash> hashes(count);
  for (std::size_t i = 0; i < count; ++i) {
    hashes[i] = {random(), random()};
    table.insert(hashes[i], SeriesId{static_cast<std::uint32_t>(i + 1)});
  }
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0U);
  if (shuffled) std::shuffle(order.begin(), order.end(), random);
  std::vector<SeriesHash> asked;
  for (const std::uint32_t i : order) asked.push_back(hashes[i]);
  std::size_t at = 0;
  for (auto _ : state) {
    const KeyTable::Reader reader(table);
    // As many at a time as the write path asks for.
    for (std::size_t begin = at; begin < at + kRequest; begin += kAtATime) {
      const std::span some = std::span(asked).subspan(begin, kAtATime);
      for (const SeriesHash& hash : some) reader.prefetch(hash);
      std::array<SeriesId, kAtATime> ids;
      reader.find(some, ids.data());
      for (std::size_t i = 0; i < kAtATime; ++i) {
        if (static_cast<std::uint32_t>(ids[i]) != order[begin + i] + 1) {
          state.SkipWithError("another series");
        }
      }
    }
    at = at + 2 * kRequest <= count ? at + kRequest : 0;
  }
  state.counters["per_key"] = benchmark::Counter(
      static_cast<double>(kRequest),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["B/key"] = static_cast<double>(account.bytes()) / static_cast<double>(count);
}
BENCHMARK_CAPTURE(look_up, by_target, false)->Arg(100'000)->Arg(1'000'000);
BENCHMARK_CAPTURE(look_up, shuffled, true)->Arg(100'000)->Arg(1'000'000);

}  // namespace
