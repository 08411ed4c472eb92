// SPDX-License-Identifier: Apache-2.0
// What all connections of a server share.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "http/body_budget.h"
#include "http/server.h"
#include "http/server/lane.h"
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
        bodies(options.bodies_total_max_bytes) {
    for (std::size_t i = 0; i < std::max<std::size_t>(options.lanes, 1); ++i) {
      lanes.push_back(std::make_unique<Lane>(watch));
    }
  }

  // Where the next connection goes: to the fewest, for how much each will ask nobody knows.
  Lane& next_lane() const {
    return **std::min_element(lanes.begin(), lanes.end(), [](const auto& a, const auto& b) {
      return a->connections.load() < b->connections.load();
    });
  }

  const ServerOptions options;
  const Handler handler;
  base::Logger& log;
  ServerMetrics metrics;
  BodyBudget bodies;
  // Accepting and deadlines, on a thread of their own: they go on whatever holds the lanes up.
  asio::io_context front{1};
  LaneWatch watch;
  std::vector<std::unique_ptr<Lane>> lanes;

  std::mutex mutex;  // guards connections and closed
  std::unordered_map<Connection*, std::weak_ptr<Connection>> connections;
  std::condition_variable connection_ended;
  bool closed = false;  // nothing is posted to the lanes any more: nobody runs them
  std::atomic<bool> stopping{false};
};

}  // namespace varve::http::server
