// SPDX-License-Identifier: Apache-2.0
// A server on 127.0.0.1 with a port of its own and a handler for tests.
#pragma once

#include <catch2/catch.hpp>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "http/server.h"

namespace varve::http::testing {

struct ServerFixture {
  explicit ServerFixture(Handler handler, ServerOptions options = {}) {
    options.listen_addresses = {"127.0.0.1:0"};
    auto started = Server::start(std::move(options), std::move(handler), log, metrics);
    REQUIRE(started.ok());
    server = std::move(started).value();
    port = server->ports().at(0);
  }

  base::SystemClock clock;
  std::mutex mutex;  // guards logged
  std::string logged;
  base::Logger log{base::LogLevel::kDebug, base::LogFormat::kLogfmt, clock,
                   [this](std::string_view line) {
                     const std::lock_guard lock(mutex);
                     logged += line;
                   }};
  base::MetricsRegistry metrics;
  std::uint16_t port = 0;
  std::unique_ptr<Server> server;  // last: its threads use the rest
};

// Answers "METHOD path?query body".
inline void echo(ExchangePtr exchange) {
  const Request& request = exchange->request();
  Response response;
  response.headers = {{"Content-Type", "text/plain"}};
  response.body = request.method + ' ' + request.path + '?' + request.query + ' ' + request.body;
  exchange->send(std::move(response));
}

// A handler that keeps the exchange it is handed until the test takes it, one at a time.
class Holder {
 public:
  Handler handler() {
    return [this](ExchangePtr exchange) {
      const std::lock_guard lock(mutex_);
      held_ = std::move(exchange);
      arrived_.notify_one();
    };
  }
  // Waits for it.
  ExchangePtr take() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return held_ != nullptr; });
    return std::move(held_);
  }

 private:
  std::mutex mutex_;  // guards held_
  std::condition_variable arrived_;
  ExchangePtr held_;
};

}  // namespace varve::http::testing
