// SPDX-License-Identifier: Apache-2.0
#include "api/api.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <chrono>
#include <map>
#include <mutex>

#include "api/call.h"
#include "api/live_hub.h"
#include "api/query_queue.h"
#include "api/routes.h"
#include "api/single_flight.h"
#include "api/write_counters.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/thread_pool.h"
#include "promql/engine.h"

namespace varve::api {
namespace {

// Prometheus's prometheus_http_request_duration_seconds buckets.
const std::vector<double> kDurationBounds{0.1, 0.2, 0.4, 1, 3, 8, 20, 60, 120};

// Counts a request when it is answered, and adds what every answer carries.
class CountedExchange final : public http::Exchange {
 public:
  CountedExchange(http::ExchangePtr inner, std::string handler, base::MetricsRegistry& metrics,
                  const base::Clock& clock, std::string cors_origin)
      : inner_(std::move(inner)),
        handler_(std::move(handler)),
        metrics_(metrics),
        clock_(clock),
        begin_(clock.monotonic()),
        cors_origin_(std::move(cors_origin)) {}

  const http::Request& request() const override { return inner_->request(); }
  bool client_gone() const override { return inner_->client_gone(); }
  void drop_body() override { inner_->drop_body(); }
  bool run_after_handler(std::function<void()>& work) override {
    return inner_->run_after_handler(work);
  }
  void send(http::Response response) override {
    metrics_
        .counter("prometheus_http_requests_total", "Counter of HTTP requests.",
                 {{"code", std::to_string(response.status)}, {"handler", handler_}})
        .add();
    metrics_
        .histogram("prometheus_http_request_duration_seconds",
                   "Histogram of latencies for HTTP requests.", kDurationBounds,
                   {{"handler", handler_}})
        .observe(std::chrono::duration<double>(clock_.monotonic() - begin_).count());
    if (!cors_origin_.empty()) {
      response.headers.emplace_back("Access-Control-Allow-Headers",
                                    "Accept, Authorization, Content-Type, Origin");
      response.headers.emplace_back("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
      response.headers.emplace_back("Access-Control-Allow-Origin", cors_origin_);
      response.headers.emplace_back("Access-Control-Expose-Headers", "Date");
      response.headers.emplace_back("Vary", "Origin");
    }
    inner_->send(std::move(response));
  }

 private:
  http::ExchangePtr inner_;
  std::string handler_;
  base::MetricsRegistry& metrics_;
  const base::Clock& clock_;
  std::chrono::nanoseconds begin_;
  std::string cors_origin_;
};

}  // namespace

struct Api::State {
  State(Options api_options, Services api_services)
      : options(std::move(api_options)),
        services(std::move(api_services)),
        cors_origin(options.cors_origin, RE2::Quiet),
        queue(*services.queries, *services.clock, options.limits.queries_queued_max),
        live(queue, services, options.limits) {
    services.metrics
        ->gauge("prometheus_engine_queries_concurrent_max", "The max number of concurrent queries.")
        .set(static_cast<double>(services.queries->size()));
    if (options.enable_remote_write) WriteCounters shown_from_the_start(*services.metrics);
  }

  Options options;
  Services services;
  RE2 cors_origin;
  QueryQueue queue;
  SingleFlight flights;
  LiveHub live;
  std::atomic<scrape::Manager*> scrape{nullptr};
  std::atomic<rules::Manager*> rules{nullptr};
  std::atomic<rules::Notifier*> notifier{nullptr};
  std::atomic<storage::Db*> storage{nullptr};
  std::atomic<bool> stopping{false};

  // What Access-Control-Allow-Origin says to this origin; "" to say nothing.
  std::string allowed_origin(std::string_view origin) const {
    if (origin.empty()) return {};
    if (options.cors_origin == ".*" || options.cors_origin == "^(?:.*)$") return "*";
    return RE2::FullMatch(re2::StringPiece(origin.data(), origin.size()), cors_origin)
               ? std::string(origin)
               : std::string();
  }

  void dispatch(http::ExchangePtr exchange) {
    const http::Request& request = exchange->request();
    std::string_view path = request.path;
    const auto answer = [&exchange](int status, std::string text) {
      http::Response response;
      response.status = status;
      response.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
      response.body = std::move(text);
      exchange->send(std::move(response));
    };
    if (!options.route_prefix.empty()) {
      if (path == "/") {
        http::Response response;
        response.status = 302;
        response.headers.emplace_back("Location", options.route_prefix + "/");
        exchange->send(std::move(response));
        return;
      }
      if (!path.starts_with(options.route_prefix)) return answer(404, "404 page not found\n");
      path.remove_prefix(options.route_prefix.size());
      if (path.empty()) path = "/";
    }
    const std::string origin = allowed_origin(request.header("Origin"));
    RouteMatch match = find_route(request.method, path);
    exchange = std::make_shared<CountedExchange>(
        std::move(exchange), std::string(match.route ? match.route->pattern : "/unknown"),
        *services.metrics, *services.clock, origin);
    if (match.route == nullptr) {
      if (request.method == "OPTIONS") return answer(204, "");
      if (match.path_known) return answer(405, "Method Not Allowed\n");
      return answer(404, "404 page not found\n");
    }
    const auto call = std::make_shared<Call>(options, services, queue, flights, live,
                                             storage.load(), scrape.load(), rules.load(),
                                             notifier.load(), exchange, std::move(match.values));
    run(*match.route, call);
  }

  void run(const Route& route, const CallPtr& call) {
    const bool needs_storage = route.kind == Kind::kQuery || route.kind == Kind::kStorage ||
                               route.kind == Kind::kShared;
    if (needs_storage && (call->storage == nullptr || stopping)) {
      return call->fail(ErrorType::kUnavailable,
                        stopping ? "Service Unavailable: shutting down"
                                 : "Service Unavailable: the write-ahead log is being replayed");
    }
    if (call->request().body.size() > options.limits.form_body_max_bytes &&
        route.kind != Kind::kStorage) {
      return call->fail(ErrorType::kBadData,
                        fmt::format("request body of {} bytes is larger than {} bytes",
                                    call->request().body.size(),
                                    options.limits.form_body_max_bytes));
    }
    if (route.kind == Kind::kInline || route.kind == Kind::kStorage) return route.endpoint(call);
    if (Status parsed = call->parse_parameters(); !parsed.ok()) return call->fail(parsed.error());
    const Endpoint endpoint = route.endpoint;
    if (route.kind == Kind::kShared) return endpoint(call);
    queue.submit({services.clock->monotonic() + services.engine->options().timeout,
                  [call] { return call->exchange->client_gone(); },
                  [call, endpoint](std::chrono::nanoseconds) { endpoint(call); },
                  [call](const Error& error) { call->fail(error); }},
                 call->runner());
  }
};

Api::Api(Options options, Services services)
    : state_(std::make_unique<State>(std::move(options), std::move(services))) {}

Api::~Api() = default;

void Api::handle(http::ExchangePtr exchange) { state_->dispatch(std::move(exchange)); }

void Api::ready(storage::Db& storage, scrape::Manager& scrape, rules::Manager* rules,
                rules::Notifier* notifier) {
  state_->rules.store(rules);
  state_->notifier.store(notifier);
  state_->scrape.store(&scrape);
  state_->storage.store(&storage);
}

void Api::stopping() {
  state_->stopping = true;
  state_->live.stop();
}

}  // namespace varve::api
