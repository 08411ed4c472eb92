// SPDX-License-Identifier: Apache-2.0
// What does a line of a scrape cost, as long as its series are known? The lines of
// VARVE_BENCH_SCRAPE (a file of sample lines), or made ones in the manner of a node exporter.
//
// Floor: a line is 75 bytes, of which each is looked at once for where names, values and lines end:
// 16 at a time 3 ns, one at a time 20. Its number is converted eight digits at a time, 2 to 5 ns.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "wire/exposition.h"

namespace {

std::string scrape_body() {
  if (const char* path = std::getenv("VARVE_BENCH_SCRAPE"); path != nullptr) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  std::string body;
  for (int i = 0; i < 2000; ++i) {
    if (i % 20 == 0) body += "# TYPE node_metric_" + std::to_string(i / 20) + "_total counter\n";
    body += "node_metric_" + std::to_string(i / 20) + "_total{cpu=\"" + std::to_string(i % 20) +
            "\",mode=\"softirq\",device=\"/dev/nvme0n1p" + std::to_string(i % 3) + "\"} " +
            (i % 3 == 0 ? std::to_string(i * 7919) : std::to_string(i * 0.37)) + '\n';
  }
  return body;
}

void text_format(benchmark::State& state) {
  const std::string body = scrape_body();
  std::size_t lines = 0;
  for (auto _ : state) {
    varve::wire::ExpositionParser parser(body, varve::wire::ExpositionFormat::kText);
    for (;;) {
      const auto entry = parser.next();
      if (!entry.ok()) {
        state.SkipWithError(entry.error().message().c_str());
        break;
      }
      if (*entry == varve::wire::ExpositionEntry::kEnd) break;
      lines += *entry == varve::wire::ExpositionEntry::kSample;
      benchmark::DoNotOptimize(parser.sample().value);
    }
  }
  state.counters["per_sample"] =
      benchmark::Counter(static_cast<double>(lines),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * body.size()));
}
BENCHMARK(text_format);

void parse_series(benchmark::State& state) {
  for (auto _ : state) {
    const auto labels = varve::wire::parse_series_text(
        "node_cpu_seconds_total{cpu=\"12\",mode=\"softirq\",device=\"/dev/nvme0n1p2\"}");
    if (!labels.ok()) state.SkipWithError("wrong result");
    benchmark::DoNotOptimize(labels);
  }
}
BENCHMARK(parse_series);

}  // namespace
