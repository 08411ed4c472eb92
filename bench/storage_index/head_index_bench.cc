// SPDX-License-Identifier: Apache-2.0
// What does a new series cost in the head's index, in time and memory, and what a selection? A
// fleet of targets with 1000 series of 9 labels each, added target by target and shuffled.
//
// Floor: a series takes 9 pairs of 4 bytes and as many postings, 72 bytes, and at least the one
// pair that it does not share with the series before must be looked up: 3 loads from anywhere.
// Target by target that is in the cache, 100 ns; shuffled, nine lists whose ends are somewhere in
// memory, 200 to 300 ns. A selection reads the postings of its rarest matcher, 4 bytes an id, and
// asks about the others.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "storage/index/head_index.h"

using namespace varve;
using namespace varve::storage;
using namespace varve::storage::index;
using model::Matcher;
using model::MatchType;

namespace {

constexpr std::uint32_t kSeriesPerTarget = 1000;

Labels labels_of(std::uint32_t number) {
  const std::uint32_t target = number / kSeriesPerTarget;
  const std::uint32_t of_target = number % kSeriesPerTarget;
  return Labels{{"__name__", "node_metric_number_" + std::to_string(of_target / 4) + "_total"},
                {"cluster", "eu-west-1"},
                {"device", "device" + std::to_string(of_target % 4)},
                {"env", "production"},
                {"instance", "host-" + std::to_string(target) + ".example.org:9100"},
                {"job", target % 5 == 0 ? "api" : "node"},
                {"mode", "user"},
                {"rack", "r" + std::to_string(target % 40)},
                {"team", "infra"}};
}

std::vector<Labels> fleet(std::uint32_t count, bool shuffled) {
  std::vector<Labels> labels;
  for (std::uint32_t i = 0; i < count; ++i) labels.push_back(labels_of(i));
  if (shuffled) std::shuffle(labels.begin(), labels.end(), std::mt19937(1));
  return labels;
}

void add(benchmark::State& state, bool shuffled) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  const std::vector<Labels> labels = fleet(count, shuffled);
  double bytes = 0;
  for (auto _ : state) {
    base::MemoryAccount account("bench");
    HeadIndex index(account);
    for (std::uint32_t i = 0; i < count; ++i) index.add(SeriesId{i + 1}, labels[i]);
    bytes = static_cast<double>(account.bytes());
    if (index.series_count() != count) state.SkipWithError("series are missing");
  }
  state.counters["per_series"] =
      benchmark::Counter(static_cast<double>(count) * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["B/series"] = bytes / count;
}
BENCHMARK_CAPTURE(add, by_target, false)
    ->Arg(10'000)
    ->Arg(100'000)
    ->Arg(1'000'000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(add, shuffled, true)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

// An index of so many series, made once.
template <std::uint32_t count>
const HeadIndex& index_of() {
  static base::MemoryAccount account("bench");
  static const std::unique_ptr<HeadIndex> index = [] {
    auto made = std::make_unique<HeadIndex>(account);
    for (std::uint32_t i = 0; i < count; ++i) made->add(SeriesId{i + 1}, labels_of(i));
    return made;
  }();
  return *index;
}

void select_from(benchmark::State& state, const HeadIndex& index,
                 const std::vector<Matcher>& matchers, std::size_t expected) {
  for (auto _ : state) {
    const auto found = index.select(matchers, index.bound());
    if (!found.ok() || found->size() != expected) state.SkipWithError("wrong series");
  }
  state.counters["series"] = static_cast<double>(expected);
}

void select(benchmark::State& state, const std::vector<Matcher>& matchers, std::size_t expected) {
  select_from(state, index_of<1'000'000>(), matchers, expected);
}
// Of 20 targets: what the guard counts.
void select_small(benchmark::State& state, const std::vector<Matcher>& matchers,
                  std::size_t expected) {
  select_from(state, index_of<20'000>(), matchers, expected);
}

Matcher matcher(MatchType type, const char* name, const char* value) {
  return *Matcher::create(type, name, value);
}

BENCHMARK_CAPTURE(select, one_series,
                  {matcher(MatchType::kEqual, "__name__", "node_metric_number_7_total"),
                   matcher(MatchType::kEqual, "instance", "host-500.example.org:9100"),
                   matcher(MatchType::kEqual, "device", "device2")},
                  1);
BENCHMARK_CAPTURE(select, metric_of_all_targets,
                  {matcher(MatchType::kEqual, "__name__", "node_metric_number_7_total")}, 4000);
BENCHMARK_CAPTURE(select, metric_and_job,
                  {matcher(MatchType::kEqual, "__name__", "node_metric_number_7_total"),
                   matcher(MatchType::kEqual, "job", "api")},
                  800);
BENCHMARK_CAPTURE(select, metric_and_instance_regex,
                  {matcher(MatchType::kEqual, "__name__", "node_metric_number_7_total"),
                   matcher(MatchType::kRegex, "instance", "host-[0-4].*:9100")},
                  1780);
BENCHMARK_CAPTURE(select, metric_without_device,
                  {matcher(MatchType::kEqual, "__name__", "node_metric_number_7_total"),
                   matcher(MatchType::kNotEqual, "device", "device1")},
                  3000);
BENCHMARK_CAPTURE(select, everything, {matcher(MatchType::kRegex, "job", ".+")}, 1'000'000)
    ->Unit(benchmark::kMillisecond);

BENCHMARK_CAPTURE(select_small, metric_and_instance_regex,
                  {matcher(MatchType::kEqual, "__name__", "node_metric_number_7_total"),
                   matcher(MatchType::kRegex, "instance", "host-[0-4].*:9100")},
                  60);
BENCHMARK_CAPTURE(select_small, metric_without_device,
                  {matcher(MatchType::kEqual, "__name__", "node_metric_number_7_total"),
                   matcher(MatchType::kNotEqual, "device", "device1")},
                  60);

void column(benchmark::State& state, const char* name) {
  const HeadIndex& index = index_of<1'000'000>();
  const Ids ids = *index.select(
      std::vector<Matcher>{matcher(MatchType::kRegex, "__name__", "node_metric_number_1.?_total")},
      index.bound());
  for (auto _ : state) benchmark::DoNotOptimize(index.label_column(ids, name));
  state.counters["per_series"] = benchmark::Counter(
      static_cast<double>(ids.size()) * static_cast<double>(state.iterations()),
      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK_CAPTURE(column, instance, "instance");

}  // namespace
