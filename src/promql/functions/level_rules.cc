// SPDX-License-Identifier: Apache-2.0
// Which function is answered from which columns of buckets, and how. Most are the kernel over
// samples run on a column: the smallest of minima is the minimum.
#include <array>

#include "promql/functions/level_histograms.h"
#include "promql/functions/level_quantile.h"
#include "promql/functions/level_rate.h"
#include "promql/value/level_windows.h"

namespace varve::promql {
namespace {

using namespace function_impls;  // NOLINT: this file is a table of that namespace
using storage::BucketColumns;
using storage::SeriesBuckets;

template <FunctionId kFunction, std::vector<double> SeriesBuckets::*kColumn>
void on_column(const LevelWindows& windows, const CallArgs& args, EvalContext& context,
               StepSeries& out) {
  static const SeriesKernel kKernel = find_function_impl(kFunction)->series_kernel;
  const WindowMemo memo;
  SeriesWindows column;
  column.times = windows.buckets.ends_ms;
  column.values = windows.buckets.*kColumn;
  column.lo = windows.lo;
  column.hi = windows.hi;
  column.range_ms = windows.range_ms;
  column.series = windows.series;
  column.memo = &memo;
  const std::size_t steps = windows.steps();
  kKernel(column, args, context, std::span(out.values).first(steps),
          std::span(out.kinds).first(steps));
}

// sums[i]: of the first i values. Exact for counts, which are whole numbers.
std::vector<double> running_sum(const std::vector<double>& values) {
  std::vector<double> sums(values.size() + 1);
  for (std::size_t i = 0; i < values.size(); ++i) sums[i + 1] = sums[i] + values[i];
  return sums;
}

void count_kernel(const LevelWindows& windows, const CallArgs&, EvalContext&, StepSeries& out) {
  const std::vector<double> before = running_sum(windows.buckets.counts);
  for (std::size_t step = 0; step < windows.steps(); ++step) {
    if (windows.lo[step] >= windows.hi[step]) continue;
    out.set(step, windows.counted(before[windows.hi[step]] - before[windows.lo[step]], step));
  }
}

void sum_kernel(const LevelWindows& windows, const CallArgs& args, EvalContext& context,
                StepSeries& out) {
  on_column<FunctionId::kSumOverTime, &SeriesBuckets::sums>(windows, args, context, out);
  for (std::size_t step = 0; step < windows.steps(); ++step) {
    const double share = windows.window_share(step);
    if (share != 1 && windows.lo[step] < windows.hi[step]) out.values[step] *= share;
  }
}

void average_kernel(const LevelWindows& windows, const CallArgs& args, EvalContext& context,
                    StepSeries& out) {
  on_column<FunctionId::kSumOverTime, &SeriesBuckets::sums>(windows, args, context, out);
  const std::vector<double> before = running_sum(windows.buckets.counts);
  for (std::size_t step = 0; step < windows.steps(); ++step) {
    if (windows.lo[step] >= windows.hi[step]) continue;
    out.values[step] /= before[windows.hi[step]] - before[windows.lo[step]];
  }
}

template <std::vector<Timestamp> SeriesBuckets::*kTimes, bool kFirst>
void time_kernel(const LevelWindows& windows, const CallArgs&, EvalContext&, StepSeries& out) {
  for (std::size_t step = 0; step < windows.steps(); ++step) {
    if (windows.lo[step] >= windows.hi[step]) continue;
    const std::size_t at = kFirst ? windows.lo[step] : windows.hi[step] - 1;
    out.set(step, static_cast<double>((windows.buckets.*kTimes)[at]) / 1000);
  }
}

struct Change {
  static bool between(double previous, double current) {
    return current != previous && !(current != current && previous != previous);
  }
};
struct Reset {
  static bool between(double previous, double current) { return current < previous; }
};

// Transitions within the buckets of a window and from each to the next.
template <class Transition, std::vector<double> SeriesBuckets::*kWithin>
void transition_kernel(const LevelWindows& windows, const CallArgs&, EvalContext&,
                       StepSeries& out) {
  const SeriesBuckets& buckets = windows.buckets;
  const std::vector<double>& within = buckets.*kWithin;
  std::vector<double> until(within.size());  // transitions up to the end of a bucket
  for (std::size_t i = 0; i < until.size(); ++i) {
    until[i] = within[i];
    if (i > 0) {
      until[i] += until[i - 1];
      if (Transition::between(buckets.lasts[i - 1], buckets.firsts[i])) until[i] += 1;
    }
  }
  for (std::size_t step = 0; step < windows.steps(); ++step) {
    const std::size_t lo = windows.lo[step];
    const std::size_t hi = windows.hi[step];
    if (lo < hi) out.set(step, windows.counted(until[hi - 1] - until[lo] + within[lo], step));
  }
}

constexpr BucketColumns kEdges = BucketColumns::kFirst | BucketColumns::kLast;
constexpr BucketColumns kForRate = BucketColumns::kCount | kEdges | BucketColumns::kResets;

struct Entry {
  FunctionId id;
  LevelAnswer answer;
  LevelRule rule;
};

constexpr LevelKernel kPresent = on_column<FunctionId::kPresentOverTime, &SeriesBuckets::counts>;

// The range functions; all others work on values.
constexpr Entry kEntries[] = {
    {FunctionId::kAbsentOverTime,
     LevelAnswer::kExact,
     {BucketColumns::kCount, kPresent, level_present}},
    {FunctionId::kAvgOverTime,
     LevelAnswer::kSum,
     {BucketColumns::kSum | BucketColumns::kCount, average_kernel, level_average}},
    {FunctionId::kChanges,
     LevelAnswer::kExact,
     {kEdges | BucketColumns::kChanges, transition_kernel<Change, &SeriesBuckets::changes>,
      nullptr}},
    {FunctionId::kCountOverTime,
     LevelAnswer::kExact,
     {BucketColumns::kCount, count_kernel, level_count}},
    {FunctionId::kDelta, LevelAnswer::kExact, {kForRate, level_delta_kernel, level_delta}},
    {FunctionId::kDeriv, LevelAnswer::kNone, {}},
    {FunctionId::kDoubleExponentialSmoothing, LevelAnswer::kNone, {}},
    {FunctionId::kFirstOverTime,
     LevelAnswer::kExact,
     {BucketColumns::kFirst, on_column<FunctionId::kFirstOverTime, &SeriesBuckets::firsts>,
      level_first}},
    {FunctionId::kIdelta, LevelAnswer::kNone, {}},
    {FunctionId::kIncrease, LevelAnswer::kExact, {kForRate, level_increase_kernel, level_increase}},
    {FunctionId::kIrate, LevelAnswer::kNone, {}},
    {FunctionId::kLastOverTime,
     LevelAnswer::kExact,
     {BucketColumns::kLast, on_column<FunctionId::kLastOverTime, &SeriesBuckets::lasts>,
      level_last}},
    {FunctionId::kMadOverTime, LevelAnswer::kNone, {}},
    {FunctionId::kMaxOverTime,
     LevelAnswer::kExact,
     {BucketColumns::kMax, on_column<FunctionId::kMaxOverTime, &SeriesBuckets::maxs>,
      level_floats}},
    {FunctionId::kMinOverTime,
     LevelAnswer::kExact,
     {BucketColumns::kMin, on_column<FunctionId::kMinOverTime, &SeriesBuckets::mins>,
      level_floats}},
    {FunctionId::kPredictLinear, LevelAnswer::kNone, {}},
    {FunctionId::kPresentOverTime,
     LevelAnswer::kExact,
     {BucketColumns::kCount, kPresent, level_present}},
    {FunctionId::kQuantileOverTime,
     LevelAnswer::kSketch,
     {BucketColumns::kSketch | BucketColumns::kCount | BucketColumns::kMin | BucketColumns::kMax |
          BucketColumns::kFirst,
      level_quantile_kernel, level_floats}},
    {FunctionId::kRate, LevelAnswer::kExact, {kForRate, level_rate_kernel, level_rate}},
    {FunctionId::kResets,
     LevelAnswer::kExact,
     {kEdges | BucketColumns::kResets, transition_kernel<Reset, &SeriesBuckets::resets>,
      level_resets}},
    {FunctionId::kStddevOverTime, LevelAnswer::kNone, {}},
    {FunctionId::kStdvarOverTime, LevelAnswer::kNone, {}},
    {FunctionId::kSumOverTime,
     LevelAnswer::kSum,
     {BucketColumns::kSum, sum_kernel, level_sum}},
    {FunctionId::kTsOfFirstOverTime,
     LevelAnswer::kExact,
     {BucketColumns::kFirst, time_kernel<&SeriesBuckets::first_times, true>, level_first_time}},
    {FunctionId::kTsOfLastOverTime,
     LevelAnswer::kExact,
     {BucketColumns::kLast, time_kernel<&SeriesBuckets::last_times, false>, level_last_time}},
    {FunctionId::kTsOfMaxOverTime, LevelAnswer::kNone, {}},
    {FunctionId::kTsOfMinOverTime, LevelAnswer::kNone, {}},
};

const Entry* find_entry(FunctionId id) {
  for (const Entry& entry : kEntries) {
    if (entry.id == id) return &entry;
  }
  return nullptr;
}

}  // namespace

const LevelRule* find_level_rule(FunctionId id) {
  const Entry* entry = find_entry(id);
  return entry != nullptr && entry->rule.kernel != nullptr ? &entry->rule : nullptr;
}

LevelAnswer level_answer(FunctionId id) {
  const Entry* entry = find_entry(id);
  return entry != nullptr ? entry->answer : LevelAnswer::kOnTop;
}

}  // namespace varve::promql
