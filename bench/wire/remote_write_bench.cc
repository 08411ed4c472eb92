// SPDX-License-Identifier: Apache-2.0
// What does a sample of an ordinary remote write request cost before storage sees it? 2000 series with
// nine labels and one sample each, as Prometheus sends them.
#include <benchmark/benchmark.h>

#include <protozero/pbf_writer.hpp>
#include <string>

#include "wire/compression.h"
#include "wire/remote_write.h"

namespace {

constexpr std::size_t kSeries = 2000;

std::string ordinary_request() {
  std::string bytes;
  protozero::pbf_writer request(bytes);
  for (std::size_t i = 0; i < kSeries; ++i) {
    protozero::pbf_writer series(request, 1);
    const auto label = [&series](const std::string& name, const std::string& value) {
      protozero::pbf_writer message(series, 1);
      message.add_string(1, name);
      message.add_string(2, value);
    };
    label("__name__", "container_network_receive_bytes_total");
    label("cluster", "production-eu-1");
    label("container", "app-" + std::to_string(i % 7));
    label("instance", "10.0." + std::to_string(i / 250) + '.' + std::to_string(i % 250) + ":9100");
    label("job", "kubernetes-cadvisor");
    label("namespace", "team-" + std::to_string(i % 31));
    label("node", "node-" + std::to_string(i % 97));
    label("pod", "app-7d9f6c5b4-" + std::to_string(i));
    label("region", "eu-central-1");
    protozero::pbf_writer sample(series, 2);
    sample.add_double(1, 12345.0 + static_cast<double>(i) * 0.25);
    sample.add_int64(2, 1'700'000'000'000);
  }
  return bytes;
}

void decode(benchmark::State& state) {
  const std::string request = ordinary_request();
  varve::wire::WriteRequestDecoder decoder;
  varve::storage::WriteBatch batch;
  for (auto _ : state) {
    const auto report = decoder.decode(request, batch);
    if (!report.ok() || batch.samples.size() != kSeries) state.SkipWithError("wrong result");
  }
  state.counters["ns_per_sample"] = benchmark::Counter(
      static_cast<double>(state.iterations() * kSeries) * 1e-9,
      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(decode);

void snappy_and_decode(benchmark::State& state) {
  std::string compressed;
  varve::wire::snappy_compress(ordinary_request(), compressed);
  varve::wire::WriteRequestDecoder decoder;
  varve::storage::WriteBatch batch;
  std::string plain;
  for (auto _ : state) {
    const bool ok = varve::wire::snappy_decompress(compressed, 64 << 20, plain).ok() &&
                    decoder.decode(plain, batch).ok();
    if (!ok || batch.samples.size() != kSeries) state.SkipWithError("wrong result");
  }
  state.counters["ns_per_sample"] = benchmark::Counter(
      static_cast<double>(state.iterations() * kSeries) * 1e-9,
      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["wire_bytes_per_sample"] = static_cast<double>(compressed.size()) / kSeries;
}
BENCHMARK(snappy_and_decode);

void decode_key(benchmark::State& state) {
  varve::wire::WriteRequestDecoder decoder;
  varve::storage::WriteBatch batch;
  const std::string request = ordinary_request();
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
