// SPDX-License-Identifier: Apache-2.0
#include "scrape/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "model/number.h"

namespace varve::scrape {
namespace {

std::string_view media_type(Protocol protocol) {
  switch (protocol) {
    case Protocol::kPrometheusProto:
      return "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
             "encoding=delimited";
    case Protocol::kOpenMetricsText0_0_1:
      return "application/openmetrics-text;version=0.0.1";
    case Protocol::kOpenMetricsText1_0_0:
      return "application/openmetrics-text;version=1.0.0";
    case Protocol::kPrometheusText0_0_4:
      return "text/plain;version=0.0.4";
    case Protocol::kPrometheusText1_0_0:
      return "text/plain;version=1.0.0";
  }
  return "";
}

}  // namespace

std::string accept_header(const PoolOptions& pool) {
  std::string out;
  // prometheus scrape.go: the first weight is one more than there are protocols, as a tenth.
  std::size_t weight = kProtoFirstProtocols.size() + 1;
  for (const Protocol protocol : pool.protocols) {
    out += media_type(protocol);
    if (protocol == Protocol::kPrometheusText1_0_0 || protocol == Protocol::kOpenMetricsText1_0_0) {
      out += fmt::format(";escaping={}", to_string(pool.name_escaping));
    }
    out += fmt::format(";q=0.{},", weight);
    --weight;
  }
  return out + fmt::format("*/*;q=0.{}", weight);
}

http::ClientRequest scrape_request(const Target& target,
                                   const std::shared_ptr<const PoolOptions>& pool,
                                   std::size_t body_max_bytes) {
  http::ClientRequest request;
  request.url = target.url;
  request.timeout = target.timeout;
  request.body_max_bytes = body_max_bytes;
  request.accept_gzip = pool->enable_compression;
  request.encoded_body = true;
  request.options = std::shared_ptr<const http::ClientOptions>(pool, &pool->client);
  request.headers.emplace_back("Accept", accept_header(*pool));
  if (!pool->enable_compression) request.headers.emplace_back("Accept-Encoding", "identity");
  request.headers.emplace_back("User-Agent", "Varve");
  request.headers.emplace_back(
      "X-Prometheus-Scrape-Timeout-Seconds",
      model::format_float_positional(static_cast<double>(target.timeout.count()) / 1000));
  return request;
}

std::string status_text(int status) {
  struct Name {
    int status;
    std::string_view name;
  };
  constexpr std::array<Name, 27> kNames{{{201, "Created"},
                                         {202, "Accepted"},
                                         {204, "No Content"},
                                         {206, "Partial Content"},
                                         {301, "Moved Permanently"},
                                         {302, "Found"},
                                         {303, "See Other"},
                                         {304, "Not Modified"},
                                         {307, "Temporary Redirect"},
                                         {308, "Permanent Redirect"},
                                         {400, "Bad Request"},
                                         {401, "Unauthorized"},
                                         {403, "Forbidden"},
                                         {404, "Not Found"},
                                         {405, "Method Not Allowed"},
                                         {406, "Not Acceptable"},
                                         {408, "Request Timeout"},
                                         {410, "Gone"},
                                         {413, "Request Entity Too Large"},
                                         {418, "I'm a teapot"},
                                         {421, "Misdirected Request"},
                                         {429, "Too Many Requests"},
                                         {500, "Internal Server Error"},
                                         {501, "Not Implemented"},
                                         {502, "Bad Gateway"},
                                         {503, "Service Unavailable"},
                                         {504, "Gateway Timeout"}}};
  const auto found = std::find_if(kNames.begin(), kNames.end(),
                                  [status](const Name& name) { return name.status == status; });
  return found == kNames.end() ? std::to_string(status) : fmt::format("{} {}", status, found->name);
}

}  // namespace varve::scrape
