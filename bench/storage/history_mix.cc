// SPDX-License-Identifier: Apache-2.0
#include "history_mix.h"

#include <array>
#include <cmath>
#include <numbers>
#include <string>

namespace varve::bench {
namespace {

struct Share {
  Shape shape;
  std::size_t count;  // of a host's series
};
constexpr std::array<Share, 14> kShares{{{Shape::kConstant, 130},
                                         {Shape::kIdleCounter, 10},
                                         {Shape::kCounter, 85},
                                         {Shape::kCentisecondCounter, 64},
                                         {Shape::kMillisecondCounter, 16},
                                         {Shape::kHistogramBucket, 91},
                                         {Shape::kRestartingCounter, 5},
                                         {Shape::kFloatCounter, 7},
                                         {Shape::kPages, 30},
                                         {Shape::kWholeGauge, 28},
                                         {Shape::kDecimalGauge, 8},
                                         {Shape::kNanosecondGauge, 1},
                                         {Shape::kSmoothedDouble, 18},
                                         {Shape::kMeasuredDouble, 7}}};

Shape shape_of(std::size_t position) {
  for (const Share& share : kShares) {
    if (position < share.count) return share.shape;
    position -= share.count;
  }
  return Shape::kConstant;
}

constexpr double kStepsPerDay = 86'400'000.0 / static_cast<double>(kMixStepMs);

}  // namespace

std::string_view name_of(Shape shape) {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(Shape::kShapes)> kNames{
      "constant",
      "idle_counter",
      "counter",
      "centisecond_counter",
      "millisecond_counter",
      "histogram_bucket",
      "restarting_counter",
      "float_counter",
      "pages",
      "whole_gauge",
      "decimal_gauge",
      "nanosecond_gauge",
      "smoothed_double",
      "measured_double"};
  return kNames[static_cast<std::size_t>(shape)];
}

MixSeries::MixSeries(std::size_t series)
    : series_(series),
      state_(series * 0x9e3779b97f4a7c15ULL + 0x1234567),
      shape_(shape_of(series % kMixHost)) {
  for (int i = 0; i < 4; ++i) random();
  const double own = random();
  switch (shape_) {
    case Shape::kConstant:
      value_ = own < 0.6 ? 0 : std::floor(own * 1e6);
      break;
    case Shape::kIdleCounter:
      scale_ = 0.005 + 0.03 * own;
      break;
    case Shape::kCounter:
      scale_ = std::pow(10, 1 + 6 * own);
      break;  // a step
    case Shape::kCentisecondCounter:
      scale_ = std::pow(10, 3.3 * own), digits_ = 100;
      break;
    case Shape::kMillisecondCounter:
      scale_ = 100 + 1000 * own, digits_ = 1000;
      break;
    case Shape::kHistogramBucket:
      scale_ = 2 + 200 * own * own;
      break;
    case Shape::kRestartingCounter:
      scale_ = 3e5 * own + 100;
      break;
    case Shape::kFloatCounter:
      scale_ = 1 + 20 * own;
      break;
    case Shape::kPages:
      scale_ = 0.5 + 60 * own;
      break;  // GiB
    case Shape::kWholeGauge:
      scale_ = std::pow(10, 0.5 + 3 * own);
      break;
    case Shape::kDecimalGauge:
      scale_ = 3 + 50 * own, digits_ = own < 0.5 ? 100 : 1000;
      break;
    case Shape::kNanosecondGauge:
      scale_ = 0.02;
      break;
    default:
      scale_ = 0.5 + own;
      break;
  }
}

Labels MixSeries::labels() const {
  return Labels{{"__name__", "x"},
                {"host", "host" + std::to_string(series_ / kMixHost)},
                {"item", std::to_string(series_ % kMixHost)},
                {"job", "job" + std::to_string(series_ % 10)},
                {"shape", std::string(name_of(shape_))}};
}

double MixSeries::random() {
  state_ += 0x9e3779b97f4a7c15ULL;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1.0p-53;
}

// Comes back to the middle within some hours.
double MixSeries::walk(double middle, double spread) {
  level_ += (random() + random() - 1) * 0.08 - level_ * 0.002;
  return middle + spread * level_;
}

double MixSeries::next() {
  const double day = static_cast<double>(step_++) / kStepsPerDay;
  // Work follows the day and differs from step to step.
  const auto rise = [&] {
    const double wave = 1 + 0.5 * std::sin(2 * std::numbers::pi * day);
    return std::floor(scale_ * wave * (0.5 + random()) + random());
  };
  switch (shape_) {
    case Shape::kConstant:
      return value_;
    case Shape::kIdleCounter:
      return value_ += random() < scale_ ? 1 : 0;
    case Shape::kCentisecondCounter:
    case Shape::kMillisecondCounter:
      return (value_ += rise()) / digits_;
    case Shape::kRestartingCounter:
      if (random() < 1.0 / 1777) value_ = 0;
      return value_ += rise();
    case Shape::kCounter:
    case Shape::kHistogramBucket:
      return value_ += rise();
    case Shape::kFloatCounter:
      return value_ += scale_ * random();
    case Shape::kPages:
      return std::floor(walk(scale_, scale_ / 8) * 262144) * 4096;
    case Shape::kWholeGauge:
      return std::floor(walk(scale_, scale_ / 4));
    case Shape::kDecimalGauge:
      return std::round(walk(scale_, scale_ / 6) * digits_) / digits_;
    case Shape::kNanosecondGauge:
      return std::round(scale_ * (0.7 + 0.6 * random()) * 1e9) / 1e9;
    case Shape::kMeasuredDouble:
      return scale_ * random();
    default:
      return walk(scale_, 0.3);
  }
}

}  // namespace varve::bench
