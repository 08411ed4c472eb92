// SPDX-License-Identifier: Apache-2.0
// Binary operators on single points and on whole series of floats.
#pragma once

#include <span>

#include "promql/value/annotations.h"
#include "promql/value/value.h"
#include "promql/ast.h"

namespace varve::promql {

// Scalar op scalar; comparisons give 0 or 1. Precondition: not a set or trim operator.
double scalar_op(BinaryOp op, double lhs, double rhs);

// Whether the result is a new quantity, so that the metric name goes: arithmetic.
bool changes_meaning(BinaryOp op);

// One side of an operation at one step. Precondition: present.
struct Operand {
  double value = 0;
  const HistogramPtr* histogram = nullptr;  // null: a float
};

// lhs op rhs as Prometheus's vector elements combine. `keep` is the verdict of a comparison; the
// point is then the left operand. kNone with `keep` false where the types do not go together.
struct OpResult {
  PointValue point;
  bool keep = false;
  bool failed = false;  // no result at all, not even of a comparison with bool
};
OpResult element_op(BinaryOp op, const Operand& lhs, const Operand& rhs, Position where,
                    AnnotationSink& sink);

// out[i] = lhs[i] op rhs[i] for arithmetic operators. Spans of equal size; out may be one of them.
void float_ops(BinaryOp op, std::span<const double> lhs, std::span<const double> rhs,
               std::span<double> out);
// verdict[i] = lhs[i] op rhs[i] for comparisons.
void float_comparisons(BinaryOp op, std::span<const double> lhs, std::span<const double> rhs,
                       std::span<std::uint8_t> verdict);

}  // namespace varve::promql
