// SPDX-License-Identifier: Apache-2.0
// /api/v1/status/cardinality: what the series of a time range consist of, and what grew since
// another. Prometheus's status/tsdb counts the head as it is now; this one counts any range, head
// and blocks.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "api/call.h"
#include "api/cardinality_count.h"
#include "api/json.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/try.h"
#include "promql/engine.h"
#include "promql/query_memory.h"
#include "storage/db.h"

namespace varve::api {
namespace {

constexpr std::size_t kLimitMax = 10'000;
constexpr std::int64_t kDayMs = 86'400'000;

Error invalid(std::string_view parameter, std::string_view why) {
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("invalid parameter \"{}\": {}", parameter, why));
}

Result<CardinalityQuery> read_query(const Call& call) {
  CardinalityQuery query;
  const Timestamp now_ms = call.services.clock->now_ms();
  VARVE_TRY_ASSIGN(const Moment end, call.time_parameter("end", Moment::of(now_ms)));
  query.range.max_ms = end.ms();
  // The earliest time there is has no day before it.
  constexpr Timestamp kEarliest = std::numeric_limits<Timestamp>::min();
  const Timestamp day_before_ms = std::max(query.range.max_ms, kEarliest + kDayMs) - kDayMs;
  VARVE_TRY_ASSIGN(const Moment start, call.time_parameter("start", Moment::of(day_before_ms)));
  query.range.min_ms = start.ms();
  if (query.range.empty()) return invalid("end", "it is before start");
  if (call.has_parameter("compare_start") != call.has_parameter("compare_end")) {
    return invalid("compare_start", "compare_start and compare_end go together");
  }
  if (call.has_parameter("compare_start")) {
    VARVE_TRY_ASSIGN(const Moment from, call.time_parameter("compare_start", std::nullopt));
    VARVE_TRY_ASSIGN(const Moment to, call.time_parameter("compare_end", std::nullopt));
    query.before = TimeRange{from.ms(), to.ms()};
    if (query.before->empty()) return invalid("compare_end", "it is before compare_start");
  }
  VARVE_TRY_ASSIGN(const std::vector<model::Matchers> selectors, call.match_parameters());
  if (selectors.size() > 1) return invalid("match[]", "only one selector can be counted at a time");
  if (selectors.empty()) {
    VARVE_TRY_ASSIGN(model::Matcher any,
                     model::Matcher::create(model::MatchType::kNotEqual, "__name__", ""));
    query.matchers.push_back(std::move(any));
  } else {
    query.matchers = selectors.front();
  }
  VARVE_TRY_ASSIGN(const std::size_t limit, call.limit_parameter());
  if (limit > kLimitMax) return invalid("limit", fmt::format("it is above {}", kLimitMax));
  if (limit > 0) query.limit = limit;
  const std::string_view sort = call.parameter("sort");
  if (!sort.empty() && sort != "count" && sort != "growth") {
    return invalid("sort", "it is neither count nor growth");
  }
  query.by_growth = sort == "growth" && query.before;
  return query;
}

void append_range(std::string& json, std::string_view key, TimeRange range) {
  json += fmt::format("\"{}\":{{\"start\":", key);
  append_json_time(json, range.min_ms);
  json += ",\"end\":";
  append_json_time(json, range.max_ms);
  json += "},";
}

enum class EntryKind : std::uint8_t { kMetric, kLabel, kPair };

void append_entries(std::string& json, std::string_view key,
                    const std::vector<CardinalityEntry>& entries, EntryKind kind, bool compared) {
  json += fmt::format(",\"{}\":[", key);
  for (const CardinalityEntry& entry : entries) {
    json += json.back() == '[' ? "{\"name\":" : ",{\"name\":";
    if (kind == EntryKind::kPair) {
      append_json_string(json, entry.name + '=' + entry.value);
      json += ",\"label\":";
      append_json_string(json, entry.name);
      json += ",\"labelValue\":";
      append_json_string(json, entry.value);
    } else {
      append_json_string(json, entry.name);
    }
    json += fmt::format(",\"value\":{}", entry.count);
    if (compared) json += fmt::format(",\"before\":{}", entry.before);
    if (compared && kind == EntryKind::kMetric) json += fmt::format(",\"new\":{}", entry.fresh);
    json += '}';
  }
  json += ']';
}

void cardinality(const CallPtr& call) {
  auto query = read_query(*call);
  if (!query.ok()) return call->fail(query.error());
  const auto until = call->services.clock->monotonic() + call->services.engine->options().timeout;
  query->interrupt = [&]() -> Status {
    if (call->exchange->client_gone()) return Error(ErrorCode::kCanceled, "the client has gone");
    if (call->services.clock->monotonic() < until) return {};
    return Error(ErrorCode::kTimeout,
                 "counting took longer than a query may: narrow it by match[] or a shorter range");
  };
  const auto watch = call->watch_matching();
  // What the counting held is given back before anybody sees the answer.
  const auto counted = [&] {
    promql::QueryMemory memory(call->services.query_memory,
                               call->services.engine->options().memory_max_bytes);
    query->memory = &memory;
    return count_cardinality(*call->storage, *query);
  }();
  if (watch->stopped()) {
    return call->fail(ErrorType::kTimeout,
                      "the search for series took longer than a query may (--query.timeout)");
  }
  if (!counted.ok()) return call->fail(counted.error());
  const bool compared = query->before.has_value();
  std::string json = "{";
  append_range(json, "range", query->range);
  if (compared) append_range(json, "compared", *query->before);
  json += fmt::format("\"series\":{{\"value\":{}", counted->series);
  if (compared) {
    json += fmt::format(",\"before\":{},\"new\":{},\"gone\":{}", counted->series_before,
                        counted->fresh, counted->gone);
  }
  json += '}';
  append_entries(json, "seriesCountByMetricName", counted->by_metric, EntryKind::kMetric, compared);
  append_entries(json, "labelValueCountByLabelName", counted->by_label, EntryKind::kLabel,
                 compared);
  append_entries(json, "seriesCountByLabelValuePair", counted->by_pair, EntryKind::kPair, compared);
  json += '}';
  Annotations annotations;
  annotations.warnings = counted->warnings;
  call->succeed(std::move(json), annotations);
}

constexpr Route kRoutes[] = {
    {"GET", "/api/v1/status/cardinality", Kind::kQuery, cardinality},
};

}  // namespace

std::span<const Route> cardinality_routes() { return kRoutes; }

}  // namespace varve::api
