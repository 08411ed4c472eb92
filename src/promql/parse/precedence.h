// SPDX-License-Identifier: Apache-2.0
// How tightly the operators bind, in expressions and in durations alike.
#pragma once

#include "promql/ast.h"

namespace varve::promql {

inline constexpr int kLowestPrecedence = 1;
inline constexpr int kPowerPrecedence = 6;

inline int precedence(BinaryOp op) {
  switch (op) {
    case BinaryOp::kOr: return 1;
    case BinaryOp::kAnd:
    case BinaryOp::kUnless: return 2;
    case BinaryOp::kEqual:
    case BinaryOp::kNotEqual:
    case BinaryOp::kLess:
    case BinaryOp::kLessEqual:
    case BinaryOp::kGreater:
    case BinaryOp::kGreaterEqual:
    case BinaryOp::kTrimUpper:
    case BinaryOp::kTrimLower: return 3;
    case BinaryOp::kAdd:
    case BinaryOp::kSubtract: return 4;
    case BinaryOp::kMultiply:
    case BinaryOp::kDivide:
    case BinaryOp::kModulo:
    case BinaryOp::kAtan2: return 5;
    case BinaryOp::kPower: return kPowerPrecedence;
  }
  return 0;
}

}  // namespace varve::promql
