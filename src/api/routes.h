// SPDX-License-Identifier: Apache-2.0
// The route table: which method and path leads to which endpoint.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/call.h"

namespace varve::api {

using Endpoint = void (*)(const CallPtr& call);

// Where an endpoint runs and what it needs.
enum class Kind : std::uint8_t {
  kInline,   // on the I/O thread, at once
  kQuery,    // on the query pool, needs storage
  kStorage,  // on the I/O thread, needs storage
  kWorker,   // on the query pool, works without storage
  kShared,   // on the I/O thread with parameters parsed, needs storage; goes to the pool itself
};

struct Route {
  std::string_view methods;  // "GET", or several: "GET,POST"
  std::string_view pattern;  // a segment of ":" matches any one segment
  Kind kind;
  Endpoint endpoint;
};

// All routes, from the families' own tables below.
std::span<const Route> routes();

struct RouteMatch {
  const Route* route = nullptr;
  std::vector<std::string> values;  // what ":" segments matched
  bool path_known = false;          // some route has this path with another method
};
RouteMatch find_route(std::string_view method, std::string_view path);

// One table per file of endpoints.
std::span<const Route> write_routes();
std::span<const Route> admin_routes();
std::span<const Route> hold_routes();
std::span<const Route> federate_routes();
std::span<const Route> query_routes();
std::span<const Route> parse_query_routes();
std::span<const Route> live_routes();
std::span<const Route> series_routes();
std::span<const Route> status_routes();
std::span<const Route> cardinality_routes();
std::span<const Route> target_routes();
std::span<const Route> rule_routes();
std::span<const Route> lifecycle_routes();
std::span<const Route> page_routes();
std::span<const Route> dashboard_routes();

}  // namespace varve::api
