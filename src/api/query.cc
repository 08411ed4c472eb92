// SPDX-License-Identifier: Apache-2.0
// Queries: instant, range, and what explains them.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "api/call.h"
#include "api/json.h"
#include "api/result_json.h"
#include "api/routes.h"
#include "api/single_flight.h"
#include "base/ascii_case.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/try.h"
#include "model/duration.h"
#include "model/number.h"
#include "promql/engine.h"
#include "promql/parser.h"
#include "storage/db.h"

namespace varve::api {
namespace {

// Prometheus's bound on points per series of a range query.
constexpr std::int64_t kPointsMax = 11'000;

// What the evaluation of a query knows besides its parameters.
struct Turn {
  std::chrono::nanoseconds queued{0};
  std::function<bool()> canceled;
  promql::StepSamples* samples_per_step = nullptr;  // null: need not be counted
};

promql::QueryOrigin origin_of(const Call& call) {
  const http::Request& request = call.request();
  std::string client = request.remote_address.substr(0, request.remote_address.rfind(':'));
  if (client.starts_with('[')) client = client.substr(1, client.size() - 2);
  promql::QueryOrigin origin;
  origin.client_ip = std::move(client);
  origin.method = request.method;
  origin.path = request.path;
  return origin;
}

// What may answer where samples are gone, as Thanos calls it: raw, auto, or the coarsest resolution
// of downsampled data as a duration. By default whatever there is.
Result<std::int64_t> max_source_resolution(const Call& call) {
  constexpr std::string_view kName = "max_source_resolution";
  const std::string_view text = call.parameter(kName);
  if (text.empty() || text == "auto") return storage::kSourceAuto;
  if (text == "raw") return storage::kSourceRaw;
  const Result<std::int64_t> resolution_ms = call.duration_parameter(kName);
  if (!resolution_ms.ok() || *resolution_ms < 0) {
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("invalid parameter \"max_source_resolution\": \"{}\" is none; write raw, "
                    "auto or the coarsest resolution, as 5m",
                    text));
  }
  return *resolution_ms;  // 0: raw
}

Result<promql::QueryParams> query_params(const Call& call, const Turn& turn) {
  promql::QueryParams params;
  params.queued = turn.queued;
  params.canceled = turn.canceled;
  params.samples_per_step = turn.samples_per_step;
  if (call.has_parameter("timeout")) {
    VARVE_TRY_ASSIGN(const std::int64_t timeout_ms, call.duration_parameter("timeout"));
    // None at all, or less than a millisecond, is over before it begins.
    params.timeout = std::chrono::milliseconds(timeout_ms > 0 ? timeout_ms : -1);
  }
  if (call.has_parameter("lookback_delta")) {
    auto lookback_ms = call.duration_parameter("lookback_delta");
    if (!lookback_ms.ok()) {
      return Error(ErrorCode::kInvalidArgument,
                   "error parsing lookback delta duration: " + lookback_ms.error().message());
    }
    params.lookback_delta = std::chrono::milliseconds(*lookback_ms);
  }
  VARVE_TRY_ASSIGN(params.max_source_resolution_ms, max_source_resolution(call));
  return params;
}

// Whether a Cache-Control header has a directive; their names know no case (RFC 9111, 5.2).
bool has_directive(std::string_view header, std::string_view name) {
  const auto same = [](char a, char b) { return base::ascii_lower(a) == b; };
  return std::search(header.begin(), header.end(), name.begin(), name.end(), same) != header.end();
}

// The client wants what storage has now, computed for it alone.
bool wants_fresh(const Call& call) {
  return call.parameter("nocache") == "1" ||
         has_directive(call.request().header("Cache-Control"), "no-store");
}

StatsDetail stats_detail(const Call& call) {
  return call.has_parameter("stats") ? StatsDetail::kBasic : StatsDetail::kNone;
}

bool wants_steps(const Call& call) {
  return call.parameter("stats") == "all" &&
         call.services.engine->options().features.per_step_stats;
}

Result<QueryResult> run_instant(const Call& call, const Turn& turn) {
  VARVE_TRY_ASSIGN(const Moment time,
                   call.time_parameter("time", Moment::of(call.services.clock->now_ms())));
  VARVE_TRY_ASSIGN(promql::QueryParams params, query_params(call, turn));
  const promql::QueryOrigin origin = origin_of(call);
  params.origin = &origin;
  auto result = call.services.engine->instant(*call.storage, call.parameter("query"),
                                              time.query_ms(), params);
  if (!result.ok() && result.error().code() == ErrorCode::kInvalidArgument) {
    return std::move(result).error().with("invalid parameter \"query\"");
  }
  return result;
}

Result<QueryResult> run_range(const Call& call, const Turn& turn) {
  VARVE_TRY_ASSIGN(const Moment start, call.time_parameter("start", std::nullopt));
  VARVE_TRY_ASSIGN(const Moment end, call.time_parameter("end", std::nullopt));
  const auto invalid = [](std::string text) {
    return Error(ErrorCode::kInvalidArgument, std::move(text));
  };
  if (end < start) {
    return invalid("invalid parameter \"end\": end timestamp must not be before start time");
  }
  VARVE_TRY_ASSIGN(const std::int64_t step_ms, call.duration_parameter("step"));
  const bool below_millisecond =
      step_ms == 0 && model::parse_float(call.parameter("step")).value_or(0) > 0;
  const std::int64_t step = below_millisecond ? 1 : step_ms;
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
  if (below_millisecond) {
    return Error(ErrorCode::kExecution,
                 "query resolution steps below a millisecond are not supported");
  }
  VARVE_TRY_ASSIGN(promql::QueryParams params, query_params(call, turn));
  // Statistics are about computing the whole.
  if (!wants_fresh(call) && stats_detail(call) == StatsDetail::kNone) {
    params.cache = call.services.range_cache;
  }
  const promql::QueryOrigin origin = origin_of(call);
  params.origin = &origin;
  auto result = call.services.engine->range(*call.storage, call.parameter("query"),
                                            start.query_ms(), end.query_ms(), step, params);
  if (!result.ok() && result.error().code() == ErrorCode::kInvalidArgument) {
    return std::move(result).error().with("invalid parameter \"query\"");
  }
  return result;
}

using Evaluate = Result<QueryResult> (*)(const Call& call, const Turn& turn);

// For QueryQueue: a panel asks the same every time, of another time. What range it asks for shows
// in the step.
std::uint64_t kind_of(const Call& call) {
  const std::hash<std::string_view> hash;
  std::uint64_t kind = hash(call.request().path);
  for (const std::string_view name : {"query", "step"}) {
    kind = kind * 0x9e3779b97f4a7c15 + hash(call.parameter(name));
  }
  return kind;
}

// Equal for queries that have one result: all parameters as they were given, but for `limit`, which
// is about the answer. "" for those that want an evaluation of their own.
std::string flight_key(const Call& call) {
  if (wants_fresh(call) || wants_steps(call)) return {};
  std::string key = call.request().path;
  for (const std::string_view name :
       {"query", "time", "start", "end", "step", "timeout", "lookback_delta",
        "max_source_resolution", "stats"}) {
    // Lengths make it unambiguous.
    const std::string_view value = call.parameter(name);
    key += fmt::format(";{}:{}", value.size(), value);
  }
  // Without a time an instant query is about now.
  if (call.request().path.ends_with("/query") && call.parameter("time").empty()) {
    key += fmt::format(";{}", call.services.clock->now_ms());
  }
  return key;
}

std::chrono::milliseconds timeout_of(const Call& call) {
  const std::chrono::milliseconds longest = call.services.engine->options().timeout;
  const auto params = query_params(call, {});
  if (!params.ok() || params->timeout.count() <= 0) return longest;
  return std::min(longest, params->timeout);
}

void observe(base::MetricsRegistry& metrics, std::string_view slice, double seconds) {
  static const std::vector<double> kBounds{0.001, 0.01, 0.1, 1, 10, 100};
  metrics
      .histogram("prometheus_engine_query_duration_seconds", "Query timings.", kBounds,
                 {{"slice", std::string(slice)}})
      .observe(seconds);
}

// A flight comes to its end whatever happens: memory may run out (bad_alloc) while it is evaluated,
// and nobody could join or be answered any more.
struct Landing {
  SingleFlight& flights;
  const SingleFlight::FlightPtr& flight;
  base::Gauge& queries;
  Result<QueryResult> result = Error(ErrorCode::kInternal, "the evaluation broke off");
  ~Landing() {
    queries.add(-1);
    flights.finish(flight, std::move(result));
  }
};

// Joins an identical query under way, or waits for a turn and evaluates for all who join meanwhile.
void share(const CallPtr& call, Evaluate evaluate) {
  const auto limit = call->limit_parameter();
  if (!limit.ok()) return call->fail(limit.error());
  base::MetricsRegistry& metrics = *call->services.metrics;
  const auto gone = [exchange = call->exchange] { return exchange->client_gone(); };
  const auto steps = wants_steps(*call) ? std::make_shared<promql::StepSamples>() : nullptr;
  const auto deliver = [call, size = *limit, steps](const SingleFlight::Outcome& outcome) {
    if (!outcome->ok()) return call->fail(outcome->error());
    call->exchange->send(
        query_response({outcome, &outcome->value()}, size, stats_detail(*call), steps));
  };
  const SingleFlight::FlightPtr flight = call->flights.join(flight_key(*call), {gone, deliver});
  if (!flight) {
    metrics
        .counter("varve_queries_shared_total",
                 "Queries answered with the result of an identical one that was under way.")
        .add();
    return;
  }
  base::Gauge& queries = metrics.gauge("prometheus_engine_queries",
                                       "The current number of queries being executed or waiting.");
  queries.add(1);
  const auto canceled = [call, flight] { return call->flights.abandoned(flight); };
  call->queue.submit({call->services.clock->monotonic() + timeout_of(*call), canceled,
                      [call, flight, evaluate, canceled, steps, &queries,
                       &metrics](std::chrono::nanoseconds waited) {
                        Landing landing{call->flights, flight, queries};
                        landing.result = evaluate(*call, {waited, canceled, steps.get()});
                        if (!landing.result.ok()) return;
                        const QueryStats& stats = landing.result->stats;
                        observe(metrics, "queue_time", stats.queue_s);
                        observe(metrics, "prepare_time", stats.parse_s);
                        observe(metrics, "inner_eval", stats.eval_s);
                      },
                      [call, flight, &queries](Error error) {
                        queries.add(-1);
                        call->flights.finish(flight, std::move(error));
                      },
                      kind_of(*call)},
                     call->runner());
}

void query(const CallPtr& call) { share(call, run_instant); }

void query_range(const CallPtr& call) { share(call, run_range); }

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
  const auto watch = call->watch_matching();
  const auto found = call->storage->exemplars(selectors, {start->ms(), end->ms()});
  if (watch->stopped()) {
    return call->fail(ErrorType::kTimeout,
                      "the search for series took longer than a query may (--query.timeout)");
  }
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
    {"GET,POST", "/api/v1/query", Kind::kShared, query},
    {"GET,POST", "/api/v1/query_range", Kind::kShared, query_range},
    {"GET,POST", "/api/v1/query_exemplars", Kind::kQuery, query_exemplars},
    {"GET,POST", "/api/v1/format_query", Kind::kWorker, format_query},
};

}  // namespace

std::span<const Route> query_routes() { return kRoutes; }

}  // namespace varve::api
