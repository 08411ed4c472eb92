// SPDX-License-Identifier: Apache-2.0
// The windows of a range function over buckets (storage/levels.h) instead of samples: what is left
// of older time. A window is the buckets whose end lies in it; samples beside buckets take part as
// buckets of one sample. What a function needs of a window is a summary that can be put together
// from those of its buckets, so that the answer on whole buckets is the one samples would give.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "promql/parse/function_table.h"
#include "promql/value/function_impl.h"
#include "promql/value/value.h"
#include "storage/levels.h"
#include "varve/sample.h"

namespace varve::promql {

// What a kernel keeps between the series of one task: memory, or what does not depend on values.
// One type per memo.
class LevelMemo {
 public:
  template <typename T>
  T& get() {
    if (value_ == nullptr) value_ = std::make_shared<T>();
    return *static_cast<T*>(value_.get());
  }

 private:
  std::shared_ptr<void> value_;
};

// All windows of one series. At step i the buckets [lo[i], hi[i]) and the buckets of histograms
// [histogram_lo[i], histogram_hi[i]) (both empty spans if the series has no histograms), which
// together cover the time (starts[i], ends[i]]: whole buckets, so not just what was asked for.
// No array ever decreases. lo and hi count positions in buckets.ends_ms, the others in
// buckets.histograms.ends_ms; of a sample beside the buckets the end is its time.
struct LevelWindows {
  const storage::SeriesBuckets& buckets;
  std::span<const std::uint32_t> lo;
  std::span<const std::uint32_t> hi;
  std::span<const std::uint32_t> histogram_lo;
  std::span<const std::uint32_t> histogram_hi;
  std::span<const Timestamp> starts;
  std::span<const Timestamp> ends;
  std::span<const std::int64_t> lengths_ms;  // of the windows: as asked for, or widened to a bucket
  std::int64_t range_ms = 0;                 // as asked for
  const SeriesRef* series = nullptr;
  LevelMemo* memo = nullptr;

  std::size_t steps() const { return lo.size(); }
  // By how much what a counter rose in the covered time is to be multiplied to be about the range
  // asked for; exactly 1 where they are equally long.
  double range_share(std::size_t step) const { return share(range_ms, step); }
  // The same for what is summed up over the window, which a widened window gives whole. Without it
  // a window whose first buckets are longer than its last ones would have up to twice what belongs
  // in it, and the next one not.
  double window_share(std::size_t step) const { return share(lengths_ms[step], step); }
  // What is counted stays whole, and something does not become nothing.
  double counted(double number, std::size_t step) const {
    const double share = window_share(step);
    return share == 1 || number == 0 ? number : std::max(1.0, std::round(number * share));
  }

 private:
  double share(std::int64_t length_ms, std::size_t step) const {
    const std::int64_t covered_ms = ends[step] - starts[step];
    return covered_ms == length_ms
               ? 1.0
               : static_cast<double>(length_ms) / static_cast<double>(covered_ms);
  }
};

// Sets what the floats of each window give; values and kinds may have more steps than there are
// windows, all absent.
using LevelKernel = void (*)(const LevelWindows& windows, const CallArgs& args,
                             EvalContext& context, StepSeries& out);
// The answer at a step whose window has histograms, `floats` being what the kernel found.
using LevelMixedFunction = PointValue (*)(const LevelWindows& windows, std::size_t step,
                                          const PointValue& floats, const CallArgs& args,
                                          EvalContext& context);

struct LevelRule {
  storage::BucketColumns columns{};
  LevelKernel kernel = nullptr;
  LevelMixedFunction mixed = nullptr;  // null: histograms cannot be answered
};

// How a range function is answered from buckets; null if it cannot be.
const LevelRule* find_level_rule(FunctionId id);

// The same as users are told, for every function. README's table "Long history" says it too.
enum class LevelAnswer : std::uint8_t {
  kOnTop,   // works on values, wherever they come from
  kExact,   // on whole buckets what samples give, to the last bit; counts at seams are rounded
  kSum,     // within summation error
  kSketch,  // within the sketch's error, if the level keeps sketches
  kNone,    // cannot be told from buckets: no result, and a warning
};
LevelAnswer level_answer(FunctionId id);

}  // namespace varve::promql
