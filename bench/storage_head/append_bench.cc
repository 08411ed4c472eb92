// SPDX-License-Identifier: Apache-2.0
// What does a sample cost in the head once its series is known: to append it to the open chunk,
// and, each 120 samples, to close that chunk and re-encode it densely? And to copy what a series
// has for a reader?
//
// Floor: appending is two delta encodings and some bits, 10 to 15 ns by instructions
// (bench/storage_codec, gorilla_append), and touches two cache lines of its own, the series and the
// end of its chunk. Of 1M series these come from memory; prefetched they cost what independent
// loads do, 10 to 20 ns each. Closing adds the 6 ns of the dense encoding.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "fs/fault_fs.h"
#include "storage/head/head.h"

namespace {

using namespace varve;
using namespace varve::storage;
using namespace varve::storage::head;

constexpr Timestamp kStart = 1'700'000'100'000;
constexpr Timestamp kScrapeMs = 15'000;

enum Shape { kSteadyCounter, kTwoDecimalGauge, kConstant };

// From numbers alone, so that making a value costs next to nothing beside appending it.
double value_of(Shape shape, std::uint32_t id, std::uint32_t round) {
  switch (shape) {
    case kSteadyCounter:
      return static_cast<double>(round * (100 + id % 50) + (id * 7 + round * 13) % 20);
    case kTwoDecimalGauge:
      return static_cast<double>(400 + (id * 31 + round * 17) % 21) / 100;
    case kConstant:
      return 42;
  }
  return 0;
}

// A head of `count` series without labels: nobody asks for these here.
struct Fixture {
  explicit Fixture(std::uint32_t count)
      : head(std::move(Head::create(files, "head", index::SeriesHasher::random(), 0)).value()) {
    if (!head->reserve_series(SeriesId{count}).ok()) std::abort();
    for (std::uint32_t id = 1; id <= count; ++id) head->mark_known(SeriesId{id});
  }
  fs::FaultFs files;
  std::unique_ptr<Head> head;
};

// One sample of each series, jittered_scrape: the series of a target have one time.
std::size_t append_round(Head& head, Shape shape, std::uint32_t count, std::uint32_t round) {
  const OutOfOrderRule rule;
  std::size_t appended = 0;
  for (std::uint32_t first = 0; first <= count; first += 16) {  // sixteen neighbours share a shard
    Shard& shard = head.shard(SeriesId{first});
    const std::lock_guard lock(shard.mutex);
    const Timestamp t = kStart + round * kScrapeMs + (first / 1024 * 37 + round * 11) % 11;
    for (std::uint32_t id = std::max(first, 1U); id < first + 16 && id <= count; ++id) {
      appended += shard.append_float(head.series(SeriesId{id}), SeriesId{id}, t,
                                     value_of(shape, id, round), rule) == Appended::kAppended;
    }
  }
  return appended;
}

void append(benchmark::State& state, Shape shape) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  Fixture fixture(count);
  std::uint32_t round = 0;
  const std::size_t expected = append_round(*fixture.head, shape, count, round++);
  for (auto _ : state) {
    if (append_round(*fixture.head, shape, count, round++) != expected) {
      state.SkipWithError("refused");
    }
  }
  state.counters["per_sample"] = benchmark::Counter(
      static_cast<double>(expected),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK_CAPTURE(append, steady_counter, kSteadyCounter)->Arg(10'000)->Arg(1'000'000);
BENCHMARK_CAPTURE(append, two_decimal_gauge, kTwoDecimalGauge)->Arg(10'000);
BENCHMARK_CAPTURE(append, constant, kConstant)->Arg(10'000);

// The time in which every chunk is opened, filled and closed, whatever the number of iterations.
void append_whole_chunks(benchmark::State& state, Shape shape) {
  constexpr std::uint32_t kCount = 1024;
  Fixture fixture(kCount);
  std::uint32_t round = 0;
  std::size_t appended = 0;
  for (auto _ : state) {
    for (std::uint32_t i = 0; i < kChunkSamplesMax; ++i) {
      appended += append_round(*fixture.head, shape, kCount, round++);
    }
  }
  const ShardCounts counts = fixture.head->counts();
  if (counts.chunks_closed + counts.chunks_open == 0 || appended == 0) {
    state.SkipWithError("nothing was appended");
  }
  state.counters["per_sample"] = benchmark::Counter(
      static_cast<double>(appended), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK_CAPTURE(append_whole_chunks, steady_counter, kSteadyCounter);
BENCHMARK_CAPTURE(append_whole_chunks, two_decimal_gauge, kTwoDecimalGauge);

void snapshot(benchmark::State& state) {
  constexpr std::uint32_t kCount = 1024;
  constexpr std::uint32_t kRounds =
      203;  // closed chunks and an open one, however long the first is
  Fixture fixture(kCount);
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    append_round(*fixture.head, kSteadyCounter, kCount, round);
  }
  SeriesSnapshot copy;
  for (auto _ : state) {
    std::size_t open = 0;
    for (std::uint32_t id = 1; id <= kCount; ++id) {
      Shard& shard = fixture.head->shard(SeriesId{id});
      const std::lock_guard lock(shard.mutex);
      shard.snapshot(fixture.head->series(SeriesId{id}), SeriesId{id}, TimeRange::all(), copy);
      open += copy.open.count > 0 ? 1 : 0;
    }
    if (open != kCount) state.SkipWithError("samples are missing");
  }
  state.counters["per_series"] = benchmark::Counter(
      static_cast<double>(kCount),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(snapshot);

}  // namespace
