// SPDX-License-Identifier: Apache-2.0
// Vector-scalar operators and the set operators.
#include "promql/eval/binary.h"

#include <algorithm>
#include <utility>

#include "promql/value/function_impl.h"
#include "promql/eval/match_signature.h"
#include "promql/eval/point_ops.h"

namespace varve::promql {
namespace {

void apply_to_histogram(const Binary& expr, bool scalar_on_left, double scalar, std::size_t step,
                        StepSeries& series, AnnotationSink& sink) {
  const HistogramPtr histogram = series.histograms[step];
  const Operand vector{0, &histogram};
  const Operand number{scalar, nullptr};
  OpResult result = scalar_on_left ? element_op(expr.op, number, vector, expr.position, sink)
                                   : element_op(expr.op, vector, number, expr.position, sink);
  series.clear(step);
  if (!result.failed) series.set(step, std::move(result.point));
}

}  // namespace

void apply_scalar(const Binary& expr, bool scalar_on_left, const ScalarSteps& scalar,
                  StepSeries& series, AnnotationSink& sink) {
  const std::size_t steps = series.steps();
  const bool trims = expr.op == BinaryOp::kTrimUpper || expr.op == BinaryOp::kTrimLower;
  // What the floats become is computed on all values, present or not.
  std::vector<std::uint8_t> verdict;
  if (is_comparison(expr.op)) {
    verdict.resize(steps);
    if (scalar_on_left) {
      float_comparisons(expr.op, scalar, series.values, verdict);
    } else {
      float_comparisons(expr.op, series.values, scalar, verdict);
    }
  }
  if (!series.histograms.empty()) {
    for (std::size_t step = 0; step < steps; ++step) {
      if (series.kinds[step] != PointKind::kHistogram) continue;
      apply_to_histogram(expr, scalar_on_left, scalar[step], step, series, sink);
    }
  }
  if (trims) {
    for (std::size_t step = 0; step < steps; ++step) {
      if (series.kinds[step] != PointKind::kFloat) continue;
      const Operand number{series.values[step], nullptr};
      element_op(expr.op, number, number, expr.position, sink);  // for its remark
      series.clear(step);
    }
  } else if (!is_comparison(expr.op)) {
    if (scalar_on_left) {
      float_ops(expr.op, scalar, series.values, series.values);
    } else {
      float_ops(expr.op, series.values, scalar, series.values);
    }
  } else if (expr.return_bool) {
    for (std::size_t step = 0; step < steps; ++step) series.values[step] = verdict[step];
  } else {
    for (std::size_t step = 0; step < steps; ++step) {
      if (series.kinds[step] == PointKind::kFloat && verdict[step] == 0) {
        series.kinds[step] = PointKind::kNone;
      }
    }
  }
}

StepMatrix set_operation(const Binary& expr, StepMatrix lhs, StepMatrix rhs, std::size_t steps) {
  MatchSignatures signatures(*expr.matching);
  const std::vector<std::uint32_t> left_ids = signatures.of(lhs);
  const std::vector<std::uint32_t> right_ids = signatures.of(rhs);

  // At which steps a match group has anything on the deciding side.
  const bool is_or = expr.op == BinaryOp::kOr;
  const StepMatrix& deciding = is_or ? lhs : rhs;
  const std::vector<std::uint32_t>& deciding_ids = is_or ? left_ids : right_ids;
  std::vector<std::vector<std::uint8_t>> present(signatures.count());
  for (std::size_t i = 0; i < deciding.series.size(); ++i) {
    std::vector<std::uint8_t>& at = present[deciding_ids[i]];
    if (at.empty()) at.resize(steps);
    for (std::size_t step = 0; step < steps; ++step) {
      if (deciding.series[i].kinds[step] != PointKind::kNone) at[step] = 1;
    }
  }

  // The other side keeps a point where the group is present (and), or where it is not.
  const bool keep_if = expr.op == BinaryOp::kAnd;
  StepMatrix& filtered = is_or ? rhs : lhs;
  const std::vector<std::uint32_t>& filtered_ids = is_or ? right_ids : left_ids;
  StepMatrix out;
  if (is_or) out = std::move(lhs);
  for (std::size_t i = 0; i < filtered.series.size(); ++i) {
    StepSeries& series = filtered.series[i];
    const std::vector<std::uint8_t>& at = present[filtered_ids[i]];
    for (std::size_t step = 0; step < steps; ++step) {
      const bool there = !at.empty() && at[step] != 0;
      if (there != keep_if) series.clear(step);
    }
    if (!series.empty()) out.series.push_back(std::move(series));
  }
  return out;
}

}  // namespace varve::promql
