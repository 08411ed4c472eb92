// SPDX-License-Identifier: Apache-2.0
// Live queries: a stream of events with the new points of queries, as they come to be.
#include "api/call.h"
#include "api/live_hub.h"
#include "api/live_request.h"
#include "api/routes.h"
#include "base/try.h"
#include "model/number.h"

namespace varve::api {
namespace {

// A browser's EventSource that comes back says which event it saw last; ours count in milliseconds.
void resume_from(std::string_view last_event_id, std::vector<LiveQuery>& queries) {
  const auto last_ms = model::parse_float(last_event_id);
  if (last_event_id.empty() || !last_ms || !(*last_ms >= 0 && *last_ms < 9e15)) return;
  for (LiveQuery& query : queries) {
    query.after_ms = query.step_at(static_cast<Timestamp>(*last_ms));
  }
}

void live(const CallPtr& call) {
  auto queries = parse_live_request(call->all_parameters());
  if (!queries.ok()) return call->fail(queries.error());
  call->exchange->drop_body();
  resume_from(call->request().header("Last-Event-ID"), *queries);
  auto response = call->live.subscribe(*call->storage, std::move(*queries));
  if (!response.ok()) return call->fail(response.error());
  call->exchange->send(std::move(*response));
}

// POST for expressions that are too long for a URL.
constexpr Route kRoutes[] = {{"GET,POST", "/api/v1/live", Kind::kShared, live}};

}  // namespace

std::span<const Route> live_routes() { return kRoutes; }

}  // namespace varve::api
