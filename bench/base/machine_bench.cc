// SPDX-License-Identifier: Apache-2.0
// What does this machine allow at best? The floors that the other benchmarks name are made of these
// figures: bytes read, copied and written in order, out of each level of the cache and out of
// memory; loads from anywhere, one waiting for the other and not; a cycle.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>
#include <vector>

namespace {

constexpr std::int64_t kKib = 1024;
constexpr std::int64_t kMib = 1024 * kKib;
// L1, L2, the last level, memory.
void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgName("bytes")->Arg(16 * kKib)->Arg(512 * kKib)->Arg(8 * kMib)->Arg(512 * kMib);
}

std::size_t words_of(const benchmark::State& state) {
  return static_cast<std::size_t>(state.range(0)) / sizeof(std::uint64_t);
}

void read_in_order(benchmark::State& state) {
  const std::vector<std::uint64_t> words(words_of(state), 1);
  constexpr std::size_t kLanes = 16;  // so that no addition waits for the one before it
  for (auto _ : state) {
    std::uint64_t sums[kLanes] = {};
    for (std::size_t i = 0; i < words.size(); i += kLanes) {
      for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += words[i + lane];
    }
    if (std::accumulate(sums, sums + kLanes, std::uint64_t{0}) != words.size()) std::abort();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(read_in_order)->Apply(sizes);

void copy(benchmark::State& state) {
  const std::vector<std::uint64_t> from(words_of(state) / 2, 1);
  std::vector<std::uint64_t> to(from.size());
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), from.size() * sizeof(std::uint64_t));
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
  }
  if (to.back() != 1) std::abort();
  // Of what is copied: as many bytes are read as written.
  state.SetBytesProcessed(state.iterations() * state.range(0) / 2);
}
BENCHMARK(copy)->Apply(sizes);

// Each element holds the index of the next: one round through all of them, in no order.
std::vector<std::uint64_t> make_cycle(std::size_t size) {
  std::vector<std::uint64_t> order(size);
  std::iota(order.begin(), order.end(), std::uint64_t{0});
  std::shuffle(order.begin(), order.end(), std::mt19937_64(1));
  std::vector<std::uint64_t> next(size);
  for (std::size_t i = 0; i < size; ++i) next[order[i]] = order[(i + 1) % size];
  return next;
}

constexpr std::int64_t kLoads = 100'000;

void report_loads(benchmark::State& state) {
  state.counters["per_load"] =
      benchmark::Counter(static_cast<double>(kLoads) * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void load_that_waits(benchmark::State& state) {
  const std::vector<std::uint64_t> next = make_cycle(words_of(state));
  std::uint64_t at = 0;
  for (auto _ : state) {
    for (std::int64_t i = 0; i < kLoads; ++i) at = next[at];
    benchmark::DoNotOptimize(at);
  }
  report_loads(state);
}
BENCHMARK(load_that_waits)->Apply(sizes);

void load_that_does_not_wait(benchmark::State& state) {
  const std::vector<std::uint64_t> words(words_of(state), 1);
  std::uint64_t at = 1;
  for (auto _ : state) {
    std::uint64_t sum = 0;
    for (std::int64_t i = 0; i < kLoads; ++i) {
      at = at * 6'364'136'223'846'793'005ULL + 1'442'695'040'888'963'407ULL;
      sum += words[(at >> 33) % words.size()];
    }
    if (sum != kLoads) std::abort();
  }
  report_loads(state);
}
BENCHMARK(load_that_does_not_wait)->Apply(sizes);

// Additions that wait for each other take a cycle each.
void cycle(benchmark::State& state) {
  std::uint64_t x = 1;
  for (auto _ : state) {
    for (std::int64_t i = 0; i < kLoads; ++i) {
      x += static_cast<std::uint64_t>(i);
      benchmark::DoNotOptimize(x);
    }
  }
  report_loads(state);
}
BENCHMARK(cycle);

}  // namespace
