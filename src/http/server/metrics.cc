// SPDX-License-Identifier: Apache-2.0
#include "http/server/metrics.h"

#include "base/metrics.h"

namespace varve::http::server {

ServerMetrics::ServerMetrics(base::MetricsRegistry& registry)
    : accepted(
          registry.counter("net_conntrack_listener_conn_accepted_total",
                           "Total number of connections opened to the listener of a given name.",
                           {{"listener_name", "http"}})),
      closed(registry.counter(
          "net_conntrack_listener_conn_closed_total",
          "Total number of connections closed that were made to the listener of a given name.",
          {{"listener_name", "http"}})),
      connections(registry.gauge("varve_http_connections", "Open connections to the HTTP server.")),
      in_flight(registry.gauge("varve_http_requests_in_flight",
                               "Requests that have been read and not yet been answered.")),
      refused(
          registry.counter("varve_http_requests_refused_total",
                           "Requests that the HTTP server refused before any handler: malformed, "
                           "too large, too many.")),
      timed_out(registry.counter("varve_http_connections_timed_out_total",
                                 "Connections closed because the client was too slow.")),
      displaced(registry.counter("varve_http_connections_displaced_total",
                                 "Connections closed while their client was waited for, because "
                                 "there were too many and another one came.")),
      received_bytes(
          registry.counter("varve_http_received_bytes_total", "Bytes read from clients.")),
      sent_bytes(registry.counter("varve_http_sent_bytes_total", "Bytes written to clients.")) {}

}  // namespace varve::http::server
