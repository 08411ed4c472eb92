// SPDX-License-Identifier: Apache-2.0
// Which function is implemented by what. Functions that the evaluator itself does are not in it.
#include <array>
#include <cstddef>

#include "promql/functions/implementations.h"

namespace varve::promql {
namespace {

using namespace function_impls;  // NOLINT: this file is the table of that namespace

FunctionImpl of_matrix(MatrixFunction function) {
  FunctionImpl impl;
  impl.matrix = function;
  return impl;
}

FunctionImpl of_scalar(ScalarFunction function) {
  FunctionImpl impl;
  impl.scalar = function;
  return impl;
}

// Range, matrix and scalar functions; element functions have tables of their own.
class Registry {
 public:
  Registry() {
    set(FunctionId::kAbsent, of_matrix(absent));
    set(FunctionId::kAbsentOverTime, present_over_time_impl());
    set(FunctionId::kAvgOverTime, avg_over_time_impl());
    set(FunctionId::kChanges, changes_impl());
    set(FunctionId::kCountOverTime, count_over_time_impl());
    set(FunctionId::kDelta, delta_impl());
    set(FunctionId::kDeriv, deriv_impl());
    set(FunctionId::kDoubleExponentialSmoothing, double_exponential_smoothing_impl());
    set(FunctionId::kFirstOverTime, first_over_time_impl());
    set(FunctionId::kHistogramFraction, of_matrix(histogram_fraction));
    set(FunctionId::kHistogramQuantile, of_matrix(histogram_quantile));
    set(FunctionId::kHistogramQuantiles, of_matrix(histogram_quantiles));
    set(FunctionId::kIdelta, idelta_impl());
    set(FunctionId::kIncrease, increase_impl());
    set(FunctionId::kIrate, irate_impl());
    set(FunctionId::kLabelJoin, of_matrix(label_join));
    set(FunctionId::kLabelReplace, of_matrix(label_replace));
    set(FunctionId::kLastOverTime, last_over_time_impl());
    set(FunctionId::kMadOverTime, mad_over_time_impl());
    set(FunctionId::kMaxOf, of_scalar(max_of));
    set(FunctionId::kMaxOverTime, max_over_time_impl());
    set(FunctionId::kMinOf, of_scalar(min_of));
    set(FunctionId::kMinOverTime, min_over_time_impl());
    set(FunctionId::kPi, of_scalar(pi));
    set(FunctionId::kPredictLinear, predict_linear_impl());
    set(FunctionId::kPresentOverTime, present_over_time_impl());
    set(FunctionId::kQuantileOverTime, quantile_over_time_impl());
    set(FunctionId::kRate, rate_impl());
    set(FunctionId::kResets, resets_impl());
    set(FunctionId::kScalar, of_scalar(scalar));
    set(FunctionId::kSort, of_matrix(function_impls::sort));
    set(FunctionId::kSortByLabel, of_matrix(sort_by_label));
    set(FunctionId::kSortByLabelDesc, of_matrix(sort_by_label_desc));
    set(FunctionId::kSortDesc, of_matrix(sort_desc));
    set(FunctionId::kStddevOverTime, stddev_over_time_impl());
    set(FunctionId::kStdvarOverTime, stdvar_over_time_impl());
    set(FunctionId::kSumOverTime, sum_over_time_impl());
    set(FunctionId::kTime, of_scalar(function_impls::time));
    set(FunctionId::kTsOfFirstOverTime, ts_of_first_over_time_impl());
    set(FunctionId::kTsOfLastOverTime, ts_of_last_over_time_impl());
    set(FunctionId::kTsOfMaxOverTime, ts_of_max_over_time_impl());
    set(FunctionId::kTsOfMinOverTime, ts_of_min_over_time_impl());
    set(FunctionId::kVector, of_matrix(function_impls::vector));
  }

  const FunctionImpl* find(FunctionId id) const {
    const auto index = static_cast<std::size_t>(id);
    return known_[index] ? &impls_[index] : nullptr;
  }

 private:
  void set(FunctionId id, FunctionImpl impl) {
    impls_[static_cast<std::size_t>(id)] = impl;
    known_[static_cast<std::size_t>(id)] = true;
  }

  std::array<FunctionImpl, kFunctionCount> impls_{};
  std::array<bool, kFunctionCount> known_{};
};

}  // namespace

const FunctionImpl* find_function_impl(FunctionId id) {
  static const Registry kRegistry;
  if (const FunctionImpl* impl = kRegistry.find(id)) return impl;
  if (const FunctionImpl* impl = element_math_impl(id)) return impl;
  if (const FunctionImpl* impl = date_impl(id)) return impl;
  return native_statistic_impl(id);
}

}  // namespace varve::promql
