// SPDX-License-Identifier: Apache-2.0
#include "scrape/request.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "fs/real_fs.h"

using namespace varve;
using namespace varve::scrape;

namespace {

std::string header(const http::ClientRequest& request, const std::string& name) {
  for (const auto& [key, value] : request.headers) {
    if (key == name) return value;
  }
  return {};
}

Result<http::ClientRequest> request_for(const PoolOptions& pool) {
  Target target;
  target.url = "http://h/metrics";
  target.timeout = std::chrono::milliseconds(2500);
  fs::RealFs files;
  return scrape_request(target, pool, 1000, files);
}

}  // namespace

TEST_CASE("request: the headers are Prometheus's", "[scrape]") {
  const auto request = request_for({});
  REQUIRE(request.ok());
  CHECK(header(*request, "Accept") ==
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
        "application/openmetrics-text;version=0.0.1;q=0.5,"
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
        "text/plain;version=0.0.4;q=0.3,*/*;q=0.2");
  CHECK(header(*request, "X-Prometheus-Scrape-Timeout-Seconds") == "2.5");
  CHECK(request->accept_gzip);
  CHECK(request->body_max_bytes == 1000);
  CHECK(request->timeout == std::chrono::milliseconds(2500));
}

TEST_CASE("request: credentials come from the file at every scrape", "[scrape]") {
  char folder[] = "/tmp/varve_scrape_XXXXXX";
  REQUIRE(::mkdtemp(folder) != nullptr);
  const std::string file = std::string(folder) + "/token";
  fs::RealFs files;
  PoolOptions pool;
  pool.client.authorization.emplace().credentials.file = file;
  CHECK_FALSE(request_for(pool).ok());
  for (const char* token : {"one", "two"}) {
    REQUIRE(files.write_file_atomically(file, std::string(token) + "\n").ok());
    CHECK(header(*request_for(pool), "Authorization") == std::string("Bearer ") + token);
  }
  REQUIRE(files.remove(file).ok());
  REQUIRE(files.remove_directory(folder).ok());
}

TEST_CASE("request: basic auth, TLS and custom headers are passed on", "[scrape]") {
  PoolOptions pool;
  pool.enable_compression = false;
  pool.client.basic_auth.emplace();
  pool.client.basic_auth->username = "u";
  pool.client.basic_auth->password.value = "p:w";
  pool.client.tls.ca_file = "ca.pem";
  pool.client.tls.insecure_skip_verify = true;
  pool.client.headers["X-A"].values = {"1"};
  pool.client.headers["X-A"].secrets = {"2"};
  const auto request = request_for(pool);
  REQUIRE(request.ok());
  CHECK(request->basic_auth_user == "u");
  CHECK(request->basic_auth_password == "p:w");
  CHECK(request->ca_file == "ca.pem");
  CHECK(request->insecure_skip_verify);
  CHECK_FALSE(request->accept_gzip);
  CHECK(header(*request, "Accept-Encoding") == "identity");
  CHECK(std::count_if(request->headers.begin(), request->headers.end(),
                      [](const auto& h) { return h.first == "X-A"; }) == 2);
  pool.client.oauth2.emplace();
  CHECK(request_for(pool).error().message() ==
        "oauth2 in a scrape config is not supported yet");
}

TEST_CASE("request: a status has its name", "[scrape]") {
  CHECK(status_text(404) == "404 Not Found");
  CHECK(status_text(599) == "599");
}
