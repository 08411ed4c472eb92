// SPDX-License-Identifier: Apache-2.0
// What do the queries of a dashboard cost in the evaluator itself, per sample read and per point
// produced? Reading is a copy out of memory, everything runs on one thread.
//
// The floor, at 4 GHz and 32 bytes a cycle out of L2: a sample is 16 bytes copied and 8 looked at
// once more for resets and markers, 0.25 ns; a point of a rate is two samples and two numbers of
// its step, 0.4 ns with the four loads that no vector takes at once; a point folded is 8 bytes read
// and 16 changed, 0.3 ns. What decoding adds is bench/storage_codec's.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <variant>

#include "base/clock.h"
#include "column_storage.h"
#include "promql/engine.h"

namespace varve::promql::bench {
namespace {

constexpr Timestamp kStart = 1'700'000'100'000;  // on a multiple of 5 minutes
constexpr std::int64_t kScrape = 15'000;
constexpr std::int64_t kHour = 3'600'000;

// jittered_scrape: targets scraped every 15 s at an offset of their own, give or take 5 ms.
ColumnStorage make_storage(std::size_t targets, std::int64_t hours) {
  ColumnStorage storage;
  std::mt19937_64 random(20261121);
  std::vector<std::size_t> times;
  const auto samples = static_cast<std::size_t>(hours * kHour / kScrape);
  for (std::size_t target = 0; target < targets; ++target) {
    std::vector<Timestamp> column;
    const Timestamp offset = static_cast<Timestamp>(random() % kScrape);
    for (std::size_t i = 0; i < samples; ++i) {
      column.push_back(kStart + offset + static_cast<Timestamp>(i) * kScrape +
                       static_cast<Timestamp>(random() % 11) - 5);
    }
    times.push_back(storage.add_times(std::move(column)));
  }
  const auto add = [&](std::size_t target, std::string_view name,
                       std::vector<LabelView> labels, bool counter) {
    const std::string instance = "host-" + std::to_string(target) + ":9100";
    const std::string dc = "dc" + std::to_string(target % 4);
    labels.push_back({kMetricName, name});
    labels.push_back({"instance", instance});
    labels.push_back({"dc", dc});
    labels.push_back({"job", "node"});
    std::vector<double> values;
    double value = static_cast<double>(random() % 1000);
    for (std::size_t i = 0; i < samples; ++i) {
      if (counter) {
        value += static_cast<double>(random() % 1500) / 100;
      } else {
        value = static_cast<double>(random() % 100'000) / 100;
      }
      values.push_back(value);
    }
    storage.add_series(Labels(labels), times[target], std::move(values));
  };
  static constexpr const char* kModes[] = {"idle", "user", "system", "iowait",
                                           "nice", "irq",  "softirq", "steal"};
  static constexpr const char* kBounds[] = {"0.005", "0.01", "0.025", "0.05", "0.1", "0.25",
                                            "0.5",   "1",    "2.5",   "5",    "10",  "+Inf"};
  for (std::size_t target = 0; target < targets; ++target) {
    for (const char* cpu : {"0", "1", "2", "3"}) {
      for (const char* mode : kModes) {
        add(target, "node_cpu_seconds_total", {{"cpu", cpu}, {"mode", mode}}, true);
      }
    }
    for (const char* bound : kBounds) add(target, "request_bucket", {{"le", bound}}, true);
    add(target, "node_load1", {}, false);
    add(target, "mem_free", {}, false);
    add(target, "mem_available", {}, false);
  }
  return storage;
}

const ColumnStorage& storage_of_a_day() {
  static const ColumnStorage storage = make_storage(60, 25);
  return storage;
}

struct Panel {
  const char* name;
  const char* query;
  std::int64_t span_ms;
  std::int64_t step_ms;  // 0: instant
};

constexpr Panel kPanels[] = {
    {"raw_1h", "node_load1", kHour, 15'000},
    {"cpu_by_mode_1h", "sum by (mode) (rate(node_cpu_seconds_total[5m]))", kHour, 15'000},
    {"cpu_by_mode_24h", "sum by (mode) (rate(node_cpu_seconds_total[5m]))", 24 * kHour, 60'000},
    {"cpu_avg_24h", "avg by (mode) (rate(node_cpu_seconds_total[5m]))", 24 * kHour, 60'000},
    {"hist_quantile_24h",
     "histogram_quantile(0.9, sum by (le) (rate(request_bucket[10m])))", 24 * kHour, 300'000},
    {"topk_1h", "topk(5, sum by (instance) (rate(node_cpu_seconds_total[5m])))", kHour, 15'000},
    {"avg_over_time_24h", "avg_over_time(node_load1[1h])", 24 * kHour, 300'000},
    {"max_over_time_24h", "max(max_over_time(node_cpu_seconds_total[10m]))", 24 * kHour, 60'000},
    {"quantile_over_time_12h", "quantile_over_time(0.95, node_load1[30m])", 12 * kHour, 60'000},
    {"ratio_6h",
     "sum by (instance) (rate(node_cpu_seconds_total{mode=\"user\"}[5m])) / sum by (instance) "
     "(rate(node_cpu_seconds_total[5m]))",
     6 * kHour, 60'000},
    {"mem_used_max_6h", "max by (dc) (1 - mem_available / (mem_free + mem_available))", 6 * kHour,
     60'000},
    {"topk_all_series_6h", "topk(5, rate(node_cpu_seconds_total[5m]))", 6 * kHour, 60'000},
    {"hist_quantile_by_instance_6h",
     "histogram_quantile(0.99, sum by (instance, le) (rate(request_bucket[5m])))", 6 * kHour,
     60'000},
    {"group_left_6h",
     "rate(node_cpu_seconds_total{mode=\"user\"}[5m]) / on(instance) group_left node_load1",
     6 * kHour, 60'000},
    {"set_and_6h", "node_load1 > 500 and on(instance) mem_free > 100", 6 * kHour, 60'000},
    // The pipelines by themselves.
    {"rate_fold_24h", "sum(rate(node_cpu_seconds_total[5m]))", 24 * kHour, 60'000},
    {"increase_24h", "sum(increase(request_bucket[1h]))", 24 * kHour, 300'000},
    {"subquery_6h", "max_over_time(sum by (mode) (rate(node_cpu_seconds_total[5m]))[30m:1m])",
     6 * kHour, 300'000},
    {"instant_last", "sum(node_cpu_seconds_total)", 0, 0},
    {"count_instant", "count by (mode) ({__name__=~\".+\"})", 0, 0},
};

void run_panel(benchmark::State& state, const Panel& panel) {
  const ColumnStorage& storage = storage_of_a_day();
  const base::FakeClock clock;  // no deadline, however slowly a checker runs this
  const Engine engine(EngineOptions{}, clock, nullptr, nullptr);
  const Timestamp end = kStart + 25 * kHour - 300'000;
  std::uint64_t points = 0;
  std::uint64_t samples = 0;
  for (auto _ : state) {
    const Result<QueryResult> result =
        panel.step_ms == 0 ? engine.instant(storage, panel.query, end)
                           : engine.range(storage, panel.query, end - panel.span_ms, end,
                                          panel.step_ms);
    if (!result.ok()) {
      state.SkipWithError(result.error().message().c_str());
      return;
    }
    points = 0;
    if (const auto* matrix = std::get_if<Matrix>(&result->value)) {
      for (const Series& series : *matrix) points += series.floats.size();
    } else {
      points = std::get<Vector>(result->value).size();
    }
    if (points == 0) {
      state.SkipWithError("the query gave nothing");
      return;
    }
    samples = result->stats.series_count *
              static_cast<std::uint64_t>(std::max<std::int64_t>(1, panel.span_ms / kScrape));
  }
  // Seconds per item, inverted: shown as ns.
  state.counters["per_sample"] = benchmark::Counter(
      static_cast<double>(samples),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["per_point"] = benchmark::Counter(
      static_cast<double>(points),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

const bool registered = [] {
  for (const Panel& panel : kPanels) {
    benchmark::RegisterBenchmark(panel.name,
                                 [&panel](benchmark::State& state) { run_panel(state, panel); })
        ->Unit(benchmark::kMillisecond);
  }
  return true;
}();

}  // namespace
}  // namespace varve::promql::bench
