// SPDX-License-Identifier: Apache-2.0
// What does a float sample cost in the log: nanoseconds to stage, nanoseconds to decode at replay,
// bytes? Every decoded sample is compared.
//
// Floor: a sample is 4 to 10 bytes of an id's difference, a tag and the bits of the value that
// changed, and where each of them begins depends on how long the one before was: a chain of 5 to 6
// cycles for each, 3 ns for two of them, both ways. Replay is bound by that and not by its bytes: 2
// GB/s of a log that the disk gives at less.
#include <benchmark/benchmark.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <random>
#include <vector>

#include "storage/wal/records.h"

using namespace varve;
using namespace varve::storage;
using namespace varve::storage::wal;

namespace {

constexpr std::uint32_t kSeries = 3200;  // one of 32 shards of 100k series

enum Shape { kSteadyCounter, kTwoDecimalGauge, kConstant, kRandomFloat, kMix };

double value_of(int shape, std::uint32_t series, std::uint64_t scrape, std::mt19937_64& random) {
  switch (shape) {
    case kSteadyCounter:
      return static_cast<double>(scrape * (100 + series) + random() % 50);
    case kTwoDecimalGauge: return std::round(static_cast<double>(random() % 10000)) / 100;
    case kConstant: return 42;
    case kRandomFloat: return std::ldexp(static_cast<double>(random()), -64);
    default: return value_of(static_cast<int>(series % 8 < 4 ? kSteadyCounter
                                              : series % 8 < 6 ? kTwoDecimalGauge
                                                               : kConstant),
                             series, scrape, random);
  }
}

struct Input {
  std::vector<std::uint64_t> bits;
  std::vector<std::uint64_t> previous;
};

Input make_input(int shape) {
  std::mt19937_64 random(1);
  Input input;
  for (std::uint32_t series = 0; series < kSeries; ++series) {
    input.previous.push_back(std::bit_cast<std::uint64_t>(value_of(shape, series, 1000, random)));
    input.bits.push_back(std::bit_cast<std::uint64_t>(value_of(shape, series, 1001, random)));
  }
  return input;
}

// About 32 apart, as ids of one shard of 32 are.
std::vector<std::uint32_t> make_ids() {
  std::mt19937 random(2);
  std::vector<std::uint32_t> ids;
  std::uint32_t id = 0;
  for (std::uint32_t i = 0; i < kSeries; ++i) {
    ids.push_back(id += static_cast<std::uint32_t>(1 + random() % 63));
  }
  return ids;
}

void stage(RunEncoder& encoder, const Input& input, const std::vector<std::uint32_t>& ids) {
  for (std::uint32_t i = 0; i < kSeries; ++i) {
    encoder.add_float(static_cast<SeriesId>(ids[i]), 1'700'000'000'000, input.bits[i],
                      input.previous[i], false);
  }
}

void encode(benchmark::State& state) {
  const Input input = make_input(static_cast<int>(state.range(0)));
  const auto ids = make_ids();
  RunEncoder encoder;
  ByteBuffer spare;
  std::size_t bytes = 0;
  for (auto unused : state) {
    stage(encoder, input, ids);
    bytes = encoder.size_bytes();
    spare = encoder.take(std::move(spare));
    benchmark::DoNotOptimize(spare.data());
  }
  state.SetItemsProcessed(state.iterations() * kSeries);
  state.counters["bytes_per_sample"] = static_cast<double>(bytes) / kSeries;
}

void decode(benchmark::State& state) {
  const Input input = make_input(static_cast<int>(state.range(0)));
  const auto ids = make_ids();
  RunEncoder encoder;
  stage(encoder, input, ids);
  const ByteBuffer staged = encoder.take({});
  RunDecoder decoder;
  std::size_t wrong = 0;
  for (auto unused : state) {
    decoder.open(staged.view());
    const auto record = decoder.next();
    const auto& run = std::get<FloatRun>(*record.value());
    benchmark::DoNotOptimize(run.bits.data());
    wrong += run.ids.size() != kSeries;
  }
  decoder.open(staged.view());
  const auto record = decoder.next();
  const auto& run = std::get<FloatRun>(*record.value());
  for (std::uint32_t i = 0; i < kSeries; ++i) {
    wrong += run.ids[i] != ids[i] || (run.bits[i] ^ input.previous[i]) != input.bits[i];
  }
  if (wrong > 0) state.SkipWithError("decoded something else");
  state.SetItemsProcessed(state.iterations() * kSeries);
}

BENCHMARK(encode)->ArgName("shape")->DenseRange(kSteadyCounter, kMix);
BENCHMARK(decode)->ArgName("shape")->DenseRange(kSteadyCounter, kMix);

}  // namespace
