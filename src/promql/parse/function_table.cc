// SPDX-License-Identifier: Apache-2.0
#include "promql/parse/function_table.h"

#include <algorithm>
#include <array>

#include "promql/parser.h"

namespace varve::promql {
namespace {

constexpr ValueType kScalar = ValueType::kScalar;
constexpr ValueType kVector = ValueType::kVector;
constexpr ValueType kMatrix = ValueType::kMatrix;
constexpr ValueType kString = ValueType::kString;

// Argument lists, named after their types in order: V instant vector, M range vector, S scalar,
// T string (text).
constexpr std::array kArgsV = {kVector};
constexpr std::array kArgsM = {kMatrix};
constexpr std::array kArgsVSS = {kVector, kScalar, kScalar};
constexpr std::array kArgsVS = {kVector, kScalar};
constexpr std::array kArgsMSS = {kMatrix, kScalar, kScalar};
constexpr std::array kArgsSSV = {kScalar, kScalar, kVector};
constexpr std::array kArgsSV = {kScalar, kVector};
constexpr std::array kArgsVTSS = {kVector, kString, kScalar, kScalar};
constexpr std::array kArgsVV = {kVector, kVector};
constexpr std::array kArgsVTTT = {kVector, kString, kString, kString};
constexpr std::array kArgsVTTTT = {kVector, kString, kString, kString, kString};
constexpr std::array kArgsSS = {kScalar, kScalar};
constexpr std::array kArgsMS = {kMatrix, kScalar};
constexpr std::array kArgsSM = {kScalar, kMatrix};
constexpr std::array kArgsVT = {kVector, kString};
constexpr std::array kArgsS = {kScalar};
constexpr std::span<const ValueType> kArgsNone;

constexpr bool kStable = false;
constexpr bool kExperimental = true;

// name, id, result, experimental, variadic (function_table.h), argument types
constexpr std::array<Function, kFunctionCount> kFunctions = {{
    {"abs", FunctionId::kAbs, kVector, kStable, 0, kArgsV},
    {"absent", FunctionId::kAbsent, kVector, kStable, 0, kArgsV},
    {"absent_over_time", FunctionId::kAbsentOverTime, kVector, kStable, 0, kArgsM},
    {"acos", FunctionId::kAcos, kVector, kStable, 0, kArgsV},
    {"acosh", FunctionId::kAcosh, kVector, kStable, 0, kArgsV},
    {"asin", FunctionId::kAsin, kVector, kStable, 0, kArgsV},
    {"asinh", FunctionId::kAsinh, kVector, kStable, 0, kArgsV},
    {"atan", FunctionId::kAtan, kVector, kStable, 0, kArgsV},
    {"atanh", FunctionId::kAtanh, kVector, kStable, 0, kArgsV},
    {"avg_over_time", FunctionId::kAvgOverTime, kVector, kStable, 0, kArgsM},
    {"ceil", FunctionId::kCeil, kVector, kStable, 0, kArgsV},
    {"changes", FunctionId::kChanges, kVector, kStable, 0, kArgsM},
    {"clamp", FunctionId::kClamp, kVector, kStable, 0, kArgsVSS},
    {"clamp_max", FunctionId::kClampMax, kVector, kStable, 0, kArgsVS},
    {"clamp_min", FunctionId::kClampMin, kVector, kStable, 0, kArgsVS},
    {"cos", FunctionId::kCos, kVector, kStable, 0, kArgsV},
    {"cosh", FunctionId::kCosh, kVector, kStable, 0, kArgsV},
    {"count_over_time", FunctionId::kCountOverTime, kVector, kStable, 0, kArgsM},
    {"day_of_month", FunctionId::kDayOfMonth, kVector, kStable, 1, kArgsV},
    {"day_of_week", FunctionId::kDayOfWeek, kVector, kStable, 1, kArgsV},
    {"day_of_year", FunctionId::kDayOfYear, kVector, kStable, 1, kArgsV},
    {"days_in_month", FunctionId::kDaysInMonth, kVector, kStable, 1, kArgsV},
    {"deg", FunctionId::kDeg, kVector, kStable, 0, kArgsV},
    {"delta", FunctionId::kDelta, kVector, kStable, 0, kArgsM},
    {"deriv", FunctionId::kDeriv, kVector, kStable, 0, kArgsM},
    {"double_exponential_smoothing", FunctionId::kDoubleExponentialSmoothing, kVector,
     kExperimental, 0, kArgsMSS},
    {"end", FunctionId::kEnd, kScalar, kExperimental, 0, kArgsNone},
    {"exp", FunctionId::kExp, kVector, kStable, 0, kArgsV},
    {"first_over_time", FunctionId::kFirstOverTime, kVector, kStable, 0, kArgsM},
    {"floor", FunctionId::kFloor, kVector, kStable, 0, kArgsV},
    {"histogram_avg", FunctionId::kHistogramAvg, kVector, kStable, 0, kArgsV},
    {"histogram_count", FunctionId::kHistogramCount, kVector, kStable, 0, kArgsV},
    {"histogram_fraction", FunctionId::kHistogramFraction, kVector, kStable, 0, kArgsSSV},
    {"histogram_quantile", FunctionId::kHistogramQuantile, kVector, kStable, 0, kArgsSV},
    {"histogram_quantiles", FunctionId::kHistogramQuantiles, kVector, kExperimental, 9, kArgsVTSS},
    {"histogram_stddev", FunctionId::kHistogramStddev, kVector, kStable, 0, kArgsV},
    {"histogram_stdvar", FunctionId::kHistogramStdvar, kVector, kStable, 0, kArgsV},
    {"histogram_sum", FunctionId::kHistogramSum, kVector, kStable, 0, kArgsV},
    {"hour", FunctionId::kHour, kVector, kStable, 1, kArgsV},
    {"idelta", FunctionId::kIdelta, kVector, kStable, 0, kArgsM},
    {"increase", FunctionId::kIncrease, kVector, kStable, 0, kArgsM},
    {"info", FunctionId::kInfo, kVector, kExperimental, 1, kArgsVV},
    {"irate", FunctionId::kIrate, kVector, kStable, 0, kArgsM},
    {"label_join", FunctionId::kLabelJoin, kVector, kStable, -1, kArgsVTTT},
    {"label_replace", FunctionId::kLabelReplace, kVector, kStable, 0, kArgsVTTTT},
    {"last_over_time", FunctionId::kLastOverTime, kVector, kStable, 0, kArgsM},
    {"ln", FunctionId::kLn, kVector, kStable, 0, kArgsV},
    {"log10", FunctionId::kLog10, kVector, kStable, 0, kArgsV},
    {"log2", FunctionId::kLog2, kVector, kStable, 0, kArgsV},
    {"mad_over_time", FunctionId::kMadOverTime, kVector, kExperimental, 0, kArgsM},
    {"max_of", FunctionId::kMaxOf, kScalar, kExperimental, 0, kArgsSS},
    {"max_over_time", FunctionId::kMaxOverTime, kVector, kStable, 0, kArgsM},
    {"min_of", FunctionId::kMinOf, kScalar, kExperimental, 0, kArgsSS},
    {"min_over_time", FunctionId::kMinOverTime, kVector, kStable, 0, kArgsM},
    {"minute", FunctionId::kMinute, kVector, kStable, 1, kArgsV},
    {"month", FunctionId::kMonth, kVector, kStable, 1, kArgsV},
    {"pi", FunctionId::kPi, kScalar, kStable, 0, kArgsNone},
    {"predict_linear", FunctionId::kPredictLinear, kVector, kStable, 0, kArgsMS},
    {"present_over_time", FunctionId::kPresentOverTime, kVector, kStable, 0, kArgsM},
    {"quantile_over_time", FunctionId::kQuantileOverTime, kVector, kStable, 0, kArgsSM},
    {"rad", FunctionId::kRad, kVector, kStable, 0, kArgsV},
    {"range", FunctionId::kRange, kScalar, kExperimental, 0, kArgsNone},
    {"rate", FunctionId::kRate, kVector, kStable, 0, kArgsM},
    {"resets", FunctionId::kResets, kVector, kStable, 0, kArgsM},
    {"round", FunctionId::kRound, kVector, kStable, 1, kArgsVS},
    {"scalar", FunctionId::kScalar, kScalar, kStable, 0, kArgsV},
    {"sgn", FunctionId::kSgn, kVector, kStable, 0, kArgsV},
    {"sin", FunctionId::kSin, kVector, kStable, 0, kArgsV},
    {"sinh", FunctionId::kSinh, kVector, kStable, 0, kArgsV},
    {"sort", FunctionId::kSort, kVector, kStable, 0, kArgsV},
    {"sort_by_label", FunctionId::kSortByLabel, kVector, kExperimental, -1, kArgsVT},
    {"sort_by_label_desc", FunctionId::kSortByLabelDesc, kVector, kExperimental, -1, kArgsVT},
    {"sort_desc", FunctionId::kSortDesc, kVector, kStable, 0, kArgsV},
    {"sqrt", FunctionId::kSqrt, kVector, kStable, 0, kArgsV},
    {"start", FunctionId::kStart, kScalar, kExperimental, 0, kArgsNone},
    {"start_timestamp", FunctionId::kStartTimestamp, kVector, kExperimental, 0, kArgsV},
    {"stddev_over_time", FunctionId::kStddevOverTime, kVector, kStable, 0, kArgsM},
    {"stdvar_over_time", FunctionId::kStdvarOverTime, kVector, kStable, 0, kArgsM},
    {"step", FunctionId::kStep, kScalar, kExperimental, 0, kArgsNone},
    {"sum_over_time", FunctionId::kSumOverTime, kVector, kStable, 0, kArgsM},
    {"tan", FunctionId::kTan, kVector, kStable, 0, kArgsV},
    {"tanh", FunctionId::kTanh, kVector, kStable, 0, kArgsV},
    {"time", FunctionId::kTime, kScalar, kStable, 0, kArgsNone},
    {"timestamp", FunctionId::kTimestamp, kVector, kStable, 0, kArgsV},
    {"ts_of_first_over_time", FunctionId::kTsOfFirstOverTime, kVector, kExperimental, 0, kArgsM},
    {"ts_of_last_over_time", FunctionId::kTsOfLastOverTime, kVector, kExperimental, 0, kArgsM},
    {"ts_of_max_over_time", FunctionId::kTsOfMaxOverTime, kVector, kExperimental, 0, kArgsM},
    {"ts_of_min_over_time", FunctionId::kTsOfMinOverTime, kVector, kExperimental, 0, kArgsM},
    {"vector", FunctionId::kVector, kVector, kStable, 0, kArgsS},
    {"year", FunctionId::kYear, kVector, kStable, 1, kArgsV},
}};

constexpr bool sorted_and_indexed() {
  for (std::size_t i = 0; i < kFunctions.size(); ++i) {
    if (static_cast<std::size_t>(kFunctions[i].id) != i) return false;
    if (i > 0 && !(kFunctions[i - 1].name < kFunctions[i].name)) return false;
  }
  return true;
}
static_assert(sorted_and_indexed());

}  // namespace

std::span<const Function> functions() { return kFunctions; }

FunctionSignature signature_of(const Function& function) {
  return {function.name, function.return_type, function.variadic, function.arg_types};
}

const Function* find_function(std::string_view name) {
  const auto* found = std::lower_bound(
      kFunctions.begin(), kFunctions.end(), name,
      [](const Function& function, std::string_view wanted) { return function.name < wanted; });
  return found != kFunctions.end() && found->name == name ? found : nullptr;
}

}  // namespace varve::promql
