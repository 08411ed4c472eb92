// SPDX-License-Identifier: Apache-2.0
// A query's result as streamed JSON: one piece of about 64 KiB at a time, so that the text of a
// large answer is never in memory as a whole.
#pragma once

#include <memory>
#include <string>

#include "http/server.h"
#include "promql/engine.h"
#include "varve/query.h"

namespace varve::api {

// How much of QueryStats goes into the answer.
enum class StatsDetail : std::uint8_t { kNone, kBasic };

// The complete response ({"status":"success","data":{"resultType":…}}); keeps the result alive. Of
// a list no more than `limit` series, with a warning if that cut something; 0: all. `steps`, if
// there, goes into the statistics.
http::Response query_response(std::shared_ptr<const QueryResult> result, std::size_t limit,
                              StatsDetail stats,
                              std::shared_ptr<const promql::StepSamples> steps = nullptr);

}  // namespace varve::api
