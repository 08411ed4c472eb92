// SPDX-License-Identifier: Apache-2.0
#include "scrape/request.h"

#include <catch2/catch.hpp>

using namespace varve;
using namespace varve::scrape;

namespace {

std::string header(const http::ClientRequest& request, const std::string& name) {
  for (const auto& [key, value] : request.headers) {
    if (key == name) return value;
  }
  return {};
}

http::ClientRequest request_for(const PoolOptions& pool) {
  Target target;
  target.url = "http://h/metrics";
  target.timeout = std::chrono::milliseconds(2500);
  return scrape_request(target, std::make_shared<const PoolOptions>(pool), 1000);
}

}  // namespace

TEST_CASE("request: the headers are Prometheus's", "[scrape]") {
  const auto request = request_for({});
  CHECK(header(request, "Accept") ==
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
        "application/openmetrics-text;version=0.0.1;q=0.5,"
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
        "text/plain;version=0.0.4;q=0.3,*/*;q=0.2");
  CHECK(header(request, "X-Prometheus-Scrape-Timeout-Seconds") == "2.5");
  CHECK(request.accept_gzip);
  CHECK(request.encoded_body);
  CHECK(request.body_max_bytes == 1000);
  CHECK(request.timeout == std::chrono::milliseconds(2500));
}

TEST_CASE("request: protobuf comes first if native histograms are wanted", "[scrape]") {
  PoolOptions pool;
  pool.protocols.assign(kProtoFirstProtocols.begin(), kProtoFirstProtocols.end());
  pool.name_escaping = NameEscaping::kUnderscores;
  CHECK(
      header(request_for(pool), "Accept") ==
      "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;"
      "q=0.6,application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.5,"
      "application/openmetrics-text;version=0.0.1;q=0.4,"
      "text/plain;version=1.0.0;escaping=underscores;q=0.3,text/plain;version=0.0.4;q=0.2,"
      "*/*;q=0.1");
}

TEST_CASE("request: how to connect and authenticate is the client's to act on", "[scrape]") {
  PoolOptions pool;
  pool.enable_compression = false;
  pool.client.basic_auth.emplace().username = "u";
  pool.client.tls.insecure_skip_verify = true;
  const auto request = request_for(pool);
  REQUIRE(request.options != nullptr);
  CHECK(*request.options == pool.client);
  CHECK_FALSE(request.accept_gzip);
  CHECK(header(request, "Accept-Encoding") == "identity");
}

TEST_CASE("request: a status has its name", "[scrape]") {
  CHECK(status_text(404) == "404 Not Found");
  CHECK(status_text(599) == "599");
}
