// SPDX-License-Identifier: Apache-2.0
// The dispatch over the tree. Calls are in evaluate_call.cc.
#include "promql/eval/evaluator.h"

#include <algorithm>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>

#include "base/check.h"
#include "base/try.h"
#include "model/histogram.h"
#include "model/relabel.h"
#include "promql/eval/aggregate.h"
#include "promql/eval/binary.h"
#include "promql/eval/point_ops.h"
#include "promql/eval/transform_source.h"
#include "promql/eval/window_index.h"
#include "promql/parser.h"
#include "storage/source_resolution.h"

namespace varve::promql {
namespace {

StepGrid single_step(const StepGrid& grid) { return {grid.start_ms, grid.step_ms, 1}; }

bool fixes_name(const VectorSelector& selector) {
  return std::any_of(selector.matchers.begin(), selector.matchers.end(), [](const auto& matcher) {
    return matcher.type() == model::MatchType::kEqual && matcher.name() == kMetricName;
  });
}

void negate(StepSeries& series, AnnotationSink&) {
  for (double& value : series.values) value = -value;
  for (std::size_t step = 0; step < series.histograms.size(); ++step) {
    if (series.histograms[step] == nullptr) continue;
    Histogram negative = *series.histograms[step];
    model::multiply(negative, -1);
    series.histograms[step] = std::make_shared<const Histogram>(std::move(negative));
  }
}

// UTF-8 names: anything valid and not empty.
bool valid_label_name(std::string_view name) {
  return !name.empty() && model::valid_utf8(name);
}

}  // namespace

void replicate(StepMatrix& matrix, std::size_t steps) {
  for (StepSeries& series : matrix.series) {
    series.values.resize(steps, series.values[0]);
    series.kinds.resize(steps, series.kinds[0]);
    if (!series.histograms.empty()) series.histograms.resize(steps, series.histograms[0]);
  }
}

Result<ScalarSteps> Evaluator::scalar(const Expr& expr, const StepGrid& grid) {
  VARVE_TRY(state_.poll());
  switch (expr.kind()) {
    case ExprKind::kNumber:
      return ScalarSteps(grid.count, as<NumberLiteral>(expr).value);
    case ExprKind::kParen:
      return scalar(*as<Paren>(expr).inner, grid);
    case ExprKind::kUnary: {
      VARVE_TRY_ASSIGN(ScalarSteps values, scalar(*as<Unary>(expr).operand, grid));
      if (as<Unary>(expr).negate) {
        for (double& value : values) value = -value;
      }
      return values;
    }
    case ExprKind::kBinary: {
      const auto& binary = as<Binary>(expr);
      VARVE_TRY_ASSIGN(ScalarSteps values, scalar(*binary.lhs, grid));
      VARVE_TRY_ASSIGN(const ScalarSteps rhs, scalar(*binary.rhs, grid));
      for (std::size_t step = 0; step < grid.count; ++step) {
        values[step] = scalar_op(binary.op, values[step], rhs[step]);
      }
      return values;
    }
    case ExprKind::kCall: {
      if (grid.count > 1 && plan_.step_invariant(expr)) {
        const QueryState::ReadScale scale(state_, grid.count);
        VARVE_TRY_ASSIGN(const ScalarSteps once, scalar_call(as<Call>(expr), single_step(grid)));
        return ScalarSteps(grid.count, once[0]);
      }
      return scalar_call(as<Call>(expr), grid);
    }
    default:
      break;
  }
  VARVE_CHECK(expr.type() == ValueType::kScalar);
  return Error(ErrorCode::kInternal, "scalar expression of an unknown kind");
}

Result<StepMatrix> Evaluator::vector(const Expr& expr, const StepGrid& grid) {
  VARVE_TRY(state_.poll());
  if (grid.count == 0) return StepMatrix();
  if (grid.count > 1 && plan_.step_invariant(expr)) {
    const QueryState::ReadScale scale(state_, grid.count);
    VARVE_TRY_ASSIGN(StepMatrix once, vector(expr, single_step(grid)));
    VARVE_TRY(state_.charge(once.series.size() * (grid.count - 1)));
    replicate(once, grid.count);
    return once;
  }
  switch (expr.kind()) {
    case ExprKind::kParen:
      return vector(*as<Paren>(expr).inner, grid);
    case ExprKind::kAggregate:
      return aggregate(as<Aggregate>(expr), grid);
    case ExprKind::kBinary:
      if (as<Binary>(expr).matching) return vector_binary(as<Binary>(expr), grid);
      break;
    case ExprKind::kUnary:
      if (!as<Unary>(expr).negate) return vector(*as<Unary>(expr).operand, grid);
      break;
    case ExprKind::kCall: {
      const auto& call = as<Call>(expr);
      if (call.function->id == FunctionId::kAbsentOverTime) return absent_over_time(call, grid);
      if (call.function->id == FunctionId::kInfo) return info(call, grid);
      if (reads_times(call.function->id)) break;
      VARVE_TRY_ASSIGN(const FunctionImpl* function, implementation_of(call));
      if (function->matrix != nullptr) return matrix_call(call, *function, grid);
      break;
    }
    default:
      break;
  }
  VARVE_TRY_ASSIGN(const SeriesSourcePtr lazy, lazy_source(expr, grid));
  return materialize(*lazy, state_);
}

Result<SeriesSourcePtr> Evaluator::source(const Expr& expr, const StepGrid& grid) {
  const Expr& bare = without_parens(expr);
  bool lazy = grid.count > 0 && (grid.count == 1 || !plan_.step_invariant(bare));
  switch (bare.kind()) {
    case ExprKind::kVectorSelector:
      break;
    case ExprKind::kUnary:
      break;
    case ExprKind::kBinary:
      lazy = lazy && !as<Binary>(bare).matching;
      break;
    case ExprKind::kCall: {
      const auto& call = as<Call>(bare);
      if (call.function->id == FunctionId::kAbsentOverTime ||
          call.function->id == FunctionId::kInfo) {
        lazy = false;
      } else if (!reads_times(call.function->id)) {
        VARVE_TRY_ASSIGN(const FunctionImpl* function, implementation_of(call));
        lazy = lazy && function->matrix == nullptr;
      }
      break;
    }
    default:
      lazy = false;
      break;
  }
  if (lazy) return lazy_source(bare, grid);
  VARVE_TRY_ASSIGN(StepMatrix matrix, vector(bare, grid));
  return source_of_matrix(std::move(matrix), grid.count);
}

Result<SeriesSourcePtr> Evaluator::lazy_source(const Expr& expr, const StepGrid& grid) {
  switch (expr.kind()) {
    case ExprKind::kVectorSelector: {
      const auto& selector = as<VectorSelector>(expr);
      const bool smoothed = selector.extension == RangeExtension::kSmoothed;
      const std::int64_t lookback_ms = state_.settings().lookback_ms;
      const Timing& timing = plan_.timing(expr);
      const WindowShape shape{timing.first_reference(grid), timing.reference_step(grid),
                              lookback_ms, grid.count, 0, smoothed ? lookback_ms : 0};
      VARVE_TRY_ASSIGN(auto selection, select(selector, timing, shape.span(), grid));
      if (smoothed) {
        return source_of_smoothed_selector(std::move(selection), shape, selector.position,
                                           fixes_name(selector), state_);
      }
      return source_of_selector(std::move(selection), timing, grid, SelectorValue::kSample,
                                fixes_name(selector), state_);
    }
    case ExprKind::kUnary: {
      const auto& unary = as<Unary>(expr);
      VARVE_TRY_ASSIGN(SeriesSourcePtr operand, source(*unary.operand, grid));
      if (!unary.negate) return operand;
      return settle_names(transform(std::move(operand), true, negate), false);
    }
    case ExprKind::kBinary:
      return scalar_operation_source(as<Binary>(expr), grid);
    case ExprKind::kCall:
      return call_source(as<Call>(expr), grid);
    default:
      break;
  }
  return Error(ErrorCode::kInternal, "vector expression of an unknown kind");
}

Result<SeriesSourcePtr> Evaluator::settle_names(SeriesSourcePtr source, bool strict) {
  if (state_.features().delayed_name_removal || source->size() < 2 || !source->drops_name(0) ||
      source->unique_without_name()) {
    return source;
  }
  std::unordered_set<std::string> seen;
  bool unique = true;
  for (std::size_t i = 0; unique && i < source->size(); ++i) {
    unique = seen.emplace(drop_metric_name(source->labels(i)).bytes()).second;
  }
  if (unique) return source;
  // Only series with points count, so the points must be computed before one can tell.
  const std::size_t steps = source->steps();
  VARVE_TRY_ASSIGN(StepMatrix matrix, materialize(*source, state_));
  const std::size_t before = matrix.series.size();
  VARVE_TRY(merge_same_labelsets(matrix));
  if (strict && matrix.series.size() != before) {
    return Error(ErrorCode::kExecution, "vector cannot contain metrics with the same labelset");
  }
  return source_of_matrix(std::move(matrix), steps);
}

Result<SeriesSourcePtr> Evaluator::scalar_operation_source(const Binary& binary,
                                                           const StepGrid& grid) {
  const bool scalar_on_left = binary.lhs->type() == ValueType::kScalar;
  const Expr& scalar_expr = scalar_on_left ? *binary.lhs : *binary.rhs;
  const Expr& vector_expr = scalar_on_left ? *binary.rhs : *binary.lhs;
  VARVE_TRY_ASSIGN(SeriesSourcePtr operand, source(vector_expr, grid));
  VARVE_TRY_ASSIGN(ScalarSteps values, scalar(scalar_expr, grid));
  const bool drops_name = changes_meaning(binary.op) || binary.return_bool;
  const auto apply = [&binary, scalar_on_left,
                      values = std::make_shared<const ScalarSteps>(std::move(values))](
                         StepSeries& series, AnnotationSink& sink) {
    apply_scalar(binary, scalar_on_left, *values, series, sink);
  };
  return settle_names(transform(std::move(operand), drops_name, apply), false);
}

Result<StepMatrix> Evaluator::aggregate(const Aggregate& expr, const StepGrid& grid) {
  const std::string_view outer_hint = std::exchange(function_hint_, to_string(expr.op));
  Result<StepMatrix> result = [&]() -> Result<StepMatrix> {
    if (!has_parameter(expr.op)) {
      VARVE_TRY_ASSIGN(const SeriesSourcePtr input, source(*expr.operand, grid));
      return aggregate_fold(expr, *input, state_);
    }
    if (expr.op == AggregateOp::kCountValues) {
      const std::string& label = as<StringLiteral>(without_parens(*expr.param)).value;
      if (!valid_label_name(label)) {
        return Error(ErrorCode::kExecution, "invalid label name " + quote(label));
      }
      VARVE_TRY_ASSIGN(const StepMatrix input, vector(*expr.operand, grid));
      return aggregate_count_values(expr, label, input, grid.count, state_);
    }
    VARVE_TRY_ASSIGN(const ScalarSteps param, scalar(*expr.param, grid));
    VARVE_TRY_ASSIGN(StepMatrix input, vector(*expr.operand, grid));
    if (expr.op == AggregateOp::kQuantile) {
      return aggregate_quantile(expr, param, std::move(input), grid.count, state_);
    }
    return aggregate_select(expr, param, std::move(input), grid.count, state_);
  }();
  function_hint_ = outer_hint;
  return result;
}

Result<StepMatrix> Evaluator::vector_binary(const Binary& binary, const StepGrid& grid) {
  const std::string_view outer_hint = std::exchange(function_hint_, std::string_view());
  VARVE_TRY_ASSIGN(StepMatrix lhs, vector(*binary.lhs, grid));
  VARVE_TRY_ASSIGN(StepMatrix rhs, vector(*binary.rhs, grid));
  function_hint_ = outer_hint;
  if (!is_set_operator(binary.op)) {
    return vector_operation(binary, std::move(lhs), std::move(rhs), grid.count, state_);
  }
  StepMatrix out = set_operation(binary, std::move(lhs), std::move(rhs), grid.count);
  // The same series may come from the left at one step and from the right at another.
  if (binary.op == BinaryOp::kOr && !(state_.features().delayed_name_removal && grid.instant())) {
    VARVE_TRY(merge_same_labelsets(out));
  }
  return out;
}

Result<std::shared_ptr<storage::Selection>> Evaluator::select(const VectorSelector& selector,
                                                              const Timing& timing,
                                                              TimeRange range,
                                                              const StepGrid& grid,
                                                              std::int64_t whole_ms) {
  storage::SelectHints hints;
  hints.step_ms = grid.count > 1 ? grid.step_ms : 0;
  hints.range_ms = timing.range_ms;
  hints.function = function_hint_;
  return select(selector.matchers, range, hints, whole_ms);
}

// One regular expression over many long values can take minutes.
Result<std::shared_ptr<storage::Selection>> Evaluator::select(const model::Matchers& matchers,
                                                              TimeRange range,
                                                              storage::SelectHints hints,
                                                              std::int64_t whole_ms) {
  const std::int64_t asked = state_.settings().max_source_resolution_ms;
  hints.max_source_resolution_ms =
      asked == storage::kSourceAuto ? storage::auto_in_whole(whole_ms) : asked;
  // Where buckets are longer than the window, samples beside them are wanted as far back.
  const storage::LevelReach& reach = state_.settings().level_reach;
  const Timestamp widened = saturating_subtract(range.min_ms, reach.resolution_ms);
  if (reach.resolution_ms > 0 && widened <= reach.until_ms) range.min_ms = widened;
  const model::MatchWatch watch([this] { return !state_.poll().ok(); });
  auto selection_or = state_.querier().select(matchers, range, hints);
  if (watch.stopped()) {
    VARVE_TRY(state_.poll());
    return Error(ErrorCode::kCanceled, "query was canceled in expression evaluation");
  }
  VARVE_TRY_ASSIGN(auto selection, std::move(selection_or));
  state_.count_series(selection->size());
  return std::shared_ptr<storage::Selection>(std::move(selection));
}

Status Evaluator::finish_names(StepMatrix& matrix) const {
  if (!state_.features().delayed_name_removal) return {};
  for (StepSeries& series : matrix.series) {
    if (series.drop_name) series.labels = drop_metric_name(series.labels);
  }
  return merge_same_labelsets(matrix);
}

}  // namespace varve::promql
