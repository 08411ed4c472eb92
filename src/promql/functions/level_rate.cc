// SPDX-License-Identifier: Apache-2.0
// What a counter rose by is its last value minus its first one, and what was lost at resets: within
// the buckets, which say it, and between them, which their neighbours show. It is put together in
// the order samples would come in, so that the sum has the same bits; only a bucket with more than
// one reset may differ in the last ones. The rest is extrapolation.h's, with times and counts from
// the buckets.
#include "promql/functions/level_rate.h"

#include <vector>

#include "promql/functions/extrapolation.h"

namespace varve::promql::function_impls {
namespace {

// The extrapolations of all steps and what they follow from. Series that are scraped together agree
// in that, which spares all but the first of them two divisions a step.
struct RateMemory {
  const Timestamp* starts = nullptr;  // of whose windows
  std::uint64_t ends_id = 0;
  std::vector<double> counts;
  std::vector<Timestamp> first_times, last_times;
  // By step; `usable` is 0 where there are no two samples.
  std::vector<std::uint8_t> usable;
  std::vector<double> factor, sampled, to_start;

  std::vector<double> before;         // of samples before a bucket
  std::vector<std::uint32_t> losses;  // buckets that lost something, or the reset before them did

  bool fits(const LevelWindows& windows) const {
    const storage::SeriesBuckets& buckets = windows.buckets;
    return ends_id != 0 && ends_id == buckets.ends_id && starts == windows.starts.data() &&
           usable.size() == windows.steps() && counts == buckets.counts &&
           first_times == buckets.first_times && last_times == buckets.last_times;
  }
};

Spacing spacing_at(const LevelWindows& windows, std::size_t step, std::size_t count) {
  const Timestamp first_ms = windows.buckets.first_times[windows.lo[step]];
  const Timestamp last_ms = windows.buckets.last_times[windows.hi[step] - 1];
  return {first_ms - windows.starts[step], windows.ends[step] - last_ms, last_ms - first_ms, count};
}

std::size_t count_at(const LevelWindows& windows, const RateMemory& memory, std::size_t step) {
  return static_cast<std::size_t>(memory.before[windows.hi[step]] -
                                  memory.before[windows.lo[step]]);
}

void extrapolate_all(const LevelWindows& windows, bool per_second, RateMemory& memory) {
  const storage::SeriesBuckets& buckets = windows.buckets;
  memory.starts = windows.starts.data();
  memory.ends_id = buckets.ends_id;
  memory.counts = buckets.counts;
  memory.first_times = buckets.first_times;
  memory.last_times = buckets.last_times;
  memory.before.assign(buckets.counts.size() + 1, 0);
  for (std::size_t i = 0; i < buckets.counts.size(); ++i) {
    memory.before[i + 1] = memory.before[i] + buckets.counts[i];
  }
  const std::size_t steps = windows.steps();
  memory.usable.assign(steps, 0);
  for (auto* column : {&memory.factor, &memory.sampled, &memory.to_start}) column->resize(steps);
  for (std::size_t step = 0; step < steps; ++step) {
    if (windows.lo[step] >= windows.hi[step]) continue;
    const std::size_t count = count_at(windows, memory, step);
    if (count < 2) continue;
    const Extrapolation fresh(spacing_at(windows, step, count),
                              windows.ends[step] - windows.starts[step], per_second);
    memory.usable[step] = 1;
    memory.factor[step] = fresh.factor();
    memory.sampled[step] = fresh.sampled();
    memory.to_start[step] = fresh.to_start();
  }
}

// Ascending.
void find_losses(const storage::SeriesBuckets& buckets, std::vector<std::uint32_t>& losses) {
  losses.clear();
  const std::size_t size = buckets.ends_ms.size();
  const double* firsts = buckets.firsts.data();
  const double* lasts = buckets.lasts.data();
  const double* within = buckets.reset_sums.data();
  for (std::size_t i = 0; i < size; ++i) {
    const bool before = i > 0 && firsts[i] < lasts[i - 1];
    if (before || within[i] != 0) losses.push_back(static_cast<std::uint32_t>(i));
  }
}

template <bool kCounter, bool kPerSecond>
void kernel(const LevelWindows& windows, StepSeries& out) {
  const storage::SeriesBuckets& buckets = windows.buckets;
  auto& memory = windows.memo->get<RateMemory>();
  if (!memory.fits(windows)) extrapolate_all(windows, kPerSecond, memory);
  if (kCounter) find_losses(buckets, memory.losses);
  const std::vector<std::uint32_t>& losses = memory.losses;
  const double* const firsts = buckets.firsts.data();
  const double* const lasts = buckets.lasts.data();
  std::size_t next_loss = 0;
  for (std::size_t step = 0; step < windows.steps(); ++step) {
    if (memory.usable[step] == 0) continue;
    const std::size_t lo = windows.lo[step];
    const std::size_t hi = windows.hi[step];
    const double first = firsts[lo];
    double difference = lasts[hi - 1] - first;
    if (kCounter) {
      while (next_loss < losses.size() && losses[next_loss] < lo) ++next_loss;
      for (std::size_t i = next_loss; i < losses.size() && losses[i] < hi; ++i) {
        const std::size_t at = losses[i];
        if (at > lo && firsts[at] < lasts[at - 1]) difference += lasts[at - 1];
        if (buckets.reset_sums[at] != 0) difference += buckets.reset_sums[at];
      }
    }
    const std::int64_t covered_ms = windows.ends[step] - windows.starts[step];
    double factor = memory.factor[step];
    if (kCounter && difference > 0 && first >= 0 &&
        !zero_is_far(first, difference, memory.sampled[step], memory.to_start[step])) {
      const Spacing spacing = spacing_at(windows, step, count_at(windows, memory, step));
      factor = Extrapolation(spacing, covered_ms, kPerSecond).counter_factor(first, difference);
    }
    double result = difference * factor;
    if (!kPerSecond && covered_ms != windows.range_ms) result *= windows.range_share(step);
    out.set(step, result);
  }
}

}  // namespace

void level_rate_kernel(const LevelWindows& windows, const CallArgs&, EvalContext&,
                       StepSeries& out) {
  kernel<true, true>(windows, out);
}
void level_increase_kernel(const LevelWindows& windows, const CallArgs&, EvalContext&,
                           StepSeries& out) {
  kernel<true, false>(windows, out);
}
void level_delta_kernel(const LevelWindows& windows, const CallArgs&, EvalContext&,
                        StepSeries& out) {
  kernel<false, false>(windows, out);
}

}  // namespace varve::promql::function_impls
