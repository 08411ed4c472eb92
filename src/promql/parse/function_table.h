// SPDX-License-Identifier: Apache-2.0
// The functions of PromQL 3.14 as the parser knows them: 73 stable, 17 experimental. What they
// compute is in promql/functions/.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "promql/ast.h"

namespace varve::promql {

// In the order of their names. The enumerators index functions().
enum class FunctionId : std::uint8_t {
  kAbs,
  kAbsent,
  kAbsentOverTime,
  kAcos,
  kAcosh,
  kAsin,
  kAsinh,
  kAtan,
  kAtanh,
  kAvgOverTime,
  kCeil,
  kChanges,
  kClamp,
  kClampMax,
  kClampMin,
  kCos,
  kCosh,
  kCountOverTime,
  kDayOfMonth,
  kDayOfWeek,
  kDayOfYear,
  kDaysInMonth,
  kDeg,
  kDelta,
  kDeriv,
  kDoubleExponentialSmoothing,
  kEnd,
  kExp,
  kFirstOverTime,
  kFloor,
  kHistogramAvg,
  kHistogramCount,
  kHistogramFraction,
  kHistogramQuantile,
  kHistogramQuantiles,
  kHistogramStddev,
  kHistogramStdvar,
  kHistogramSum,
  kHour,
  kIdelta,
  kIncrease,
  kInfo,
  kIrate,
  kLabelJoin,
  kLabelReplace,
  kLastOverTime,
  kLn,
  kLog10,
  kLog2,
  kMadOverTime,
  kMaxOf,
  kMaxOverTime,
  kMinOf,
  kMinOverTime,
  kMinute,
  kMonth,
  kPi,
  kPredictLinear,
  kPresentOverTime,
  kQuantileOverTime,
  kRad,
  kRange,
  kRate,
  kResets,
  kRound,
  kScalar,
  kSgn,
  kSin,
  kSinh,
  kSort,
  kSortByLabel,
  kSortByLabelDesc,
  kSortDesc,
  kSqrt,
  kStart,
  kStartTimestamp,
  kStddevOverTime,
  kStdvarOverTime,
  kStep,
  kSumOverTime,
  kTan,
  kTanh,
  kTime,
  kTimestamp,
  kTsOfFirstOverTime,
  kTsOfLastOverTime,
  kTsOfMaxOverTime,
  kTsOfMinOverTime,
  kVector,
  kYear,
};

inline constexpr std::size_t kFunctionCount = 90;

struct Function {
  std::string_view name;
  FunctionId id;
  ValueType return_type;
  bool experimental = false;
  // The last of arg_types may be left out or repeated: 0: exactly arg_types.size() arguments;
  // n > 0: from size() - 1 to size() - 1 + n of them; -1: size() - 1 or more.
  int variadic = 0;
  // An argument beyond the last has the last one's type.
  std::span<const ValueType> arg_types;
};

// All of them, sorted by name.
std::span<const Function> functions();
inline const Function& function(FunctionId id) { return functions()[static_cast<std::size_t>(id)]; }
// Null if there is none of that name.
const Function* find_function(std::string_view name);

}  // namespace varve::promql
