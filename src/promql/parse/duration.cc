// SPDX-License-Identifier: Apache-2.0
// What expressions over durations come to once a query's range is known.
#include <cmath>
#include <string>

#include "base/try.h"
#include "promql/ast.h"

namespace varve::promql {
namespace {

// What fits into Go's time.Duration, whose unit is the nanosecond.
constexpr double kSecondsMax = 9223372036.854775807;

Error refused_at(std::string_view text, Position position, std::string_view message) {
  return Error(ErrorCode::kInvalidArgument,
               line_and_column(text, position.start) + ": parse error: " + std::string(message));
}

Result<double> evaluate(const DurationExpr& expr, const DurationScope& scope,
                        std::string_view text) {
  double lhs = 0;
  double rhs = 0;
  if (expr.lhs) {
    VARVE_TRY_ASSIGN(lhs, evaluate(*expr.lhs, scope, text));
  }
  if (expr.rhs) {
    VARVE_TRY_ASSIGN(rhs, evaluate(*expr.rhs, scope, text));
  }
  switch (expr.op) {
    case DurationOp::kNumber: return expr.seconds;
    case DurationOp::kStep: return static_cast<double>(scope.step_ms) / 1000;
    case DurationOp::kRange: return static_cast<double>(scope.end_ms - scope.start_ms) / 1000;
    case DurationOp::kPlus: return lhs;
    case DurationOp::kNegate: return -lhs;
    case DurationOp::kAdd: return lhs + rhs;
    case DurationOp::kSubtract: return lhs - rhs;
    case DurationOp::kMultiply: return lhs * rhs;
    case DurationOp::kDivide:
      if (rhs == 0) return refused_at(text, expr.position, "division by zero");
      return lhs / rhs;
    case DurationOp::kModulo:
      if (rhs == 0) return refused_at(text, expr.position, "modulo by zero");
      return std::fmod(lhs, rhs);
    case DurationOp::kPower: return std::pow(lhs, rhs);
    case DurationOp::kMinOf: return std::fmin(lhs, rhs);
    case DurationOp::kMaxOf: return std::fmax(lhs, rhs);
  }
  return 0.0;
}

}  // namespace

Result<std::int64_t> resolve_duration(const Duration& duration, const DurationScope& scope,
                                      DurationSign sign, std::string_view text) {
  if (!duration.expression) return duration.ms;
  const Position position = duration.expression->position;
  VARVE_TRY_ASSIGN(const double seconds, evaluate(*duration.expression, scope, text));
  if (sign == DurationSign::kPositive && !(seconds > 0)) {
    return refused_at(text, position, "duration must be greater than 0");
  }
  if (!(std::fabs(seconds) < kSecondsMax)) {
    return refused_at(text, position, "duration is out of range");
  }
  return static_cast<std::int64_t>(std::round(seconds * 1000));
}

}  // namespace varve::promql
