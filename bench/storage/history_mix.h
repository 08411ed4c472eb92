// SPDX-License-Identifier: Apache-2.0
// Series as a host with an exporter and an instrumented service has them, 500 a host, for as long
// as one likes: counters from idle to megabytes per second, times in hundredths and thousandths of
// a second, histograms' buckets, gauges in pages, whole numbers and decimals, smoothed and measured
// doubles; a quarter never change. Seeded: the same series has the same values everywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "varve/labels.h"

namespace varve::bench {

inline constexpr std::int64_t kMixStepMs = 15'000;
inline constexpr std::size_t kMixHost = 500;

enum class Shape : std::uint8_t {
  kConstant,
  kIdleCounter,
  kCounter,
  kCentisecondCounter,
  kMillisecondCounter,
  kHistogramBucket,
  kRestartingCounter,
  kFloatCounter,
  kPages,
  kWholeGauge,
  kDecimalGauge,
  kNanosecondGauge,
  kSmoothedDouble,
  kMeasuredDouble,
  kShapes,
};
std::string_view name_of(Shape shape);

// One series' values, step by step from the first one.
class MixSeries {
 public:
  explicit MixSeries(std::size_t series);

  Shape shape() const { return shape_; }
  Labels labels() const;
  double next();

 private:
  double random();  // [0, 1)
  double walk(double middle, double spread);

  std::size_t series_;
  std::uint64_t state_;
  Shape shape_;
  std::uint64_t step_ = 0;
  double scale_ = 1;
  double digits_ = 1;
  double value_ = 0;
  double level_ = 0;
};

}  // namespace varve::bench
