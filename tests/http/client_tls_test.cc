// SPDX-License-Identifier: Apache-2.0
// The client over TLS, through redirects and proxies; and what ends an exchange from outside.
#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <mutex>
#include <stop_token>

#include "client_fixture.h"
#include "http/content_coding.h"
#include "http/server_tls.h"
#include "server_fixture.h"
#include "tls_identity.h"

namespace varve::http::testing {
namespace {

ServerOptions over_tls(const Identity& identity) {
  TlsServerOptions tls;
  tls.cert = identity.cert;
  tls.key = identity.key;
  auto created = ServerTls::create(tls, files);
  REQUIRE(created.ok());
  ServerOptions options;
  options.tls = [made = *created] { return made; };
  return options;
}

std::string at(std::string_view scheme, const ServerFixture& fixture, const std::string& path) {
  return std::string(scheme) + "://127.0.0.1:" + std::to_string(fixture.port) + path;
}

void redirect_to(const ExchangePtr& exchange, const std::string& location) {
  Response response;
  response.status = 302;
  response.headers = {{"Location", location}};
  exchange->send(std::move(response));
}

// Answers "host|authorization".
void show(const ExchangePtr& exchange) {
  Response response;
  response.body = std::string(exchange->request().header("Host")) + '|' +
                  std::string(exchange->request().header("Authorization"));
  exchange->send(std::move(response));
}

}  // namespace

TEST_CASE("http client: a redirect from http to https is followed with the TLS settings",
          "[http]") {
  const Identity identity = make_identity("IP:127.0.0.1");
  const ServerFixture secure(echo, over_tls(identity));
  const std::string there = at("https", secure, "/there");
  const ServerFixture plain([&](const ExchangePtr& exchange) { redirect_to(exchange, there); });
  const auto client = make_client();
  ClientOptions options;
  CHECK_FALSE(fetch(*client, at("http", plain, "/"), options).ok());
  options.tls.ca = identity.cert;
  const auto response = fetch(*client, at("http", plain, "/"), options);
  REQUIRE(response.ok());
  CHECK(response->body == "GET /there? ");
}

TEST_CASE("http client: server_name holds for redirects, and Host stays the URL's", "[http]") {
  const Identity identity = make_identity("DNS:good.test");
  const ServerFixture other([](const ExchangePtr& exchange) { show(exchange); },
                            over_tls(identity));
  const std::string elsewhere = at("https", other, "/new");
  const ServerFixture server(
      [&](const ExchangePtr& exchange) {
        const std::string& path = exchange->request().path;
        if (path == "/near") return redirect_to(exchange, "new?a=b");
        if (path == "/loop") return redirect_to(exchange, "/loop");
        if (path == "/far") return redirect_to(exchange, elsewhere);
        show(exchange);
      },
      over_tls(identity));
  const auto client = make_client();
  ClientOptions options;
  options.tls.ca = identity.cert;
  options.basic_auth = BasicAuthOptions{"u", "", {"p", ""}};
  CHECK_FALSE(fetch(*client, at("https", server, "/new"), options).ok());
  options.tls.server_name = "good.test";
  const std::string host = "127.0.0.1:" + std::to_string(server.port);
  for (const char* path : {"/new", "/near"}) {
    const auto response = fetch(*client, at("https", server, path), options);
    INFO(path << (response.ok() ? "" : response.error().message()));
    REQUIRE(response.ok());
    CHECK(response->body == host + "|Basic dTpw");
  }
  const auto far = fetch(*client, at("https", server, "/far"), options);
  REQUIRE(far.ok());
  CHECK(far->body == "127.0.0.1:" + std::to_string(other.port) + "|");  // no password for others
  const auto loop = fetch(*client, at("https", server, "/loop"), options);
  REQUIRE_FALSE(loop.ok());
  CHECK(loop.error().message().ends_with("stopped after 10 redirects"));
  options.follow_redirects = false;
  const auto unfollowed = fetch(*client, at("https", server, "/near"), options);
  REQUIRE(unfollowed.ok());
  CHECK(unfollowed->status == 302);
}

TEST_CASE("http client: a proxy that is reached by TLS is verified by the same settings",
          "[http]") {
  const Identity identity = make_identity("IP:127.0.0.1");
  const ServerFixture proxy(echo, over_tls(identity));
  const auto client = make_client();
  ClientOptions options;
  options.proxy.url = at("https", proxy, "");
  const auto untrusted = fetch(*client, "http://nowhere.invalid/m", options);
  REQUIRE_FALSE(untrusted.ok());
  CHECK(untrusted.error().message().find("certificate") != std::string::npos);
  options.tls.ca = identity.cert;
  const auto trusted = fetch(*client, "http://nowhere.invalid/m", options);
  INFO((trusted.ok() ? "" : trusted.error().message()));
  CHECK(trusted.ok());  // whatever it answers: it is no proxy
}

TEST_CASE("http client: who asked can end an exchange at any time", "[http]") {
  std::mutex mutex;
  std::vector<ExchangePtr> held;
  std::promise<void> arrived;
  ServerFixture server([&](ExchangePtr exchange) {
    const std::lock_guard lock(mutex);
    held.push_back(std::move(exchange));
    if (held.size() == 1) arrived.set_value();
  });
  const auto client = make_client();
  std::stop_source stop;
  ClientRequest request;
  request.url = at("http", server, "/");
  request.timeout = std::chrono::minutes(10);
  request.cancel = stop.get_token();
  std::promise<Result<ClientResponse>> promise;
  client->fetch(request,
                [&](Result<ClientResponse> result) { promise.set_value(std::move(result)); });
  arrived.get_future().wait();
  stop.request_stop();
  const auto ended = promise.get_future().get();
  REQUIRE_FALSE(ended.ok());
  CHECK(ended.error().code() == ErrorCode::kCanceled);
  // One that is stopped before it begins, too.
  CHECK(fetch(*client, request).error().code() == ErrorCode::kCanceled);
  const std::lock_guard lock(mutex);
  held.clear();
}

TEST_CASE("http client: bodies take from a budget while they come, and give it back", "[http]") {
  const ServerFixture server([](const ExchangePtr& exchange) {
    Response response;
    response.body = std::string(exchange->request().path == "/big" ? 4 << 20 : 1000, 'x');
    exchange->send(std::move(response));
  });
  const auto client = make_client();
  const auto budget = std::make_shared<BodyBudget>(1 << 20);
  ClientRequest request;
  request.budget = budget;
  request.url = at("http", server, "/big");
  const auto big = fetch(*client, request);
  REQUIRE_FALSE(big.ok());
  CHECK(big.error().code() == ErrorCode::kUnavailable);
  CHECK(budget->used_bytes() == 0);
  request.url = at("http", server, "/small");
  {
    const auto small = fetch(*client, request);
    REQUIRE(small.ok());
    CHECK(budget->used_bytes() >= 1000);
  }
  CHECK(budget->used_bytes() == 0);
}

TEST_CASE("http client: a packed body takes what it unfolds to, and gives it back", "[http]") {
  const std::string plain(600'000, 'x');
  ClientResponse response;
  gzip_compress(plain, response.body);
  response.content_encoding = "gzip";
  const auto budget = std::make_shared<BodyBudget>(1 << 20);
  response.lease = lease_of(budget);
  REQUIRE(response.lease->grow_to(response.body.size()));
  ClientResponse other = response;
  other.lease = lease_of(budget);
  REQUIRE(other.lease->grow_to(other.body.size()));
  REQUIRE(decode_body(response, 0).ok());
  CHECK(response.body == plain);
  CHECK(response.lease->bytes() == response.body.capacity());
  // Nothing is left for the second, whatever it may hold by itself.
  const std::size_t used = budget->used_bytes();
  const Status refused = decode_body(other, plain.size());
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code() == ErrorCode::kUnavailable);
  CHECK(budget->used_bytes() == used);
  other.lease.reset();
  response.lease.reset();
  CHECK(budget->used_bytes() == 0);
}

TEST_CASE("http client: who cannot keep up with a stream ends it", "[http]") {
  const ServerFixture server(echo);
  const auto client = make_client();
  ClientRequest request;
  request.url = at("http", server, "/");
  request.on_body = [](std::string_view) { return false; };
  const auto ended = fetch(*client, request);
  REQUIRE_FALSE(ended.ok());
  CHECK(ended.error().code() == ErrorCode::kLimitExceeded);
}

}  // namespace varve::http::testing
