// SPDX-License-Identifier: Apache-2.0
// /-/ and /metrics: is it alive, is it ready, reload, quit, and how it is doing.
#include <fmt/format.h>

#include "api/call.h"
#include "api/routes.h"
#include "base/metrics.h"

namespace varve::api {
namespace {

void healthy(const CallPtr& call) { call->text(200, "Varve is Healthy.\n"); }

void ready(const CallPtr& call) {
  if (call->storage == nullptr) {
    return call->text(503, "Service Unavailable: the write-ahead log is being replayed\n");
  }
  call->text(200, "Varve is Ready.\n");
}

bool lifecycle_allowed(const CallPtr& call) {
  if (call->options.enable_lifecycle) return true;
  call->text(403, "Lifecycle API is not enabled: start Varve with --web.enable-lifecycle.\n");
  return false;
}

void reload(const CallPtr& call) {
  if (!lifecycle_allowed(call)) return;
  const Status status = call->services.reload();
  if (!status.ok()) {
    return call->text(500, fmt::format("failed to reload config: {}\n", status.error().message()));
  }
  call->text(200, "");
}

void quit(const CallPtr& call) {
  if (!lifecycle_allowed(call)) return;
  call->text(200, "Requesting termination... Goodbye!");
  call->services.quit();
}

void wrong_method(const CallPtr& call) {
  if (lifecycle_allowed(call)) call->text(405, "Only POST or PUT requests allowed\n");
}

void metrics(const CallPtr& call) {
  http::Response response;
  response.headers.emplace_back("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  response.body = call->services.metrics->render();
  call->exchange->send(std::move(response));
}

constexpr Route kRoutes[] = {
    {"GET", "/-/healthy", Kind::kInline, healthy},
    {"GET", "/-/ready", Kind::kInline, ready},
    {"POST,PUT", "/-/reload", Kind::kWorker, reload},
    {"POST,PUT", "/-/quit", Kind::kInline, quit},
    {"GET", "/-/reload", Kind::kInline, wrong_method},
    {"GET", "/-/quit", Kind::kInline, wrong_method},
    {"GET", "/metrics", Kind::kInline, metrics},
};

}  // namespace

std::span<const Route> lifecycle_routes() { return kRoutes; }

}  // namespace varve::api
