// SPDX-License-Identifier: Apache-2.0
// What does it cost to read an expression? Those of a dashboard, which come again with every
// refresh.
//
// Floor: a few hundred bytes looked at once and twenty nodes allocated, 20 to 30 ns each: 1 µs.
// What a regular expression takes to compile is bench/model's.
#include <benchmark/benchmark.h>

#include <string>
#include <string_view>

#include "promql/parser.h"

namespace varve::promql {
namespace {

constexpr std::string_view kExpressions[] = {
    "up",
    "sum by (mode) (rate(node_cpu_seconds_total{instance=\"host-3:9100\",mode!=\"idle\"}[5m]))",
    "histogram_quantile(0.99, sum by (le, path) (rate(http_request_duration_seconds_bucket[5m])))",
    "1 - avg by (instance) (node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)",
    "topk(5, sum by (namespace) (rate(container_cpu_usage_seconds_total[5m]))) > 0.5",
    "rate(a_total{job=\"x\"}[5m]) / on (instance, job) group_left (version) build_info",
};

void parse_expressions(benchmark::State& state) {
  const Features features;
  for (auto _ : state) {
    for (const std::string_view text : kExpressions) {
      const auto parsed = parse(text, features);
      if (!parsed.ok()) state.SkipWithError("does not parse");
      benchmark::DoNotOptimize(parsed);
    }
  }
  state.counters["per_expression"] = benchmark::Counter(
      static_cast<double>(std::size(kExpressions)),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(parse_expressions)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace varve::promql
