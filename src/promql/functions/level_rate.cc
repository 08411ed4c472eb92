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

// An extrapolation and what it was made from. Series that are scraped together agree in it step by
// step, which spares all but the first of them two divisions.
struct KnownExtrapolation {
  Spacing spacing;
  std::int64_t covered_ms = 0;
  double factor = 0;
  double sampled = 0;
  double to_start = 0;

  bool fits(const Spacing& other, std::int64_t covered) const {
    return spacing.start_gap_ms == other.start_gap_ms && spacing.end_gap_ms == other.end_gap_ms &&
           spacing.sampled_ms == other.sampled_ms && spacing.sample_count == other.sample_count &&
           covered_ms == covered;
  }
};

struct RateMemory {
  std::vector<KnownExtrapolation> known;  // by step
  std::vector<double> counts;             // of samples before a bucket
  std::vector<std::uint32_t> losses;  // buckets that lost something, or the reset before them did
};

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
  memory.known.resize(windows.steps());
  memory.counts.resize(buckets.counts.size() + 1);
  for (std::size_t i = 0; i < buckets.counts.size(); ++i) {
    memory.counts[i + 1] = memory.counts[i] + buckets.counts[i];
  }
  if (kCounter) find_losses(buckets, memory.losses);
  const std::vector<std::uint32_t>& losses = memory.losses;
  std::size_t next_loss = 0;
  for (std::size_t step = 0; step < windows.steps(); ++step) {
    const std::size_t lo = windows.lo[step];
    const std::size_t hi = windows.hi[step];
    if (lo >= hi) continue;
    const auto count = static_cast<std::size_t>(memory.counts[hi] - memory.counts[lo]);
    if (count < 2) continue;
    const Timestamp first_ms = buckets.first_times[lo];
    const Timestamp last_ms = buckets.last_times[hi - 1];
    const Spacing spacing{first_ms - windows.starts[step], windows.ends[step] - last_ms,
                          last_ms - first_ms, count};
    const std::int64_t covered_ms = windows.ends[step] - windows.starts[step];
    KnownExtrapolation& known = memory.known[step];
    if (!known.fits(spacing, covered_ms)) {
      const Extrapolation fresh(spacing, covered_ms, kPerSecond);
      known = {spacing, covered_ms, fresh.factor(), fresh.sampled(), fresh.to_start()};
    }
    const double first = buckets.firsts[lo];
    double difference = buckets.lasts[hi - 1] - first;
    if (kCounter) {
      while (next_loss < losses.size() && losses[next_loss] < lo) ++next_loss;
      for (std::size_t i = next_loss; i < losses.size() && losses[i] < hi; ++i) {
        const std::size_t at = losses[i];
        if (at > lo && buckets.firsts[at] < buckets.lasts[at - 1]) {
          difference += buckets.lasts[at - 1];
        }
        if (buckets.reset_sums[at] != 0) difference += buckets.reset_sums[at];
      }
    }
    double factor = known.factor;
    if (kCounter && difference > 0 && first >= 0 &&
        !zero_is_far(first, difference, known.sampled, known.to_start)) {
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
