// SPDX-License-Identifier: Apache-2.0
// What the HTTP server counts about itself.
#pragma once

namespace varve::base {
class Counter;
class Gauge;
class MetricsRegistry;
}  // namespace varve::base

namespace varve::http::server {

// References into the registry, which outlives the server. For any thread.
struct ServerMetrics {
  explicit ServerMetrics(base::MetricsRegistry& registry);

  base::Counter& accepted;
  base::Counter& closed;
  base::Gauge& connections;
  base::Gauge& in_flight;
  base::Counter& refused;
  base::Counter& timed_out;
  base::Counter& displaced;
  base::Counter& received_bytes;
  base::Counter& sent_bytes;
};

}  // namespace varve::http::server
