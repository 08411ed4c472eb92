// SPDX-License-Identifier: Apache-2.0
// Functions of one native histogram: its count, sum, mean and spread. Floats are dropped.
#include <cmath>

#include "model/histogram_stats.h"
#include "promql/functions/implementations.h"

namespace varve::promql::function_impls {
namespace {

double count_of(const Histogram& histogram) { return histogram.count; }
double sum_of(const Histogram& histogram) { return histogram.sum; }
double average_of(const Histogram& histogram) { return model::mean(histogram); }
double variance_of(const Histogram& histogram) { return model::variance(histogram); }
double deviation_of(const Histogram& histogram) { return std::sqrt(model::variance(histogram)); }

template <double (*kStatistic)(const Histogram&)>
PointValue element(const PointValue& point, std::size_t, const CallArgs&, EvalContext&) {
  if (point.kind != PointKind::kHistogram) return PointValue::none();
  return PointValue::of(kStatistic(*point.histogram));
}

template <double (*kStatistic)(const Histogram&)>
constexpr FunctionImpl impl_of() {
  FunctionImpl impl;
  impl.element = element<kStatistic>;
  return impl;
}

constexpr FunctionImpl kAverage = impl_of<average_of>();
constexpr FunctionImpl kCount = impl_of<count_of>();
constexpr FunctionImpl kDeviation = impl_of<deviation_of>();
constexpr FunctionImpl kSum = impl_of<sum_of>();
constexpr FunctionImpl kVariance = impl_of<variance_of>();

}  // namespace

const FunctionImpl* native_statistic_impl(FunctionId id) {
  switch (id) {
    case FunctionId::kHistogramAvg:
      return &kAverage;
    case FunctionId::kHistogramCount:
      return &kCount;
    case FunctionId::kHistogramStddev:
      return &kDeviation;
    case FunctionId::kHistogramStdvar:
      return &kVariance;
    case FunctionId::kHistogramSum:
      return &kSum;
    default:
      return nullptr;
  }
}

}  // namespace varve::promql::function_impls
