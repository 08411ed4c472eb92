// SPDX-License-Identifier: Apache-2.0
// /api/v1/dashboards: the dashboards people keep. Ours, not Prometheus's; the envelope is the same.
#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "api/call.h"
#include "api/routes.h"
#include "dashboards/store.h"

namespace varve::api {
namespace {

dashboards::Store* store_of(const CallPtr& call) {
  dashboards::Store* store = call->services.dashboards ? call->services.dashboards() : nullptr;
  if (store == nullptr) call->fail(ErrorType::kUnavailable, "Service Unavailable: starting");
  return store;
}

// "host:port" of a URL; "" if it is none.
std::string_view authority_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  url.remove_prefix(scheme + 3);
  return url.substr(0, url.find('/'));
}

// Pages of other sites may read what CORS lets them, and change nothing here. Behind a proxy our
// own pages are those of the external URL, whatever Host the proxy sends.
bool from_elsewhere(const CallPtr& call) {
  const std::string_view origin = authority_of(call->request().header("Origin"));
  if (origin.empty() || origin == call->request().header("Host")) return false;
  if (origin == authority_of(call->options.external_url)) return false;
  call->text(403, "dashboards are only changed from this server's own pages\n");
  return true;
}

// A conflict is answered with what is kept, so that the page can show what changed.
void fail(const CallPtr& call, const Error& error, std::string_view id) {
  if (error.code() != ErrorCode::kAlreadyExists) return call->fail(error);
  const auto current = call->services.dashboards()->get(id);
  http::Response response;
  response.status = 409;
  response.headers.emplace_back("Content-Type", "application/json");
  response.body = fmt::format(
      R"({{"status":"error","errorType":"conflict","error":{},"data":{}}})",
      nlohmann::json(error.message()).dump(), current.ok() ? current->json : "null");
  call->exchange->send(std::move(response));
}

void list(const CallPtr& call) {
  dashboards::Store* store = store_of(call);
  if (store == nullptr) return;
  nlohmann::json all = nlohmann::json::array();
  for (const dashboards::Listed& listed : store->list()) {
    all.push_back({{"id", listed.id},
                   {"title", listed.title},
                   {"tags", listed.tags},
                   {"version", listed.version},
                   {"provisioned", listed.provisioned}});
  }
  call->succeed(all.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void get(const CallPtr& call) {
  dashboards::Store* store = store_of(call);
  if (store == nullptr) return;
  std::uint64_t version = 0;
  const std::string_view text = call->parameter("version");
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (!text.empty() && (error != std::errc() || end != text.data() + text.size())) {
    return call->fail(ErrorType::kBadData, fmt::format("invalid parameter \"version\": {}", text));
  }
  const auto document = store->get(call->path_values.front(), version);
  if (!document.ok()) return call->fail(document.error());
  call->succeed(document->json);
}

void versions(const CallPtr& call) {
  dashboards::Store* store = store_of(call);
  if (store == nullptr) return;
  const auto all = store->versions(call->path_values.front());
  if (!all.ok()) return call->fail(all.error());
  call->succeed(nlohmann::json(*all).dump());
}

void create(const CallPtr& call) {
  if (from_elsewhere(call)) return;
  dashboards::Store* store = store_of(call);
  if (store == nullptr) return;
  const auto document = store->create(call->request().body);
  if (!document.ok()) return call->fail(document.error());
  call->succeed(document->json);
}

void update(const CallPtr& call) {
  if (from_elsewhere(call)) return;
  dashboards::Store* store = store_of(call);
  if (store == nullptr) return;
  const std::string& id = call->path_values.front();
  const auto document = store->update(id, call->request().body);
  if (!document.ok()) return fail(call, document.error(), id);
  call->succeed(document->json);
}

void remove(const CallPtr& call) {
  if (from_elsewhere(call)) return;
  dashboards::Store* store = store_of(call);
  if (store == nullptr) return;
  const Status status = store->remove(call->path_values.front());
  if (!status.ok()) return call->fail(status.error());
  call->succeed("null");
}

constexpr Route kRoutes[] = {
    {"GET", "/api/v1/dashboards", Kind::kWorker, list},
    {"POST", "/api/v1/dashboards", Kind::kWorker, create},
    {"GET", "/api/v1/dashboards/:", Kind::kWorker, get},
    {"PUT", "/api/v1/dashboards/:", Kind::kWorker, update},
    {"DELETE", "/api/v1/dashboards/:", Kind::kWorker, remove},
    {"GET", "/api/v1/dashboards/:/versions", Kind::kWorker, versions},
};

}  // namespace

std::span<const Route> dashboard_routes() { return kRoutes; }

}  // namespace varve::api
