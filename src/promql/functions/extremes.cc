// SPDX-License-Identifier: Apache-2.0
// min_over_time, max_over_time and the times of these. NaN loses against every number and is the
// answer only if all samples are. The kernels keep the candidates of a sliding window in a deque, so
// a step costs what it adds to the window, not what the window holds.
#include <cmath>
#include <cstdint>
#include <vector>

#include "promql/functions/implementations.h"
#include "promql/functions/window_kernel.h"

namespace varve::promql::function_impls {
namespace {

enum class Extreme : std::uint8_t { kMin, kMax };
// Of equal extremes the value functions keep the first, the time functions the last.
enum class Answer : std::uint8_t { kValue, kTime };

template <Extreme kExtreme, Answer kAnswer>
bool beats(double candidate, double best) {
  if (kExtreme == Extreme::kMax) {
    return kAnswer == Answer::kTime ? candidate >= best : candidate > best;
  }
  return kAnswer == Answer::kTime ? candidate <= best : candidate < best;
}

double seconds(Timestamp time_ms) { return static_cast<double>(time_ms) / 1000; }

template <Extreme kExtreme, Answer kAnswer>
struct ExtremeCore {
  static bool compute(const FloatWindow& window, const CallArgs&, double& result) {
    std::size_t best = 0;
    for (std::size_t i = 0; i < window.size(); ++i) {
      if (beats<kExtreme, kAnswer>(window.values[i], window.values[best]) ||
          std::isnan(window.values[best])) {
        best = i;
      }
    }
    result = kAnswer == Answer::kTime ? seconds(window.times[best]) : window.values[best];
    return true;
  }
};

template <Extreme kExtreme, Answer kAnswer>
void extreme_kernel(const SeriesWindows& windows, const CallArgs&, EvalContext&,
                    std::span<double> values, std::span<PointKind> kinds) {
  const double* samples = windows.values.data();
  std::vector<std::uint32_t> candidates;  // from `front` on: best first, each beaten by none after it
  candidates.reserve(windows.values.size());
  std::size_t front = 0;
  std::uint32_t next = 0;  // the first sample not looked at
  for (std::size_t step = 0; step < kinds.size(); ++step) {
    const std::uint32_t lo = windows.lo[step];
    const std::uint32_t hi = windows.hi[step];
    if (lo >= hi) continue;
    if (next < lo) next = lo;
    for (; next < hi; ++next) {
      if (std::isnan(samples[next])) continue;
      while (candidates.size() > front &&
             beats<kExtreme, kAnswer>(samples[next], samples[candidates.back()])) {
        candidates.pop_back();
      }
      candidates.push_back(next);
    }
    while (front < candidates.size() && candidates[front] < lo) ++front;
    // All NaN: the scan of a single window ends at the last of them.
    const std::uint32_t best = front < candidates.size() ? candidates[front] : hi - 1;
    values[step] = kAnswer == Answer::kTime ? seconds(windows.times[best]) : samples[best];
    kinds[step] = PointKind::kFloat;
  }
}

template <Extreme kExtreme, Answer kAnswer>
FunctionImpl extreme_impl() {
  FunctionImpl impl;
  impl.window = floats_only<ExtremeCore<kExtreme, kAnswer>>;
  impl.series_kernel = extreme_kernel<kExtreme, kAnswer>;
  return impl;
}

}  // namespace

FunctionImpl min_over_time_impl() { return extreme_impl<Extreme::kMin, Answer::kValue>(); }
FunctionImpl max_over_time_impl() { return extreme_impl<Extreme::kMax, Answer::kValue>(); }
FunctionImpl ts_of_min_over_time_impl() { return extreme_impl<Extreme::kMin, Answer::kTime>(); }
FunctionImpl ts_of_max_over_time_impl() { return extreme_impl<Extreme::kMax, Answer::kTime>(); }

}  // namespace varve::promql::function_impls
