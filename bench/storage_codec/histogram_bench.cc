// SPDX-License-Identifier: Apache-2.0
// What does a native histogram cost in a chunk: ns to append, ns to decode, bytes? 120 latency
// histograms of 40 buckets, of which some grow from scrape to scrape.
//
// Floor: every bucket is a small number of one byte or two, which waits for the one before it to be
// read: 1 to 2 ns a bucket each way, and a histogram that is read is an object of its own with two
// or three allocations, 100 ns.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "storage/codec/histogram.h"
#include "varve/sample.h"

namespace {

using namespace varve;
using namespace varve::storage::codec;

constexpr std::size_t kSamples = 120;
constexpr std::size_t kBuckets = 40;

std::vector<Histogram> make_histograms() {
  std::mt19937_64 random(1);
  Histogram histogram;
  histogram.integer = true;
  histogram.schema = 3;
  histogram.zero_threshold = 0x1p-128;
  histogram.positive_spans = {{-20, 24}, {3, kBuckets - 24}};
  histogram.positive_counts.assign(kBuckets, 0);
  std::vector<Histogram> all;
  for (std::size_t i = 0; i < kSamples; ++i) {
    for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
      const auto more = static_cast<double>(random() % 4 == 0 ? random() % 50 : 0);
      histogram.positive_counts[bucket] += more;
      histogram.count += more;
      histogram.sum += more * 0.0123;
    }
    all.push_back(histogram);
  }
  return all;
}

void report(benchmark::State& state, std::size_t bytes) {
  state.counters["per_histogram"] = benchmark::Counter(
      static_cast<double>(kSamples),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["B/histogram"] = static_cast<double>(bytes) / static_cast<double>(kSamples);
}

void append_histograms(benchmark::State& state) {
  const std::vector<Histogram> all = make_histograms();
  std::size_t bytes = 0;
  for (auto _ : state) {
    HistogramAppender chunk;
    for (std::size_t i = 0; i < kSamples; ++i) {
      chunk.append(static_cast<Timestamp>(15'000 * (i + 1)), all[i]);
    }
    bytes = chunk.bytes().size();
  }
  report(state, bytes);
}
BENCHMARK(append_histograms)->Unit(benchmark::kMicrosecond);

void decode_all_histograms(benchmark::State& state) {
  const std::vector<Histogram> all = make_histograms();
  HistogramAppender chunk;
  for (std::size_t i = 0; i < kSamples; ++i) {
    chunk.append(static_cast<Timestamp>(15'000 * (i + 1)), all[i]);
  }
  std::vector<Timestamp> times;
  std::vector<HistogramPtr> decoded;
  for (auto _ : state) {
    times.clear();
    decoded.clear();
    if (!decode_histograms(chunk.bytes(), times, decoded).ok()) state.SkipWithError("corrupt");
  }
  for (std::size_t i = 0; i < kSamples; ++i) {
    if (decoded[i]->positive_counts != all[i].positive_counts || decoded[i]->sum != all[i].sum) {
      state.SkipWithError("wrong histograms");
    }
  }
  report(state, chunk.bytes().size());
}
BENCHMARK(decode_all_histograms)->Unit(benchmark::kMicrosecond);

}  // namespace
