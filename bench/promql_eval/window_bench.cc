// SPDX-License-Identifier: Apache-2.0
// What does a window function cost per step once the samples of a series lie in columns? Sixteen
// series of a day, a sample every 15 s with a jitter of milliseconds, a step a minute. Which
// samples each step sees is worked out once for all series of a target and measured by itself.
// Steps are compared with the function's own answer for a single window.
//
// Floor: a rate looks at the first and the last sample of its window, four loads from L1 and L2,
// one division and two multiplications: 1 to 2 ns with four steps at a time. Sums over windows that
// overlap are 240 additions of 1h windows done naively, 30 ns eight at a time; anything below that
// knows sums of parts, of which a window is two and four samples that are added and four that are
// taken away: 5 ns. A quantile must select among the 120 samples of 30m: 120 comparisons at least,
// 100 ns. An index moves two bounds by four samples a step, eight comparisons that are foreseen: 3
// ns.
#include <benchmark/benchmark.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "promql/eval/window_index.h"
#include "promql/parser.h"
#include "promql/value/function_impl.h"

namespace varve::promql {
namespace {

constexpr Timestamp kStart = 1'700'000'100'000;
constexpr Timestamp kScrapeMs = 15'000;
constexpr std::size_t kSamples = 24 * 240;
constexpr std::size_t kSeries = 16;
constexpr std::int64_t kMinute = 60'000;
const StepGrid kGrid{kStart + 60 * kMinute, kMinute, 22 * 60};

std::vector<Timestamp> jittered_times() {
  std::mt19937_64 random(1);
  std::vector<Timestamp> times;
  for (std::size_t i = 0; i < kSamples; ++i) {
    times.push_back(kStart + static_cast<Timestamp>(i) * kScrapeMs +
                    static_cast<Timestamp>(random() % 11));
  }
  return times;
}

enum Shape { kSteadyCounter, kTwoDecimalGauge };

std::vector<std::vector<double>> make_values(Shape shape) {
  std::mt19937_64 random(2);
  std::vector<std::vector<double>> all;
  for (std::size_t series = 0; series < kSeries; ++series) {
    std::vector<double>& values = all.emplace_back();
    double value = 0;
    for (std::size_t i = 0; i < kSamples; ++i) {
      // A restart about once a day.
      if (shape == kSteadyCounter)
        value = random() % kSamples == 0 ? 0 : value + static_cast<double>(random() % 1500) / 100;
      if (shape == kTwoDecimalGauge) value = static_cast<double>(random() % 100'000) / 100;
      values.push_back(value);
    }
  }
  return all;
}

struct Function {
  const char* name;
  const char* expression;
  std::int64_t range_ms;
  Shape shape;
};

constexpr Function kFunctions[] = {
    {"rate_5m", "rate(x[5m])", 5 * kMinute, kSteadyCounter},
    {"increase_1h", "increase(x[1h])", 60 * kMinute, kSteadyCounter},
    {"irate_5m", "irate(x[5m])", 5 * kMinute, kSteadyCounter},
    {"delta_1h", "delta(x[1h])", 60 * kMinute, kTwoDecimalGauge},
    {"avg_over_time_1h", "avg_over_time(x[1h])", 60 * kMinute, kTwoDecimalGauge},
    {"sum_over_time_5m", "sum_over_time(x[5m])", 5 * kMinute, kTwoDecimalGauge},
    {"max_over_time_1h", "max_over_time(x[1h])", 60 * kMinute, kTwoDecimalGauge},
    {"last_over_time_5m", "last_over_time(x[5m])", 5 * kMinute, kTwoDecimalGauge},
    {"stddev_over_time_5m", "stddev_over_time(x[5m])", 5 * kMinute, kTwoDecimalGauge},
    {"quantile_over_time_30m", "quantile_over_time(0.95, x[30m])", 30 * kMinute, kTwoDecimalGauge},
    {"changes_1h", "changes(x[1h])", 60 * kMinute, kTwoDecimalGauge},
};

double constant_of(const Expr& expr) {
  return expr.kind() == ExprKind::kNumber ? as<NumberLiteral>(expr).value : 0;
}

bool same(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

void run(benchmark::State& state, const Function& one) {
  const Features features;
  const auto parsed = parse(one.expression, features);
  if (!parsed.ok()) return state.SkipWithError("does not parse");
  const Call& call = as<Call>(**parsed);
  const FunctionImpl* impl = find_function_impl(call.function->id);
  if (impl == nullptr || impl->series_kernel == nullptr) return state.SkipWithError("no kernel");
  std::vector<ScalarSteps> scalars(call.args.size());
  std::vector<ArgValue> values(call.args.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i].expr = call.args[i].get();
    scalars[i].assign(kGrid.count, constant_of(*call.args[i]));
    if (call.args[i]->type() == ValueType::kScalar) values[i].scalar = &scalars[i];
  }
  const CallArgs args{call, values};
  AnnotationSink remarks;
  EvalContext context{kGrid, features, remarks, 300'000};

  const std::vector<Timestamp> times = jittered_times();
  const auto columns = make_values(one.shape);
  const WindowShape shape{kGrid.start_ms, kGrid.step_ms, one.range_ms, kGrid.count};
  const WindowIndex index = index_windows(times, shape);
  const WindowMemo memo;
  const Labels labels{{"__name__", "x"}};
  const SeriesRef ref(labels);
  std::vector<double> results(kGrid.count);
  std::vector<PointKind> kinds(kGrid.count);
  for (auto _ : state) {
    for (const std::vector<double>& column : columns) {
      kinds.assign(kGrid.count, PointKind::kNone);
      SeriesWindows windows;
      windows.times = times;
      windows.values = column;
      windows.lo = index.lo;
      windows.hi = index.hi;
      windows.first_range_end_ms = kGrid.start_ms;
      windows.range_step_ms = kGrid.step_ms;
      windows.range_ms = one.range_ms;
      windows.series = &ref;
      windows.memo = &memo;
      impl->series_kernel(windows, args, context, results, kinds);
      benchmark::DoNotOptimize(results.data());
    }
  }
  for (std::size_t step = 0; step < kGrid.count; step += 97) {
    const std::size_t lo = index.lo[step];
    const std::size_t size = index.hi[step] - lo;
    Window window;
    window.float_times = std::span(times).subspan(lo, size);
    window.float_values = std::span<const double>(columns.back()).subspan(lo, size);
    window.range_end_ms = window.eval_ms = kGrid.at(step);
    window.range_start_ms = window.range_end_ms - one.range_ms;
    window.step = step;
    window.series = &ref;
    const PointValue alone = impl->window(window, args, context);
    if (alone.kind != kinds[step] || !same(alone.value, results[step])) {
      state.SkipWithError("another answer than for the window alone");
    }
  }
  state.counters["per_step"] = benchmark::Counter(
      static_cast<double>(kSeries * kGrid.count),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

// Once for each target.
void index_of_windows(benchmark::State& state) {
  const std::vector<Timestamp> times = jittered_times();
  const WindowShape shape{kGrid.start_ms, kGrid.step_ms, 5 * kMinute, kGrid.count};
  for (auto _ : state) {
    const WindowIndex index = index_windows(times, shape);
    if (index.widest < 19 || index.widest > 21) state.SkipWithError("wrong windows");
    benchmark::DoNotOptimize(index.lo.data());
  }
  state.counters["per_step"] = benchmark::Counter(
      static_cast<double>(kGrid.count),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(index_of_windows)->Unit(benchmark::kMicrosecond);

const bool kRegistered = [] {
  for (const Function& one : kFunctions) {
    benchmark::RegisterBenchmark((std::string("window/") + one.name).c_str(),
                                 [&one](benchmark::State& state) { run(state, one); })
        ->Unit(benchmark::kMicrosecond);
  }
  return true;
}();

}  // namespace
}  // namespace varve::promql
