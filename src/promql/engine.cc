// SPDX-License-Identifier: Apache-2.0
// From text to result: parse, plan, pin the storage, evaluate, order.
#include "promql/engine.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/try.h"
#include "promql/cache/cached_range.h"
#include "promql/cache/stepwise.h"
#include "promql/eval/evaluator.h"
#include "promql/eval/plan.h"
#include "promql/eval/query_state.h"
#include "promql/parser.h"
#include "promql/range_cache.h"
#include "storage/querier.h"

namespace varve::promql {
namespace {

double seconds_since(std::chrono::nanoseconds start, const base::Clock& clock) {
  return std::chrono::duration<double>(clock.monotonic() - start).count();
}

void sort_by_labels(Matrix& matrix) {
  std::sort(matrix.begin(), matrix.end(),
            [](const Series& a, const Series& b) { return a.labels < b.labels; });
}

// An instant query's vector, in the order the evaluation left it in.
Vector to_vector(StepMatrix matrix, Timestamp time_ms) {
  Vector out;
  out.reserve(matrix.series.size());
  for (StepSeries& series : matrix.series) {
    if (series.kinds[0] == PointKind::kNone) continue;
    VectorSample sample;
    sample.labels = std::move(series.labels);
    sample.timestamp_ms = time_ms;
    if (series.kinds[0] == PointKind::kFloat) {
      sample.value = series.values[0];
    } else {
      sample.histogram = std::move(series.histograms[0]);
    }
    out.push_back(std::move(sample));
  }
  return out;
}

Matrix to_matrix(const StepMatrix& matrix, const StepGrid& grid) {
  Matrix out;
  out.reserve(matrix.series.size());
  for (const StepSeries& series : matrix.series) {
    if (!series.empty()) out.push_back(to_series(series, grid));
  }
  sort_by_labels(out);
  return out;
}

Result<QueryValue> evaluate_instant(Evaluator& evaluator, const Expr& expr, const StepGrid& grid) {
  switch (expr.type()) {
    case ValueType::kString:
      return QueryValue(StringValue{grid.start_ms, as<StringLiteral>(without_parens(expr)).value});
    case ValueType::kScalar: {
      VARVE_TRY_ASSIGN(const ScalarSteps values, evaluator.scalar(expr, grid));
      return QueryValue(ScalarValue{grid.start_ms, values[0]});
    }
    case ValueType::kMatrix: {
      VARVE_TRY_ASSIGN(Matrix matrix, evaluator.range_vector(expr, grid));
      sort_by_labels(matrix);
      return QueryValue(std::move(matrix));
    }
    default: {
      VARVE_TRY_ASSIGN(StepMatrix matrix, evaluator.vector(expr, grid));
      VARVE_TRY(evaluator.finish_names(matrix));
      return QueryValue(to_vector(std::move(matrix), grid.start_ms));
    }
  }
}

// The steps of a range query, in any order of series.
Result<StepMatrix> evaluate_steps(Evaluator& evaluator, const Expr& expr, const StepGrid& grid) {
  StepMatrix matrix;
  if (expr.type() == ValueType::kScalar) {
    VARVE_TRY_ASSIGN(ScalarSteps values, evaluator.scalar(expr, grid));
    StepSeries series(Labels(), grid.count);
    series.values = std::move(values);
    std::fill(series.kinds.begin(), series.kinds.end(), PointKind::kFloat);
    matrix.series.push_back(std::move(series));
  } else {
    VARVE_TRY_ASSIGN(matrix, evaluator.vector(expr, grid));
    VARVE_TRY(evaluator.finish_names(matrix));
  }
  return matrix;
}

struct Environment {
  const EngineOptions& options;
  std::int64_t default_subquery_step_ms;
  const base::Clock& clock;
  base::ThreadPool* pool;
  base::MemoryAccount* memory;
};

// When to evaluate. An instant query has one step; a range query may have one too.
struct QueryTimes {
  StepGrid grid;
  Timestamp end_ms = 0;  // what end() means: as asked for, also where no step falls on it
  bool range = false;
};

// Everything but the steps that a result depends on, for one engine and one storage.
std::string cache_key(std::string_view expression, const QuerySettings& settings) {
  return std::to_string(settings.lookback_ms) + ' ' +
         std::to_string(settings.default_subquery_step_ms) + ' ' +
         std::to_string(settings.max_source_resolution_ms) + ' ' + std::string(expression);
}

std::chrono::milliseconds timeout_of(const EngineOptions& options, const QueryParams& params) {
  return params.timeout.count() != 0 ? std::min(params.timeout, options.timeout) : options.timeout;
}

Result<QueryResult> run(const Environment& environment, const storage::Queryable& storage,
                        std::string_view expression, const QueryTimes& times,
                        const QueryParams& params) {
  const auto& [grid, end_ms, range] = times;
  const std::chrono::nanoseconds start = environment.clock.monotonic();
  const EngineOptions& options = environment.options;
  QueryResult result;

  VARVE_TRY_ASSIGN(const ExprPtr expr, parse(expression, options.features));
  if (range && expr->type() != ValueType::kVector && expr->type() != ValueType::kScalar) {
    return Error(ErrorCode::kInvalidArgument,
                 "invalid expression type \"" + std::string(documented_name(expr->type())) +
                     "\" for range query, must be Scalar or instant Vector");
  }
  QuerySettings settings;
  settings.features = options.features;
  settings.lookback_ms =
      (params.lookback_delta.count() > 0 ? params.lookback_delta : options.lookback_delta).count();
  settings.default_subquery_step_ms = environment.default_subquery_step_ms;
  settings.samples_max = options.samples_max;
  settings.memory_max_bytes = options.memory_max_bytes;
  settings.max_source_resolution_ms = params.max_source_resolution_ms;
  if (settings.max_source_resolution_ms != storage::kSourceRaw) {
    settings.level_reach = storage.level_reach(settings.max_source_resolution_ms);
  }
  settings.deadline = start - params.queued + timeout_of(options, params);
  result.stats.queue_s = std::chrono::duration<double>(params.queued).count();
  settings.scope = {grid.start_ms, end_ms, range ? grid.step_ms : 0};
  if (grid.count > settings.samples_max) {
    return Error(ErrorCode::kLimitExceeded,
                 "query processing would load too many samples into memory in query execution "
                 "(--query.max-samples=" + std::to_string(settings.samples_max) + ")");
  }
  VARVE_TRY_ASSIGN(const Plan plan,
                   Plan::create(*expr, settings.scope, settings.lookback_ms,
                                settings.default_subquery_step_ms, expression,
                                settings.level_reach));
  result.stats.parse_s = seconds_since(start, environment.clock);

  const std::chrono::nanoseconds eval_start = environment.clock.monotonic();
  QueryState state(settings, environment.clock, environment.pool, environment.memory,
                   params.canceled);
  if (params.samples_per_step != nullptr) state.count_by_step(grid.count);
  Evaluator evaluator(plan, state);
  std::unique_ptr<storage::Querier> querier;
  const auto pin = [&](const StepGrid& steps) -> Status {
    VARVE_TRY_ASSIGN(querier, storage.querier(plan.touched(*expr, steps)));
    state.set_querier(querier.get());
    return {};
  };
  const auto note_damage = [&] {
    for (const std::string& text : querier->warnings()) state.annotations().plain_warning(text);
  };
  const auto compute = [&](const StepGrid& steps) -> Result<StepMatrix> {
    VARVE_TRY(pin(steps));
    VARVE_TRY_ASSIGN(StepMatrix matrix, evaluate_steps(evaluator, *expr, steps));
    note_damage();
    return matrix;
  };
  VARVE_CHECK(params.cache == nullptr || params.samples_per_step == nullptr);
  const bool cached = range && grid.count > 1 && params.cache != nullptr && params.cache->enabled();
  if (!range) {
    VARVE_TRY(pin(grid));
    VARVE_TRY_ASSIGN(result.value, evaluate_instant(evaluator, *expr, grid));
    note_damage();
  } else if (grid.count == 0) {
    result.value = Matrix();
  } else if (cached && stepwise(*expr, settings.features)) {
    VARVE_TRY_ASSIGN(Matrix matrix,
                     evaluate_cached({*params.cache, storage, plan, *expr, state,
                                      cache_key(expression, settings)},
                                     grid, compute));
    sort_by_labels(matrix);
    result.value = std::move(matrix);
  } else {
    if (cached) params.cache->count(RangeCache::Outcome::kUncacheable, 0, 0);
    VARVE_TRY_ASSIGN(const StepMatrix matrix, compute(grid));
    result.value = to_matrix(matrix, grid);
  }
  VARVE_TRY(state.poll());
  const LevelNotes level_notes = state.take_level_notes();
  level_notes.report(state.annotations());
  result.stats.resolutions_ms = level_notes.resolutions_ms();
  if (level_notes.empty() && state.series_count() > 0) result.stats.resolutions_ms = {0};
  result.annotations = state.annotations().render(expression);
  result.stats.samples_total = state.samples_read();
  if (params.samples_per_step != nullptr) {
    *params.samples_per_step = {grid.start_ms, grid.step_ms, state.read_at_step()};
  }
  result.stats.samples_peak = state.samples_peak();
  result.stats.series_count = state.series_count();
  result.stats.eval_s = seconds_since(eval_start, environment.clock);
  return result;
}

}  // namespace

Engine::Engine(EngineOptions options, const base::Clock& clock, base::ThreadPool* pool,
               base::MemoryAccount* memory)
    : options_(std::move(options)),
      default_subquery_step_ms_(options_.default_subquery_step.count()),
      clock_(clock),
      pool_(pool),
      memory_(memory) {}
Engine::~Engine() = default;

Result<QueryResult> Engine::instant(const storage::Queryable& storage,
                                    std::string_view expression, Timestamp time_ms,
                                    const QueryParams& params) const {
  const std::chrono::nanoseconds began = clock_.monotonic();
  return logged(run({options_, default_subquery_step_ms_.load(), clock_, pool_, memory_}, storage,
                    expression, {{time_ms, 1, 1}, time_ms, false}, params),
                {expression, time_ms, time_ms, 0, params.origin}, began, params);
}

Result<QueryResult> Engine::range(const storage::Queryable& storage, std::string_view expression,
                                  Timestamp start_ms, Timestamp end_ms, std::int64_t step_ms,
                                  const QueryParams& params) const {
  StepGrid grid{start_ms, step_ms, 0};
  if (end_ms >= start_ms) {
    // Unsigned: the span of two int64 need not fit one.
    const auto span = static_cast<std::uint64_t>(end_ms) - static_cast<std::uint64_t>(start_ms);
    grid.count = static_cast<std::size_t>(span / static_cast<std::uint64_t>(step_ms)) + 1;
  }
  const std::chrono::nanoseconds began = clock_.monotonic();
  return logged(
      run({options_, default_subquery_step_ms_.load(), clock_, pool_, memory_}, storage, expression,
          {grid, end_ms, true}, params),
      {expression, start_ms, end_ms, step_ms, params.origin}, began, params);
}

Result<QueryResult> Engine::logged(Result<QueryResult> result, FinishedQuery query,
                                   std::chrono::nanoseconds began,
                                   const QueryParams& params) const {
  const std::shared_ptr<const QueryLog> log = log_.load();
  if (log == nullptr) return result;
  // What does not parse never was a query.
  if (!result.ok() && result.error().code() == ErrorCode::kInvalidArgument) return result;
  if (result.ok()) {
    query.stats = &result->stats;
  } else {
    query.error = &result.error();
  }
  query.total_s =
      seconds_since(began, clock_) + std::chrono::duration<double>(params.queued).count();
  (*log)(query);
  return result;
}

}  // namespace varve::promql
