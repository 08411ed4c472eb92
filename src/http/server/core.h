// SPDX-License-Identifier: Apache-2.0
// What all connections of a server share.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "http/body_budget.h"
#include "http/server.h"
#include "http/server/metrics.h"

namespace varve::http::server {

namespace asio = boost::asio;

class Connection;

// Kept alive by exchanges that are answered after the server has gone.
struct Core {
  Core(ServerOptions server_options, Handler request_handler, base::Logger& logger,
       base::MetricsRegistry& registry)
      : options(std::move(server_options)),
        handler(std::move(request_handler)),
        log(logger),
        metrics(registry),
        bodies(options.bodies_total_max_bytes),
        io(static_cast<int>(options.threads)) {}

  const ServerOptions options;
  const Handler handler;
  base::Logger& log;
  ServerMetrics metrics;
  BodyBudget bodies;
  asio::io_context io;

  std::mutex mutex;  // guards connections and closed
  std::unordered_map<Connection*, std::weak_ptr<Connection>> connections;
  std::condition_variable connection_ended;
  bool closed = false;  // nothing is posted to io any more: nobody runs it
  std::atomic<bool> stopping{false};
};

}  // namespace varve::http::server
