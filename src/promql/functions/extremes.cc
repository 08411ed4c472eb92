// SPDX-License-Identifier: Apache-2.0
// min_over_time, max_over_time and the times of these. NaN loses against every number and is the
// answer only if all samples are. Values come from the extremes of blocks of samples, of which a
// window is made but for its ends; times, which need to know where an extreme is, from a deque of
// candidates, so that a step costs what it adds to the window, not what the window holds.
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "promql/functions/implementations.h"
#include "promql/functions/window_kernel.h"
#include "promql/value/column_ops.h"

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

// Of what is worse than every number.
template <Extreme kExtreme>
constexpr double kWorst = kExtreme == Extreme::kMax ? -std::numeric_limits<double>::infinity()
                                                    : std::numeric_limits<double>::infinity();

// The better of a value, which may be NaN, and the best so far, which is not. One instruction.
template <Extreme kExtreme>
double better(double value, double best) {
  return kExtreme == Extreme::kMax ? (value > best ? value : best) : (value < best ? value : best);
}

// The extreme of `values`, of which NaN are none; kWorst if there is no other. No comparison here
// is a branch, and four of them do not wait for each other: a deque mispredicts on every other
// sample.
template <Extreme kExtreme>
double extreme_of(std::span<const double> values) {
  double a = kWorst<kExtreme>;
  double b = a;
  double c = a;
  double d = a;
  std::size_t i = 0;
  for (; i + 4 <= values.size(); i += 4) {
    a = better<kExtreme>(values[i], a);
    b = better<kExtreme>(values[i + 1], b);
    c = better<kExtreme>(values[i + 2], c);
    d = better<kExtreme>(values[i + 3], d);
  }
  for (; i < values.size(); ++i) a = better<kExtreme>(values[i], a);
  return better<kExtreme>(better<kExtreme>(a, b), better<kExtreme>(c, d));
}

// Extremes of spans of a series' samples, by those of blocks of 16, of 256 and of 4,096.
template <Extreme kExtreme>
class BlockExtremes {
 public:
  explicit BlockExtremes(std::span<const double> values) : samples_(values) {
    std::span<const double> finer = values;
    for (std::vector<double>& level : levels_) {
      level.resize(finer.size() / kFanOut);
      for (std::size_t i = 0; i < level.size(); ++i) {
        level[i] = extreme_of<kExtreme>(finer.subspan(i * kFanOut, kFanOut));
      }
      finer = level;
    }
  }

  // Of [lo, hi): whole blocks as coarse as there are, and the ends one level finer each.
  double of(std::size_t lo, std::size_t hi) const {
    double best = kWorst<kExtreme>;
    std::span<const double> finer = samples_;
    for (const std::vector<double>& level : levels_) {
      const std::size_t first = (lo + kFanOut - 1) / kFanOut;
      const std::size_t last = hi / kFanOut;
      if (first >= last) break;
      best = better<kExtreme>(extreme_of<kExtreme>(finer.subspan(lo, first * kFanOut - lo)), best);
      best = better<kExtreme>(
          extreme_of<kExtreme>(finer.subspan(last * kFanOut, hi - last * kFanOut)), best);
      lo = first;
      hi = last;
      finer = level;
    }
    return better<kExtreme>(extreme_of<kExtreme>(finer.subspan(lo, hi - lo)), best);
  }

 private:
  static constexpr std::size_t kFanOut = 16;

  std::span<const double> samples_;
  std::array<std::vector<double>, 3> levels_;
};

// Of two zeros the first is the answer, whatever its sign; blocks do not know which came first.
constexpr auto kNegativeZeroBits = std::bit_cast<std::uint64_t>(-0.0);

template <Extreme kExtreme, Answer kAnswer>
void deque_kernel(const SeriesWindows& windows, std::span<double> values,
                  std::span<PointKind> kinds) {
  const double* samples = windows.values.data();
  std::vector<std::uint32_t>
      candidates;  // from `front` on: best first, each beaten by none after it
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

template <Extreme kExtreme>
void value_kernel(const SeriesWindows& windows, const CallArgs&, EvalContext&,
                  std::span<double> values, std::span<PointKind> kinds) {
  if (contains_bits(windows.values, kNegativeZeroBits)) {
    return deque_kernel<kExtreme, Answer::kValue>(windows, values, kinds);
  }
  const BlockExtremes<kExtreme> extremes(windows.values);
  for (std::size_t step = 0; step < kinds.size(); ++step) {
    const std::size_t lo = windows.lo[step];
    const std::size_t hi = windows.hi[step];
    if (lo >= hi) continue;
    kinds[step] = PointKind::kFloat;
    values[step] = extremes.of(lo, hi);
    // Nothing but NaN and that infinity, if any: seldom, and not for blocks to tell.
    if (values[step] == kWorst<kExtreme>) {
      return deque_kernel<kExtreme, Answer::kValue>(windows, values, kinds);
    }
  }
}

template <Extreme kExtreme>
void time_kernel(const SeriesWindows& windows, const CallArgs&, EvalContext&,
                 std::span<double> values, std::span<PointKind> kinds) {
  deque_kernel<kExtreme, Answer::kTime>(windows, values, kinds);
}

template <Extreme kExtreme, Answer kAnswer>
FunctionImpl extreme_impl() {
  FunctionImpl impl;
  impl.window = floats_only<ExtremeCore<kExtreme, kAnswer>>;
  impl.series_kernel =
      kAnswer == Answer::kTime ? time_kernel<kExtreme> : value_kernel<kExtreme>;
  return impl;
}

}  // namespace

FunctionImpl min_over_time_impl() { return extreme_impl<Extreme::kMin, Answer::kValue>(); }
FunctionImpl max_over_time_impl() { return extreme_impl<Extreme::kMax, Answer::kValue>(); }
FunctionImpl ts_of_min_over_time_impl() { return extreme_impl<Extreme::kMin, Answer::kTime>(); }
FunctionImpl ts_of_max_over_time_impl() { return extreme_impl<Extreme::kMax, Answer::kTime>(); }

}  // namespace varve::promql::function_impls
