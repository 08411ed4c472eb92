// SPDX-License-Identifier: Apache-2.0
// What does a sample of an ordinary remote write request cost before storage sees it, in both
// versions of the protocol? 2000 series with nine labels and one sample each, as Prometheus sends
// them.
//
// Floor: the bytes of a request are in the cache once they are decompressed, so what counts is the
// work: of 265 bytes (version 1) or 51 to 86 (version 2) a sample. Writing 265 bytes takes 11 ns by
// bandwidth, but snappy copies them in ten pieces, and what is next waits for the tag of the one
// before: 12 to 15 cycles each, 40 ns. Version 1 is a walk over nine labels, a length each to be
// read and skipped by, 2 ns, and the sample: 20 ns. Version 2 looks 18 references up in a table of
// hashes, 1.5 ns each: 30 ns. To hash 200 bytes is bench/storage_head's.
#include <benchmark/benchmark.h>
#include <xxhash.h>

#include <array>
#include <map>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <utility>
#include <vector>

#include "wire/compression.h"
#include "wire/remote_write.h"
#include "wire/remote_write2.h"

namespace {

constexpr std::size_t kSeries = 2000;

using LabelPairs = std::array<std::pair<std::string, std::string>, 9>;

// Series of as many pods, whose names are in no other series, or of one target.
enum class Shape { kPods, kOneScrape };

LabelPairs labels_of(Shape shape, std::size_t i) {
  if (shape == Shape::kOneScrape) {
    return {{{"__name__", "node_disk_statistic_number_" + std::to_string(i / 8) + "_total"},
             {"cluster", "production-eu-1"},
             {"container", "node-exporter"},
             {"device", "nvme" + std::to_string(i % 8) + "n1"},
             {"instance", "10.0.17.4:9100"},
             {"job", "kubernetes-node-exporter"},
             {"namespace", "monitoring"},
             {"node", "node-17"},
             {"region", "eu-central-1"}}};
  }
  return {{{"__name__", "container_network_receive_bytes_total"},
           {"cluster", "production-eu-1"},
           {"container", "app-" + std::to_string(i % 7)},
           {"instance",
            "10.0." + std::to_string(i / 250) + '.' + std::to_string(i % 250) + ":9100"},
           {"job", "kubernetes-cadvisor"},
           {"namespace", "team-" + std::to_string(i % 31)},
           {"node", "node-" + std::to_string(i % 97)},
           {"pod", "app-7d9f6c5b4-" + std::to_string(i)},
           {"region", "eu-central-1"}}};
}

void add_sample(protozero::pbf_writer& series, std::size_t i) {
  protozero::pbf_writer sample(series, 2);
  sample.add_double(1, 12345.0 + static_cast<double>(i) * 0.25);
  sample.add_int64(2, 1'700'000'000'000);
}

std::string ordinary_request(Shape shape) {
  std::string bytes;
  protozero::pbf_writer request(bytes);
  for (std::size_t i = 0; i < kSeries; ++i) {
    protozero::pbf_writer series(request, 1);
    for (const auto& [name, value] : labels_of(shape, i)) {
      protozero::pbf_writer message(series, 1);
      message.add_string(1, name);
      message.add_string(2, value);
    }
    add_sample(series, i);
  }
  return bytes;
}

// The same in version 2, with the metadata that Prometheus sends along.
std::string ordinary_request2(Shape shape) {
  std::map<std::string, std::uint32_t> refs;
  std::vector<std::string> symbols;
  const auto ref = [&](const std::string& text) {
    const auto [at, fresh] = refs.emplace(text, static_cast<std::uint32_t>(symbols.size()));
    if (fresh) symbols.push_back(text);
    return at->second;
  };
  ref("");
  std::string all_series;
  protozero::pbf_writer request(all_series);
  for (std::size_t i = 0; i < kSeries; ++i) {
    protozero::pbf_writer series(request, 5);
    std::vector<std::uint32_t> labels;
    for (const auto& [name, value] : labels_of(shape, i)) {
      labels.push_back(ref(name));
      labels.push_back(ref(value));
    }
    series.add_packed_uint32(1, labels.begin(), labels.end());
    add_sample(series, i);
    protozero::pbf_writer metadata(series, 5);
    metadata.add_enum(1, 1);
    metadata.add_uint32(3, ref("Cumulative count of bytes received."));
  }
  std::string bytes;
  protozero::pbf_writer table(bytes);
  for (const std::string& text : symbols) table.add_string(4, text);
  return bytes + all_series;
}

template <typename Decoder>
void decode_all(benchmark::State& state, const std::string& request) {
  Decoder decoder;
  varve::storage::WriteBatch batch;
  for (auto _ : state) {
    const auto report = decoder.decode(request, batch);
    if (!report.ok() || batch.samples.size() != kSeries) state.SkipWithError("wrong result");
  }
  state.counters["per_sample"] = benchmark::Counter(
      static_cast<double>(state.iterations() * kSeries),
      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["bytes_per_sample"] = static_cast<double>(request.size()) / kSeries;
}

// As storage does with every key that it is given.
template <typename Decoder>
void unpack_all(benchmark::State& state, const std::string& request) {
  std::string compressed;
  varve::wire::snappy_compress(request, compressed);
  Decoder decoder;
  varve::storage::WriteBatch batch;
  std::string plain;
  for (auto _ : state) {
    const bool ok = varve::wire::snappy_decompress(compressed, 64 << 20, plain).ok() &&
                    decoder.decode(plain, batch).ok();
    if (!ok || batch.samples.size() != kSeries) state.SkipWithError("wrong result");
    std::uint64_t hashes = 0;
    for (const varve::storage::SeriesEntry& entry : batch.series) {
      hashes += XXH3_128bits(entry.key.data(), entry.key.size()).low64;
    }
    benchmark::DoNotOptimize(hashes);
  }
  state.counters["per_sample"] = benchmark::Counter(
      static_cast<double>(state.iterations() * kSeries),
      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["wire_bytes_per_sample"] = static_cast<double>(compressed.size()) / kSeries;
}

void snappy(benchmark::State& state, Shape shape) {
  const std::string request = ordinary_request(shape);
  std::string compressed;
  varve::wire::snappy_compress(request, compressed);
  std::string plain;
  for (auto _ : state) {
    if (!varve::wire::snappy_decompress(compressed, 64 << 20, plain).ok()) {
      state.SkipWithError("wrong result");
    }
    benchmark::DoNotOptimize(plain.data());
  }
  if (plain != request) state.SkipWithError("wrong result");
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(request.size()));
  state.counters["per_sample"] = benchmark::Counter(
      static_cast<double>(state.iterations() * kSeries),
      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK_CAPTURE(snappy, pods, Shape::kPods);
BENCHMARK_CAPTURE(snappy, one_scrape, Shape::kOneScrape);

using Version1 = varve::wire::WriteRequestDecoder;
using Version2 = varve::wire::WriteRequest2Decoder;

void decode(benchmark::State& state, Shape shape) {
  decode_all<Version1>(state, ordinary_request(shape));
}
BENCHMARK_CAPTURE(decode, pods, Shape::kPods);
BENCHMARK_CAPTURE(decode, one_scrape, Shape::kOneScrape);
void guess(benchmark::State& state, Shape shape) {
  const std::string request = ordinary_request(shape);
  varve::wire::WriteRequestDecoder decoder;
  varve::storage::WriteBatch batch;
  for (auto _ : state) {
    if (!decoder.guess(request, batch) || batch.samples.size() != kSeries) {
      state.SkipWithError("wrong result");
    }
  }
  state.counters["per_sample"] = benchmark::Counter(
      static_cast<double>(state.iterations() * kSeries),
      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK_CAPTURE(guess, pods, Shape::kPods);
BENCHMARK_CAPTURE(guess, one_scrape, Shape::kOneScrape);
void decode2(benchmark::State& state, Shape shape) {
  decode_all<Version2>(state, ordinary_request2(shape));
}
BENCHMARK_CAPTURE(decode2, pods, Shape::kPods);
BENCHMARK_CAPTURE(decode2, one_scrape, Shape::kOneScrape);

void snappy_decode_and_hash(benchmark::State& state, Shape shape) {
  unpack_all<Version1>(state, ordinary_request(shape));
}
BENCHMARK_CAPTURE(snappy_decode_and_hash, pods, Shape::kPods);
BENCHMARK_CAPTURE(snappy_decode_and_hash, one_scrape, Shape::kOneScrape);
void snappy_decode_and_hash2(benchmark::State& state, Shape shape) {
  unpack_all<Version2>(state, ordinary_request2(shape));
}
BENCHMARK_CAPTURE(snappy_decode_and_hash2, pods, Shape::kPods);
BENCHMARK_CAPTURE(snappy_decode_and_hash2, one_scrape, Shape::kOneScrape);

void decode_key(benchmark::State& state) {
  varve::wire::WriteRequestDecoder decoder;
  varve::storage::WriteBatch batch;
  const std::string request = ordinary_request(Shape::kPods);
  if (!decoder.decode(request, batch).ok()) state.SkipWithError("wrong result");
  std::size_t at = 0;
  for (auto _ : state) {
    const auto labels = batch.decoder->decode(batch.series[at++ % kSeries].key);
    if (!labels.ok()) state.SkipWithError("wrong result");
    benchmark::DoNotOptimize(labels);
  }
}
BENCHMARK(decode_key);

}  // namespace
