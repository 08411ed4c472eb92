// SPDX-License-Identifier: Apache-2.0
// sum_over_time and avg_over_time, with compensated summation; a mean whose sum would overflow goes
// on as an incremental mean. Each window is summed anew: a running sum over sliding windows would
// be faster for long ones, but its last bits would depend on where the query began. Four windows
// are summed side by side instead. Whole numbers have no such bits: their sums are differences of
// two.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "model/compensated_sum.h"
#include "model/histogram.h"
#include "promql/functions/implementations.h"
#include "promql/functions/range_histograms.h"
#include "promql/functions/window_kernel.h"

namespace varve::promql::function_impls {
namespace {

struct SumCore {
  static model::CompensatedSum start(double) { return {}; }
  static constexpr std::size_t kStarted = 0;  // values that start() took
  // Of a finite sum.
  static double finish(const model::CompensatedSum& sum, std::size_t) { return sum.value(); }

  static bool compute(const FloatWindow& window, const CallArgs&, double& result) {
    model::CompensatedSum sum;
    for (const double value : window.values) sum.add(value);
    result = std::isinf(sum.sum) ? sum.sum : sum.value();
    return true;
  }
};

struct AverageCore {
  static model::CompensatedSum start(double first) { return {first, 0}; }
  static constexpr std::size_t kStarted = 1;
  static double finish(const model::CompensatedSum& sum, std::size_t count) {
    const auto summed = static_cast<double>(count);
    return sum.sum / summed + sum.compensation / summed;
  }

  static bool compute(const FloatWindow& window, const CallArgs&, double& result) {
    model::CompensatedSum sum{window.values[0], 0};
    std::size_t i = 1;
    for (; i < window.size(); ++i) {
      model::CompensatedSum next = sum;
      next.add(window.values[i]);
      if (std::isinf(next.sum)) break;
      sum = next;
    }
    if (i == window.size()) {
      result = finish(sum, i);
      return true;
    }
    const auto summed = static_cast<double>(i);
    model::CompensatedSum mean{sum.sum / summed, sum.compensation / summed};
    for (; i < window.size(); ++i) {
      const auto count = static_cast<double>(i + 1);
      const double weight = (count - 1) / count;
      mean.sum *= weight;
      mean.compensation *= weight;
      mean.add(window.values[i] / count);
    }
    result = mean.value();
    return true;
  }
};

#ifdef __x86_64__
constexpr std::size_t kLanes = 4;

// The next `count` values, a multiple of four, of four windows: add_compensated() in each lane, but
// that a sum which is not finite has a compensation without meaning. Every addition waits for the
// one before it, so four windows take little longer than one.
__attribute__((target("avx2"))) void add_four(const double* const (&windows)[kLanes],
                                              std::size_t count,
                                              model::CompensatedSum (&sums)[kLanes]) {
  const __m256d sign = _mm256_set1_pd(-0.0);
  __m256d sum = _mm256_set_pd(sums[3].sum, sums[2].sum, sums[1].sum, sums[0].sum);
  __m256d lost = _mm256_set_pd(sums[3].compensation, sums[2].compensation, sums[1].compensation,
                               sums[0].compensation);
  for (std::size_t i = 0; i < count; i += 4) {
    // A window's values come as a row, a step of the sum takes a column.
    const __m256d a = _mm256_loadu_pd(windows[0] + i);
    const __m256d b = _mm256_loadu_pd(windows[1] + i);
    const __m256d c = _mm256_loadu_pd(windows[2] + i);
    const __m256d d = _mm256_loadu_pd(windows[3] + i);
    const __m256d ab_even = _mm256_unpacklo_pd(a, b);
    const __m256d ab_odd = _mm256_unpackhi_pd(a, b);
    const __m256d cd_even = _mm256_unpacklo_pd(c, d);
    const __m256d cd_odd = _mm256_unpackhi_pd(c, d);
    const __m256d columns[4] = {_mm256_permute2f128_pd(ab_even, cd_even, 0x20),
                                _mm256_permute2f128_pd(ab_odd, cd_odd, 0x20),
                                _mm256_permute2f128_pd(ab_even, cd_even, 0x31),
                                _mm256_permute2f128_pd(ab_odd, cd_odd, 0x31)};
    for (const __m256d& term : columns) {
      const __m256d total = _mm256_add_pd(sum, term);
      const __m256d sum_is_larger = _mm256_cmp_pd(_mm256_andnot_pd(sign, sum),
                                                  _mm256_andnot_pd(sign, term), _CMP_GE_OQ);
      const __m256d larger = _mm256_blendv_pd(term, sum, sum_is_larger);
      const __m256d smaller = _mm256_blendv_pd(sum, term, sum_is_larger);
      lost = _mm256_add_pd(lost, _mm256_add_pd(_mm256_sub_pd(larger, total), smaller));
      sum = total;
    }
  }
  alignas(32) double stored_sum[kLanes];
  alignas(32) double stored_lost[kLanes];
  _mm256_store_pd(stored_sum, sum);
  _mm256_store_pd(stored_lost, lost);
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    sums[lane] = {stored_sum[lane], stored_lost[lane]};
  }
}

// Four windows that are not empty. Those whose sum is not finite are left to the core.
template <class Core>
void sum_four(const SeriesWindows& windows, const std::size_t (&steps)[kLanes],
              const CallArgs& args, std::span<double> values) {
  const double* begins[kLanes];
  model::CompensatedSum sums[kLanes];
  std::size_t together = windows.values.size();
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    const std::size_t lo = windows.lo[steps[lane]];
    sums[lane] = Core::start(windows.values[lo]);
    begins[lane] = windows.values.data() + lo + Core::kStarted;
    together = std::min(together, windows.hi[steps[lane]] - lo - Core::kStarted);
  }
  together -= together % 4;
  add_four(begins, together, sums);
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    const std::size_t lo = windows.lo[steps[lane]];
    const std::size_t count = windows.hi[steps[lane]] - lo;
    for (std::size_t i = Core::kStarted + together; i < count; ++i) {
      sums[lane].add(windows.values[lo + i]);
    }
    double& result = values[steps[lane]];
    if (std::isfinite(sums[lane].sum)) {
      result = Core::finish(sums[lane], count);
    } else {
      FloatWindow window;
      window.values = windows.values.subspan(lo, count);
      Core::compute(window, args, result);
    }
  }
}

const bool kHaveAvx2 = __builtin_cpu_supports("avx2") != 0;
#endif

// The sums of the first 0, 1, 2, … of `values`, if these are whole and no sum of neighbours among
// them needs more than the 53 bits of a double: then every way of adding them up is exact, with
// nothing to compensate. Empty otherwise.
std::vector<std::int64_t> exact_sums(std::span<const double> values) {
  constexpr std::int64_t kExactMax = std::int64_t{1} << 53;
  std::vector<std::int64_t> sums;
  std::int64_t sum = 0;
  std::int64_t room = kExactMax;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!(std::fabs(values[i]) <= static_cast<double>(kExactMax))) return {};
    const auto whole = static_cast<std::int64_t>(values[i]);
    room -= std::abs(whole);
    if (static_cast<double>(whole) != values[i] || room < 0) return {};
    if (i == 0) {
      sums.reserve(values.size() + 1);
      sums.push_back(0);
    }
    sum += whole;
    sums.push_back(sum);
  }
  return sums;
}

// False if the windows hold too little of each other for running sums to be worth it, or the values
// have none that are exact; nothing is filled in then.
template <class Core>
bool sum_exactly(const SeriesWindows& windows, std::span<double> values,
                 std::span<PointKind> kinds) {
  constexpr std::size_t kOverlapMin = 4;
  std::size_t terms = 0;
  for (std::size_t step = 0; step < kinds.size(); ++step) {
    terms += std::max(windows.hi[step], windows.lo[step]) - windows.lo[step];
  }
  if (terms < kOverlapMin * windows.values.size()) return false;
  const std::vector<std::int64_t> sums = exact_sums(windows.values);
  if (sums.empty()) return false;
  for (std::size_t step = 0; step < kinds.size(); ++step) {
    const std::size_t lo = windows.lo[step];
    const std::size_t hi = windows.hi[step];
    if (lo >= hi) continue;
    kinds[step] = PointKind::kFloat;
    values[step] = Core::finish({static_cast<double>(sums[hi] - sums[lo]), 0}, hi - lo);
  }
  return true;
}

template <class Core>
void sum_kernel(const SeriesWindows& windows, const CallArgs& args, EvalContext& context,
                std::span<double> values, std::span<PointKind> kinds) {
  if (sum_exactly<Core>(windows, values, kinds)) return;
#ifdef __x86_64__
  if (kHaveAvx2) {
    std::size_t steps[kLanes];
    std::size_t gathered = 0;
    for (std::size_t step = 0; step < kinds.size(); ++step) {
      if (windows.lo[step] >= windows.hi[step]) continue;
      kinds[step] = PointKind::kFloat;
      steps[gathered++] = step;
      if (gathered < kLanes) continue;
      sum_four<Core>(windows, steps, args, values);
      gathered = 0;
    }
    if (gathered == 0) return;
    // The last few; a step summed twice is summed to the same.
    for (std::size_t lane = gathered; lane < kLanes; ++lane) steps[lane] = steps[0];
    sum_four<Core>(windows, steps, args, values);
    return;
  }
#endif
  run_kernel<Core>(windows, args, context, values, kinds);
}

// Remarks that a sum over histograms gives rise to, made once at its end.
struct SumRemarks {
  bool reset_seen = false;
  bool not_reset_seen = false;
  bool bounds_reconciled = false;

  void look_at(const Histogram& histogram) {
    reset_seen |= histogram.counter_reset_hint == CounterResetHint::kReset;
    not_reset_seen |= histogram.counter_reset_hint == CounterResetHint::kNotReset;
  }
  void report(const RangeRemarks& remarks) const {
    if (reset_seen && not_reset_seen) remarks.warning(texts::kResetCollisionInAggregation);
    if (bounds_reconciled) remarks.info(texts::kBoundsReconciledInAggregation);
  }
};

bool add_to(model::HistogramSum& sum, const Histogram& histogram, SumRemarks& seen) {
  seen.look_at(histogram);
  const model::ArithmeticOutcome outcome = sum.add(histogram);
  seen.bounds_reconciled |= outcome.bounds_reconciled;
  return outcome.compatible;
}

// The sum of the first `count` histograms; nothing if their schemas do not go together.
std::optional<model::HistogramSum> sum_of(std::span<const HistogramPtr> histograms,
                                          SumRemarks& seen) {
  model::HistogramSum sum(*histograms[0]);
  seen.look_at(*histograms[0]);
  for (const HistogramPtr& histogram : histograms.subspan(1)) {
    if (!add_to(sum, *histogram, seen)) return std::nullopt;
  }
  return sum;
}

std::optional<Histogram> average_of(std::span<const HistogramPtr> histograms, SumRemarks& seen) {
  std::optional<model::HistogramSum> sum = sum_of(histograms, seen);
  if (!sum) return std::nullopt;
  if (!model::has_overflow(sum->uncompensated())) {
    sum->divide(static_cast<double>(histograms.size()));
    return sum->result();
  }
  // Rare, so the place where it overflows is looked for from the start. An infinity once in the sum
  // stays there, so the first overflow is where the mean takes over.
  model::HistogramSum mean(*histograms[0]);
  std::size_t i = 1;
  for (; i < histograms.size(); ++i) {
    model::HistogramSum next = mean;
    next.add(*histograms[i]);
    if (model::has_overflow(next.uncompensated())) break;
    mean = std::move(next);
  }
  if (i == histograms.size()) {
    mean.divide(static_cast<double>(i));
    return mean.result();
  }
  mean.divide(static_cast<double>(i));
  for (; i < histograms.size(); ++i) {
    const auto count = static_cast<double>(i + 1);
    mean.multiply((count - 1) / count);
    Histogram share = *histograms[i];
    model::divide(share, count);
    mean.add(share);
  }
  return mean.result();
}

template <class Core, bool kAverage>
PointValue sum_window(const Window& window, const CallArgs& args, EvalContext& context) {
  if (!window.float_values.empty() && !window.histograms.empty()) {
    remark_mixed_samples(window, args, context);
    return PointValue::none();
  }
  if (window.histograms.empty()) return floats_only<Core>(window, args, context);

  const RangeRemarks remarks(window, args, context);
  SumRemarks seen;
  std::optional<Histogram> result;
  if (kAverage) {
    result = average_of(window.histograms, seen);
  } else if (std::optional<model::HistogramSum> sum = sum_of(window.histograms, seen)) {
    result = sum->result();
  }
  if (!result) {
    remarks.mixed_bucket_schemas();
    return PointValue::none();
  }
  seen.report(remarks);
  return PointValue::of(std::make_shared<const Histogram>(*std::move(result)));
}

}  // namespace

FunctionImpl sum_over_time_impl() {
  FunctionImpl impl;
  impl.window = sum_window<SumCore, false>;
  impl.series_kernel = sum_kernel<SumCore>;
  return impl;
}

FunctionImpl avg_over_time_impl() {
  FunctionImpl impl;
  impl.window = sum_window<AverageCore, true>;
  impl.series_kernel = sum_kernel<AverageCore>;
  return impl;
}

}  // namespace varve::promql::function_impls
