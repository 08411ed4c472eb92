// SPDX-License-Identifier: Apache-2.0
// Queries: instant, range, and what explains them.
#include <fmt/format.h>

#include "api/call.h"
#include "api/json.h"
#include "api/result_json.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/try.h"
#include "model/duration.h"
#include "promql/engine.h"
#include "promql/parser.h"
#include "storage/db.h"

namespace varve::api {
namespace {

// Prometheus's bound on points per series of a range query.
constexpr std::int64_t kPointsMax = 11'000;

Result<promql::QueryParams> query_params(const Call& call) {
  promql::QueryParams params;
  if (call.has_parameter("timeout")) {
    VARVE_TRY_ASSIGN(const std::int64_t timeout_ms, call.duration_parameter("timeout"));
    params.timeout = std::chrono::milliseconds(std::max<std::int64_t>(timeout_ms, 1));
  }
  if (call.has_parameter("lookback_delta")) {
    auto lookback_ms = call.duration_parameter("lookback_delta");
    if (!lookback_ms.ok()) {
      return Error(ErrorCode::kInvalidArgument,
                   "error parsing lookback delta duration: " + lookback_ms.error().message());
    }
    params.lookback_delta = std::chrono::milliseconds(*lookback_ms);
  }
  params.canceled = [exchange = call.exchange] { return exchange->client_gone(); };
  return params;
}

StatsDetail stats_detail(const Call& call) {
  return call.has_parameter("stats") ? StatsDetail::kBasic : StatsDetail::kNone;
}

// Keeps the first `limit` series.
void truncate(QueryResult& result, std::size_t limit) {
  if (limit == 0) return;
  const auto cut = [&](auto& list) {
    if (list.size() <= limit) return;
    list.resize(limit);
    result.annotations.warnings.emplace_back(kTruncatedWarning);
  };
  if (auto* vector = std::get_if<Vector>(&result.value)) cut(*vector);
  if (auto* matrix = std::get_if<Matrix>(&result.value)) cut(*matrix);
}

void answer(const Call& call, Result<QueryResult> result, std::size_t limit) {
  if (!result.ok()) return call.fail(result.error());
  truncate(*result, limit);
  call.exchange->send(query_response(std::move(result).value(), stats_detail(call)));
}

Result<QueryResult> run_instant(const Call& call, std::size_t& limit) {
  VARVE_TRY_ASSIGN(limit, call.limit_parameter());
  VARVE_TRY_ASSIGN(const Moment time,
                   call.time_parameter("time", Moment::of(call.services.clock->now_ms())));
  VARVE_TRY_ASSIGN(const promql::QueryParams params, query_params(call));
  auto result =
      call.services.engine->instant(*call.storage, call.parameter("query"), time.query_ms(), params);
  if (!result.ok() && result.error().code() == ErrorCode::kInvalidArgument) {
    return std::move(result).error().with("invalid parameter \"query\"");
  }
  return result;
}

Result<QueryResult> run_range(const Call& call, std::size_t& limit) {
  VARVE_TRY_ASSIGN(limit, call.limit_parameter());
  VARVE_TRY_ASSIGN(const Moment start, call.time_parameter("start", std::nullopt));
  VARVE_TRY_ASSIGN(const Moment end, call.time_parameter("end", std::nullopt));
  const auto invalid = [](std::string text) {
    return Error(ErrorCode::kInvalidArgument, std::move(text));
  };
  if (end < start) {
    return invalid("invalid parameter \"end\": end timestamp must not be before start time");
  }
  VARVE_TRY_ASSIGN(const std::int64_t step, call.duration_parameter("step"));
  if (step <= 0) {
    return invalid(
        "invalid parameter \"step\": zero or negative query resolution step widths are not "
        "accepted. Try a positive integer");
  }
  if (nanos_between(start, end) / 1'000'000 / step > kPointsMax) {
    return invalid(
        "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query "
        "resolution (?step=XX)");
  }
  VARVE_TRY_ASSIGN(const promql::QueryParams params, query_params(call));
  auto result = call.services.engine->range(*call.storage, call.parameter("query"),
                                            start.query_ms(), end.query_ms(), step, params);
  if (!result.ok() && result.error().code() == ErrorCode::kInvalidArgument) {
    return std::move(result).error().with("invalid parameter \"query\"");
  }
  return result;
}

void query(const CallPtr& call) {
  std::size_t limit = 0;
  auto result = run_instant(*call, limit);
  answer(*call, std::move(result), limit);
}

void query_range(const CallPtr& call) {
  std::size_t limit = 0;
  auto result = run_range(*call, limit);
  answer(*call, std::move(result), limit);
}

void format_query(const CallPtr& call) {
  auto expression =
      promql::parse(call->parameter("query"), call->services.engine->options().features);
  if (!expression.ok()) {
    return call->fail(std::move(expression).error().with("invalid parameter \"query\""));
  }
  std::string json;
  append_json_string(json, promql::pretty(**expression));
  call->succeed(std::move(json));
}

// The matchers of every selector of an expression.
void collect_selectors(const promql::Expr& expr, std::vector<model::Matchers>& out) {
  using promql::as;
  using promql::ExprKind;
  const auto descend = [&out](const promql::ExprPtr& child) {
    if (child) collect_selectors(*child, out);
  };
  switch (expr.kind()) {
    case ExprKind::kNumber:
    case ExprKind::kString: return;
    case ExprKind::kVectorSelector:
      out.push_back(as<promql::VectorSelector>(expr).matchers);
      return;
    case ExprKind::kMatrixSelector:
      out.push_back(as<promql::MatrixSelector>(expr).selector->matchers);
      return;
    case ExprKind::kSubquery: return descend(as<promql::Subquery>(expr).operand);
    case ExprKind::kCall:
      for (const auto& argument : as<promql::Call>(expr).args) descend(argument);
      return;
    case ExprKind::kAggregate:
      descend(as<promql::Aggregate>(expr).param);
      return descend(as<promql::Aggregate>(expr).operand);
    case ExprKind::kBinary:
      descend(as<promql::Binary>(expr).lhs);
      return descend(as<promql::Binary>(expr).rhs);
    case ExprKind::kUnary: return descend(as<promql::Unary>(expr).operand);
    case ExprKind::kParen: return descend(as<promql::Paren>(expr).inner);
  }
}

void query_exemplars(const CallPtr& call) {
  const auto start = call->time_parameter("start", Moment::earliest());
  if (!start.ok()) return call->fail(start.error());
  const auto end = call->time_parameter("end", Moment::latest());
  if (!end.ok()) return call->fail(end.error());
  if (*end < *start) {
    return call->fail(ErrorType::kBadData, "end timestamp must not be before start timestamp");
  }
  const auto expression =
      promql::parse(call->parameter("query"), call->services.engine->options().features);
  if (!expression.ok()) {
    return call->fail(Error(expression.error()).with("invalid parameter \"query\""));
  }
  std::vector<model::Matchers> selectors;
  collect_selectors(**expression, selectors);
  const auto found = call->storage->exemplars(selectors, {start->ms(), end->ms()});
  if (!found.ok()) return call->fail(found.error());
  std::string json = "[";
  for (const storage::SeriesExemplars& series : *found) {
    if (json.size() > 1) json += ',';
    json += "{\"seriesLabels\":";
    append_json_labels(json, series.series);
    json += ",\"exemplars\":[";
    bool first = true;
    for (const storage::ExemplarPoint& exemplar : series.exemplars) {
      if (!first) json += ',';
      first = false;
      json += "{\"labels\":";
      append_json_labels(json, exemplar.labels);
      json += ",\"value\":";
      append_json_value(json, exemplar.value);
      json += ",\"timestamp\":";
      append_json_time(json, exemplar.timestamp_ms);
      json += '}';
    }
    json += "]}";
  }
  json += ']';
  call->succeed(std::move(json));
}

constexpr Route kRoutes[] = {
    {"GET,POST", "/api/v1/query", Kind::kQuery, query},
    {"GET,POST", "/api/v1/query_range", Kind::kQuery, query_range},
    {"GET,POST", "/api/v1/query_exemplars", Kind::kQuery, query_exemplars},
    {"GET,POST", "/api/v1/format_query", Kind::kWorker, format_query},
};

}  // namespace

std::span<const Route> query_routes() { return kRoutes; }

}  // namespace varve::api
