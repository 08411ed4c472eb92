// SPDX-License-Identifier: Apache-2.0
// What does a year cost in the evaluator when buckets answer it? 1,000 series: 1h buckets for all
// but the last 30 days, 5m buckets for half of those, then samples every 15 s. Reading is a copy
// out of memory, everything runs on one thread; storage adds the decoding of the columns.
//
// Floor: a bucket is three to six columns of 8 bytes that are copied and read once, 2 ns out of L2;
// the 86,400 samples of the last 15 days weigh more than the 12,360 buckets before them: 0.1 ms a
// series.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "promql/engine.h"
#include "storage/querier.h"

namespace varve::promql::bench {
namespace {

using storage::BucketColumns;
using storage::SeriesBuckets;

constexpr Timestamp kHour = 3'600'000;
constexpr Timestamp kDay = 24 * kHour;
constexpr Timestamp kStart = 470'000 * kHour;
constexpr Timestamp kEnd = kStart + 365 * kDay;
constexpr std::size_t kSeries = 1000;

// One counter, which all series share: its buckets of a year, and a month of samples.
struct History {
  std::vector<storage::LevelSpan> spans{
      {kHour, {kStart + kHour, kEnd - 30 * kDay}},
      {kHour / 12, {kEnd - 30 * kDay + kHour / 12, kEnd - 15 * kDay}}};
  SeriesBuckets buckets[2];
  storage::SeriesSamples samples;  // of the last month, whatever buckets say
};

SeriesBuckets make_buckets(const storage::LevelSpan& span) {
  SeriesBuckets out;
  out.resolution_ms = span.resolution_ms;
  out.ends_id = static_cast<std::uint64_t>(span.resolution_ms);
  std::mt19937_64 random(1);
  double value = 0;
  for (Timestamp end = span.ends.min_ms; end <= span.ends.max_ms; end += span.resolution_ms) {
    out.ends_ms.push_back(end);
    out.counts.push_back(static_cast<double>(span.resolution_ms / 15'000));
    out.first_times.push_back(end - span.resolution_ms + 7'000);
    out.last_times.push_back(end - 8'000);
    out.firsts.push_back(value);
    out.mins.push_back(value);
    value += static_cast<double>(random() % 100'000) / 100;
    out.lasts.push_back(value);
    out.maxs.push_back(value);
    out.sums.push_back(value * out.counts.back());
    const bool reset = random() % 1000 == 0;
    out.reset_sums.push_back(reset ? value : 0);
    out.resets.push_back(reset ? 1 : 0);
    if (reset) value = 0;
  }
  return out;
}

const History& history() {
  static const History kHistory = [] {
    History all;
    for (int i = 0; i < 2; ++i)
      all.buckets[i] = make_buckets(all.spans[static_cast<std::size_t>(i)]);
    double value = 0;
    for (Timestamp t = kEnd - 30 * kDay + 7'000; t <= kEnd; t += 15'000) {
      all.samples.float_times.push_back(t);
      all.samples.float_values.push_back(value += 3.25);
    }
    all.samples.times_id = 1;
    return all;
  }();
  return kHistory;
}

template <typename T>
void cut(const std::vector<T>& from, std::size_t lo, std::size_t hi, std::vector<T>& to) {
  to.assign(from.begin() + static_cast<std::ptrdiff_t>(lo),
            from.begin() + static_cast<std::ptrdiff_t>(hi));
}

class YearSelection final : public storage::Selection {
 public:
  explicit YearSelection(bool levels) : levels_(levels) {}
  std::size_t size() const override { return kSeries; }
  Labels labels(std::size_t series) const override {
    return Labels{{kMetricName, "x_total"},
                  {"instance", std::to_string(series)},
                  {"job", std::to_string(series % 10)}};
  }
  storage::LabelColumn label_column(std::string_view name) const override {
    static const std::vector<std::string> kJobs{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    storage::LabelColumn column;
    column.values.push_back("");
    if (name == kMetricName) column.values.push_back("x_total");
    if (name == "job") column.values.insert(column.values.end(), kJobs.begin(), kJobs.end());
    for (std::size_t i = 0; i < kSeries; ++i) {
      column.ids.push_back(name == "job"         ? static_cast<std::uint32_t>(i % 10 + 1)
                           : name == kMetricName ? 1U
                                                 : 0U);
    }
    return column;
  }
  Status read(std::size_t, TimeRange range, storage::SeriesSamples& out) const override {
    out.clear();
    const auto& times = history().samples.float_times;
    if (levels_) range.min_ms = std::max(range.min_ms, history().spans[1].ends.max_ms + 1);
    const auto lo = std::lower_bound(times.begin(), times.end(), range.min_ms) - times.begin();
    const auto hi = std::upper_bound(times.begin(), times.end(), range.max_ms) - times.begin();
    if (lo >= hi) return {};
    const auto first = static_cast<std::size_t>(lo);
    const auto count = static_cast<std::size_t>(hi - lo);
    out.float_times.append(std::span(times).subspan(first, count));
    out.float_values.append(std::span(history().samples.float_values).subspan(first, count));
    out.times_id = 1;
    return {};
  }
  Status read_last(std::span<const std::uint32_t>, TimeRange,
                   std::span<storage::LastSample>) const override {
    return {};
  }
  std::span<const storage::LevelSpan> levels(std::size_t) const override {
    return levels_ ? std::span<const storage::LevelSpan>(history().spans)
                   : std::span<const storage::LevelSpan>();
  }
  Status read_buckets(std::size_t, std::size_t span, TimeRange ends, BucketColumns columns,
                      SeriesBuckets& out) const override {
    out.clear();
    const SeriesBuckets& all = history().buckets[span];
    const auto& times = all.ends_ms;
    const auto lo = static_cast<std::size_t>(
        std::lower_bound(times.begin(), times.end(), ends.min_ms) - times.begin());
    const auto hi = static_cast<std::size_t>(
        std::upper_bound(times.begin(), times.end(), ends.max_ms) - times.begin());
    out.ends_id = all.ends_id;
    cut(times, lo, hi, out.ends_ms);
    if (has(columns, BucketColumns::kCount)) cut(all.counts, lo, hi, out.counts);
    if (has(columns, BucketColumns::kSum)) cut(all.sums, lo, hi, out.sums);
    if (has(columns, BucketColumns::kMin)) cut(all.mins, lo, hi, out.mins);
    if (has(columns, BucketColumns::kMax)) cut(all.maxs, lo, hi, out.maxs);
    if (has(columns, BucketColumns::kFirst)) {
      cut(all.first_times, lo, hi, out.first_times);
      cut(all.firsts, lo, hi, out.firsts);
    }
    if (has(columns, BucketColumns::kLast)) {
      cut(all.last_times, lo, hi, out.last_times);
      cut(all.lasts, lo, hi, out.lasts);
    }
    if (has(columns, BucketColumns::kResets)) {
      cut(all.reset_sums, lo, hi, out.reset_sums);
      cut(all.resets, lo, hi, out.resets);
    }
    return {};
  }

 private:
  bool levels_;
};

class YearQuerier final : public storage::Querier {
 public:
  Result<std::unique_ptr<storage::Selection>> select(std::span<const model::Matcher>, TimeRange,
                                                     const storage::SelectHints& hints) override {
    return std::unique_ptr<storage::Selection>(
        std::make_unique<YearSelection>(hints.max_source_resolution_ms != storage::kSourceRaw));
  }
  Result<Names> label_names(std::span<const model::Matcher>, TimeRange, std::size_t) override {
    return Names{};
  }
  Result<Names> label_values(std::string_view, std::span<const model::Matcher>, TimeRange,
                             std::size_t) override {
    return Names{};
  }
};

class Year final : public storage::Queryable {
 public:
  Result<std::unique_ptr<storage::Querier>> querier(TimeRange) const override {
    return std::unique_ptr<storage::Querier>(std::make_unique<YearQuerier>());
  }
};

void run(benchmark::State& state, const char* query, Timestamp start, std::int64_t step,
         std::int64_t resolution) {
  const base::FakeClock clock;
  EngineOptions options;
  options.samples_max = 1'000'000'000;
  const Engine engine(options, clock, nullptr, nullptr);
  const Year year;
  QueryParams params;
  params.max_source_resolution_ms = resolution;
  for (auto _ : state) {
    auto result = engine.range(year, query, start, kEnd, step, params);
    if (!result.ok() || std::get<Matrix>(result->value).empty()) std::abort();
    benchmark::DoNotOptimize(result);
  }
}

void year_rate(benchmark::State& state) {
  run(state, "sum by (job) (rate(x_total[1h]))", kStart + kHour, kHour, storage::kSourceAuto);
}
void year_max(benchmark::State& state) {
  run(state, "max by (job) (max_over_time(x_total[1d]))", kStart + kDay, kDay,
      storage::kSourceAuto);
}
void year_max_hourly(benchmark::State& state) {
  run(state, "max by (job) (max_over_time(x_total[1d]))", kStart + kDay, kHour,
      storage::kSourceAuto);
}
void year_last(benchmark::State& state) {
  run(state, "sum by (job) (x_total)", kStart + kHour, kHour, storage::kSourceAuto);
}
void month_rate_of_samples(benchmark::State& state) {
  run(state, "sum by (job) (rate(x_total[1h]))", kEnd - 30 * kDay + kHour, kHour,
      storage::kSourceRaw);
}
void month_max_of_samples(benchmark::State& state) {
  run(state, "max by (job) (max_over_time(x_total[1d]))", kEnd - 29 * kDay, kDay,
      storage::kSourceRaw);
}

BENCHMARK(year_rate)->Unit(benchmark::kMillisecond);
BENCHMARK(year_max)->Unit(benchmark::kMillisecond);
BENCHMARK(year_max_hourly)->Unit(benchmark::kMillisecond);
BENCHMARK(year_last)->Unit(benchmark::kMillisecond);
BENCHMARK(month_rate_of_samples)->Unit(benchmark::kMillisecond);
BENCHMARK(month_max_of_samples)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace varve::promql::bench
