// SPDX-License-Identifier: Apache-2.0
// Function calls: binds the arguments and lets the implementation work series by series, element by
// element, or on the whole vector.
#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <utility>

#include "base/try.h"
#include "promql/eval/evaluator.h"
#include "promql/eval/info.h"
#include "promql/eval/transform_source.h"
#include "promql/eval/window_index.h"
#include "promql/parse/function_table.h"
#include "promql/value/level_windows.h"

namespace varve::promql {
namespace {

// The functions that accept a modifier, as the error lists them.
constexpr std::string_view kAnchoredSafe = "changes, delta, increase, rate, resets";
constexpr std::string_view kSmoothedSafe = "delta, increase, rate";

Status check_extension(RangeExtension extension, const FunctionImpl& function,
                       std::string_view name) {
  const bool anchored = extension == RangeExtension::kAnchored;
  if (extension == RangeExtension::kNone) return {};
  if (anchored ? function.extension_safe : function.smoothed_safe) return {};
  std::string text = anchored ? "anchored" : "smoothed";
  text.append(" modifier can only be used with: ");
  text.append(anchored ? kAnchoredSafe : kSmoothedSafe).append(" - not with ").append(name);
  return Error(ErrorCode::kExecution, std::move(text));
}

std::size_t first_arg_of_type(const Call& call, ValueType type) {
  for (std::size_t i = 0; i < call.args.size(); ++i) {
    if (call.args[i]->type() == type) return i;
  }
  return call.args.size();
}

bool fixes_name(const VectorSelector& selector) {
  for (const model::Matcher& matcher : selector.matchers) {
    if (matcher.type() == model::MatchType::kEqual && matcher.name() == kMetricName) return true;
  }
  return false;
}

// The first vector selector in the tree, or null.
const VectorSelector* first_selector(const Expr& expr) {
  switch (expr.kind()) {
    case ExprKind::kVectorSelector:
      return &as<VectorSelector>(expr);
    case ExprKind::kMatrixSelector:
      return as<MatrixSelector>(expr).selector.get();
    case ExprKind::kSubquery:
      return first_selector(*as<Subquery>(expr).operand);
    case ExprKind::kCall:
      for (const ExprPtr& arg : as<Call>(expr).args) {
        if (const VectorSelector* found = first_selector(*arg)) return found;
      }
      return nullptr;
    case ExprKind::kAggregate:
      return first_selector(*as<Aggregate>(expr).operand);
    case ExprKind::kBinary: {
      const auto& binary = as<Binary>(expr);
      const VectorSelector* found = first_selector(*binary.lhs);
      return found != nullptr ? found : first_selector(*binary.rhs);
    }
    case ExprKind::kUnary:
      return first_selector(*as<Unary>(expr).operand);
    case ExprKind::kParen:
      return first_selector(*as<Paren>(expr).inner);
    default:
      return nullptr;
  }
}

// The longest time that all windows begin and end at multiples of.
std::int64_t whole_windows_ms(const WindowShape& shape) {
  if (shape.first_end_ms == TimeRange::all().min_ms) return 0;
  const std::int64_t step_ms = shape.count > 1 ? shape.step_ms : 0;
  return std::gcd(std::gcd(shape.range_ms, step_ms), shape.first_end_ms);
}

// vector(time()): what date functions without an argument work on.
StepMatrix time_vector(const StepGrid& grid) {
  StepMatrix matrix;
  matrix.series.emplace_back(Labels(), grid.count);
  for (std::size_t step = 0; step < grid.count; ++step) {
    matrix.series[0].set(step, static_cast<double>(grid.at(step)) / 1000);
  }
  return matrix;
}

}  // namespace

Result<const FunctionImpl*> implementation_of(const Call& call) {
  const FunctionImpl* function = find_function_impl(call.function->id);
  if (function == nullptr) {
    return Error(ErrorCode::kUnimplemented,
                 "function " + std::string(call.function->name) + "() is not supported yet");
  }
  return function;
}

Result<BoundArgs> Evaluator::bind_args(const Call& call, const StepGrid& grid, bool with_vectors) {
  BoundArgs bound(call);
  for (const ExprPtr& arg : call.args) {
    const Expr& bare = without_parens(*arg);
    ArgValue value;
    value.expr = &bare;
    switch (bare.type()) {
      case ValueType::kScalar: {
        VARVE_TRY_ASSIGN(ScalarSteps values, scalar(bare, grid));
        bound.scalars.push_back(std::make_unique<ScalarSteps>(std::move(values)));
        value.scalar = bound.scalars.back().get();
        break;
      }
      case ValueType::kString:
        value.text = as<StringLiteral>(bare).value;
        break;
      case ValueType::kVector:
        if (with_vectors) {
          VARVE_TRY_ASSIGN(StepMatrix matrix, vector(bare, grid));
          bound.vectors.push_back(std::make_unique<StepMatrix>(std::move(matrix)));
          value.vector = bound.vectors.back().get();
        }
        break;
      default:
        break;
    }
    bound.values.push_back(value);
  }
  return bound;
}

Result<ScalarSteps> Evaluator::scalar_call(const Call& call, const StepGrid& grid) {
  // These four are constants of the query, also inside a subquery.
  const DurationScope& scope = state_.settings().scope;
  const auto constant = [&grid](std::int64_t ms) {
    return ScalarSteps(grid.count, static_cast<double>(ms) / 1000);
  };
  switch (call.function->id) {
    case FunctionId::kStart: return constant(scope.start_ms);
    case FunctionId::kEnd: return constant(scope.end_ms);
    case FunctionId::kRange: return constant(scope.end_ms - scope.start_ms);
    case FunctionId::kStep:
      return constant(scope.start_ms == scope.end_ms ? 0 : scope.step_ms);
    default: break;
  }
  VARVE_TRY_ASSIGN(const FunctionImpl* function, implementation_of(call));
  if (function->scalar == nullptr) {
    return Error(ErrorCode::kInternal,
                 "function " + std::string(call.function->name) + "() does not give a scalar");
  }
  VARVE_TRY_ASSIGN(BoundArgs args, bind_args(call, grid, true));
  EvalContext eval_context = context(grid);
  return function->scalar(args.view(), eval_context);
}

Result<SeriesSourcePtr> Evaluator::call_source(const Call& call, const StepGrid& grid) {
  if (reads_times(call.function->id)) return timestamp_source(call, grid);
  VARVE_TRY_ASSIGN(const FunctionImpl* function, implementation_of(call));
  const std::string_view outer_hint = std::exchange(function_hint_, call.function->name);
  Result<SeriesSourcePtr> result = function->window != nullptr
                                       ? range_call_source(call, *function, grid)
                                       : element_call_source(call, *function, grid);
  function_hint_ = outer_hint;
  return result;
}

Result<SeriesSourcePtr> Evaluator::range_call_source(const Call& call,
                                                     const FunctionImpl& function,
                                                     const StepGrid& grid) {
  // absent_over_time() looks at all series together, whatever they are called.
  const bool names_matter = call.function->id != FunctionId::kAbsentOverTime;
  const auto settled = [&](SeriesSourcePtr source) -> Result<SeriesSourcePtr> {
    if (!names_matter) return source;
    return settle_names(std::move(source), true);
  };
  const Expr& argument = without_parens(*call.args[first_arg_of_type(call, ValueType::kMatrix)]);
  if (argument.kind() == ExprKind::kSubquery) {
    const auto& subquery = as<Subquery>(argument);
    const StepGrid inner = plan_.subquery_grid(subquery, grid);
    VARVE_TRY(check_steps(inner));
    const auto evaluate_operand = [&] {
      const QueryState::ReadScale scale(state_, 0);
      return vector(*subquery.operand, inner);
    };
    VARVE_TRY_ASSIGN(StepMatrix points, evaluate_operand());
    VARVE_TRY_ASSIGN(BoundArgs args, bind_args(call, grid, false));
    return settled(source_of_subquery_call(std::move(points), inner, plan_.timing(subquery), grid,
                                           function, std::move(args), state_));
  }
  const auto& matrix = as<MatrixSelector>(argument);
  const RangeExtension extension = matrix.selector->extension;
  VARVE_TRY(check_extension(extension, function, call.function->name));
  const Timing& timing = plan_.timing(matrix);
  const std::int64_t lookback = state_.settings().lookback_ms;
  const WindowShape shape{timing.first_reference(grid),
                          timing.reference_step(grid),
                          timing.range_ms,
                          grid.count,
                          extension != RangeExtension::kNone ? lookback : 0,
                          extension == RangeExtension::kSmoothed ? lookback : 0};
  VARVE_TRY_ASSIGN(BoundArgs args, bind_args(call, grid, false));
  // A finer level may keep sketches that a coarser one does not.
  const LevelAnswer answer = level_answer(call.function->id);
  const bool coarser_is_same = extension == RangeExtension::kNone &&
                               (answer == LevelAnswer::kExact || answer == LevelAnswer::kSum);
  const std::int64_t whole_ms = coarser_is_same ? whole_windows_ms(shape) : 0;
  VARVE_TRY_ASSIGN(auto selection, select(*matrix.selector, timing, shape.span(), grid, whole_ms));
  return settled(source_of_range_call(std::move(selection), matrix, timing, grid, function,
                                      fixes_name(*matrix.selector), std::move(args), state_));
}

Result<SeriesSourcePtr> Evaluator::element_call_source(const Call& call,
                                                       const FunctionImpl& function,
                                                       const StepGrid& grid) {
  SeriesSourcePtr operand;
  const std::size_t vector_arg = first_arg_of_type(call, ValueType::kVector);
  if (vector_arg == call.args.size()) {
    operand = source_of_matrix(time_vector(grid), grid.count);
  } else {
    VARVE_TRY_ASSIGN(operand, source(*call.args[vector_arg], grid));
  }
  VARVE_TRY_ASSIGN(BoundArgs bound, bind_args(call, grid, false));
  const auto args = std::make_shared<BoundArgs>(std::move(bound));
  const auto apply = [this, &function, args, grid](StepSeries& series, AnnotationSink& sink) {
    if (function.floats != nullptr) {
      function.floats(series.values);
      if (series.histograms.empty()) return;
      for (std::size_t step = 0; step < series.steps(); ++step) {
        if (series.kinds[step] == PointKind::kHistogram) series.clear(step);
      }
      return;
    }
    const CallArgs view = args->view();
    EvalContext eval_context{grid, state_.features(), sink, state_.settings().lookback_ms};
    for (std::size_t step = 0; step < series.steps(); ++step) {
      if (series.kinds[step] == PointKind::kNone) continue;
      PointValue point = function.element(series.at(step), step, view, eval_context);
      series.clear(step);
      series.set(step, std::move(point));
    }
  };
  return settle_names(transform(std::move(operand), !function.keeps_name, apply), false);
}

// timestamp(): the sample's own time if the argument is a selector, else the step's.
// start_timestamp(): the sample's start time if the argument is a selector, else nothing.
Result<SeriesSourcePtr> Evaluator::timestamp_source(const Call& call, const StepGrid& grid) {
  const Expr& argument = without_parens(*call.args[0]);
  const bool start = call.function->id == FunctionId::kStartTimestamp;
  if (argument.kind() == ExprKind::kVectorSelector &&
      (!start || state_.features().use_start_timestamps)) {
    const auto& selector = as<VectorSelector>(argument);
    const Timing& timing = plan_.timing(argument);
    const WindowShape shape{timing.first_reference(grid), timing.reference_step(grid),
                            state_.settings().lookback_ms, grid.count, 0, 0};
    VARVE_TRY_ASSIGN(auto selection, select(selector, timing, shape.span(), grid));
    const SelectorValue value = start ? SelectorValue::kStart : SelectorValue::kTime;
    return settle_names(source_of_selector(std::move(selection), timing, grid, value,
                                           fixes_name(selector), state_),
                        false);
  }
  VARVE_TRY_ASSIGN(SeriesSourcePtr operand, source(argument, grid));
  const auto apply = [grid, start](StepSeries& series, AnnotationSink&) {
    for (std::size_t step = 0; step < series.steps(); ++step) {
      if (series.kinds[step] == PointKind::kNone) continue;
      series.clear(step);
      if (!start) series.set(step, static_cast<double>(grid.at(step)) / 1000);
    }
  };
  return settle_names(transform(std::move(operand), true, apply), false);
}

Result<StepMatrix> Evaluator::matrix_call(const Call& call, const FunctionImpl& function,
                                          const StepGrid& grid) {
  const std::string_view outer_hint = std::exchange(function_hint_, call.function->name);
  Result<BoundArgs> bound = bind_args(call, grid, true);
  function_hint_ = outer_hint;
  if (!bound.ok()) return std::move(bound).error();
  EvalContext eval_context = context(grid);
  VARVE_TRY_ASSIGN(StepMatrix result, function.matrix(bound->view(), eval_context));
  // An instant query with delayed removal looks for equal label sets only at its end.
  if (!(state_.features().delayed_name_removal && grid.instant())) {
    VARVE_TRY(merge_same_labelsets(result));
  }
  return result;
}

Result<StepMatrix> Evaluator::absent_over_time(const Call& call, const StepGrid& grid) {
  VARVE_TRY_ASSIGN(const SeriesSourcePtr windows, call_source(call, grid));
  VARVE_TRY_ASSIGN(const StepMatrix present, materialize(*windows, state_));
  StepSeries absent(labels_of_absent(*call.args[0]), grid.count);
  absent.drop_name = true;
  for (std::size_t step = 0; step < grid.count; ++step) absent.set(step, 1.0);
  for (const StepSeries& series : present.series) {
    for (std::size_t step = 0; step < grid.count; ++step) {
      if (series.kinds[step] != PointKind::kNone) absent.clear(step);
    }
  }
  StepMatrix out;
  if (!absent.empty()) out.series.push_back(std::move(absent));
  return out;
}

// The info series are looked up at the step's time, or at the time an @ in the first argument
// fixes.
Result<StepMatrix> Evaluator::info(const Call& call, const StepGrid& grid) {
  const std::string_view outer_hint = std::exchange(function_hint_, call.function->name);
  Result<StepMatrix> base = vector(*call.args[0], grid);
  function_hint_ = outer_hint;
  if (!base.ok()) return base;
  const VectorSelector* labels =
      call.args.size() > 1 ? &as<VectorSelector>(without_parens(*call.args[1])) : nullptr;
  VARVE_TRY_ASSIGN(const InfoRequest request, info_request(labels));
  const std::vector<bool> enriched = enrichable(*base, request);
  VARVE_TRY_ASSIGN(const model::Matchers matchers, info_matchers(*base, enriched, request));

  std::vector<InfoSeries> info_series;
  if (!matchers.empty()) {
    Timing timing;
    if (const VectorSelector* selector = first_selector(*call.args[0])) {
      timing.at_ms = plan_.timing(*selector).at_ms;
    }
    const WindowShape shape{timing.first_reference(grid), timing.reference_step(grid),
                            state_.settings().lookback_ms, grid.count, 0, 0};
    storage::SelectHints hints;
    hints.step_ms = grid.count > 1 ? grid.step_ms : 0;
    hints.function = call.function->name;
    VARVE_TRY_ASSIGN(const auto selection, select(matchers, shape.span(), hints));
    const SeriesSourcePtr times = source_of_selector(selection, timing, grid,
                                                     SelectorValue::kTime, false, state_);
    const SeriesSourcePtr samples = source_of_selector(selection, timing, grid,
                                                       SelectorValue::kSample, false, state_);
    AnnotationSink& sink = state_.annotations();
    VARVE_TRY_ASSIGN(const auto time_reader, times->reader(0, times->size(), sink));
    VARVE_TRY_ASSIGN(const auto sample_reader, samples->reader(0, samples->size(), sink));
    StepSeries points;
    for (std::size_t i = 0; i < times->size(); ++i) {
      VARVE_TRY(sample_reader->read(i, points));
      if (std::find(points.kinds.begin(), points.kinds.end(), PointKind::kHistogram) !=
          points.kinds.end()) {
        return Error(ErrorCode::kExecution, "info sample should be float");
      }
      InfoSeries& series = info_series.emplace_back();
      VARVE_TRY(time_reader->read(i, series.times));
      VARVE_TRY(state_.charge(count_points(series.times)));
      series.labels = times->labels(i);
    }
  }
  return join_info(*std::move(base), enriched, info_series, request, grid);
}

}  // namespace varve::promql
