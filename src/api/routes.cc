// SPDX-License-Identifier: Apache-2.0
#include "api/routes.h"

namespace varve::api {
namespace {

bool has_method(std::string_view methods, std::string_view method) {
  while (!methods.empty()) {
    const std::size_t comma = methods.find(',');
    if (methods.substr(0, comma) == method) return true;
    if (comma == std::string_view::npos) return false;
    methods.remove_prefix(comma + 1);
  }
  return false;
}

std::string_view take_segment(std::string_view& path) {
  const std::size_t slash = path.find('/', 1);
  const std::string_view segment = path.substr(0, slash);
  path = slash == std::string_view::npos ? std::string_view() : path.substr(slash);
  return segment;  // with its leading slash
}

bool matches(std::string_view pattern, std::string_view path, std::vector<std::string>& values) {
  values.clear();
  while (!pattern.empty() && !path.empty()) {
    const std::string_view wanted = take_segment(pattern);
    const std::string_view got = take_segment(path);
    if (wanted == "/:") {
      if (got.size() <= 1) return false;
      values.emplace_back(got.substr(1));
    } else if (wanted != got) {
      return false;
    }
  }
  return pattern.empty() && path.empty();
}

}  // namespace

std::span<const Route> routes() {
  static const std::vector<Route> all = [] {
    std::vector<Route> table;
    for (const auto part : {write_routes(), federate_routes(), query_routes(), parse_query_routes(),
                            live_routes(), series_routes(), status_routes(), cardinality_routes(),
                            target_routes(), rule_routes(), lifecycle_routes(), admin_routes(),
                            hold_routes(), page_routes(), dashboard_routes()}) {
      table.insert(table.end(), part.begin(), part.end());
    }
    return table;
  }();
  return all;
}

RouteMatch find_route(std::string_view method, std::string_view path) {
  RouteMatch match;
  std::vector<std::string> values;
  for (const Route& route : routes()) {
    if (!matches(route.pattern, path, values)) continue;
    match.path_known = true;
    // HEAD is GET whose body the server leaves out.
    if (has_method(route.methods, method) ||
        (method == "HEAD" && has_method(route.methods, "GET"))) {
      match.route = &route;
      match.values = std::move(values);
      return match;
    }
  }
  return match;
}

}  // namespace varve::api
