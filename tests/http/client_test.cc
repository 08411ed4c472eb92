// SPDX-License-Identifier: Apache-2.0
#include "http/client.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <future>

#include "fs/real_fs.h"
#include "http/client_error.h"
#include "http/content_coding.h"
#include "server_fixture.h"

namespace varve::http::testing {
namespace {

std::unique_ptr<Client> make_client() {
  static fs::RealFs files;
  auto client = Client::create(files);
  REQUIRE(client.ok());
  return std::move(client).value();
}

std::future<Result<ClientResponse>> begin_fetch(Client& client, ClientRequest request) {
  auto promise = std::make_shared<std::promise<Result<ClientResponse>>>();
  auto future = promise->get_future();
  client.fetch(std::move(request),
               [promise](Result<ClientResponse> result) { promise->set_value(std::move(result)); });
  return future;
}

Result<ClientResponse> fetch(Client& client, ClientRequest request) {
  return begin_fetch(client, std::move(request)).get();
}

ClientRequest to(const ServerFixture& fixture, const std::string& path) {
  ClientRequest request;
  request.url = "http://127.0.0.1:" + std::to_string(fixture.port) + path;
  return request;
}

// Shows what came: "method|path|header values|body".
void show(ExchangePtr exchange) {
  const Request& request = exchange->request();
  Response response;
  response.headers = {{"Content-Type", "text/plain; version=0.0.4"}};
  response.body = request.method + '|' + request.path + '|' +
                  std::string(request.header("Authorization")) + '|' +
                  std::string(request.header("X-Own")) + '|' + request.body;
  exchange->send(std::move(response));
}

TEST_CASE("http client: methods, headers, credentials and bodies arrive", "[http]") {
  ServerFixture fixture(show);
  const auto client = make_client();
  auto response = fetch(*client, to(fixture, "/metrics"));
  REQUIRE(response.ok());
  CHECK(response->status == 200);
  CHECK(response->content_type == "text/plain; version=0.0.4");
  CHECK(response->body == "GET|/metrics|||");
  CHECK(response->wire_bytes == response->body.size());

  ClientRequest post = to(fixture, "/write");
  post.method = "POST";
  post.body = std::string("a\0b", 3);
  post.headers = {{"X-Own", "value"}};
  auto options = std::make_shared<ClientOptions>();
  options->basic_auth = BasicAuthOptions{"user", {}, {"pass", {}}};
  post.options = options;
  response = fetch(*client, post);
  REQUIRE(response.ok());
  CHECK(response->body == std::string("POST|/write|Basic dXNlcjpwYXNz|value|a\0b", 40));
}

TEST_CASE("http client: connections are kept", "[http]") {
  ServerFixture fixture(show);
  const auto client = make_client();
  for (int i = 0; i < 20; ++i) REQUIRE(fetch(*client, to(fixture, "/")).ok());
  CHECK(fixture.metrics
            .counter("net_conntrack_listener_conn_accepted_total", "", {{"listener_name", "http"}})
            .value() == 1);
}

TEST_CASE("http client: compressed bodies, and their bounds before and after", "[http]") {
  const std::string plain(500'000, 'x');
  ServerFixture fixture([&](ExchangePtr exchange) {
    Response response;
    response.body = plain;
    exchange->send(std::move(response));
  });
  const auto client = make_client();
  auto response = fetch(*client, to(fixture, "/"));
  REQUIRE(response.ok());
  CHECK(response->body == plain);
  CHECK(response->wire_bytes < 10'000);

  ClientRequest bounded = to(fixture, "/");
  bounded.accept_gzip = GENERATE(true, false);
  bounded.body_max_bytes = plain.size();
  CHECK(fetch(*client, bounded).ok());
  bounded.body_max_bytes = plain.size() - 1;
  response = fetch(*client, bounded);
  REQUIRE_FALSE(response.ok());
  CHECK(response.error().code() == ErrorCode::kLimitExceeded);
  CHECK(response.error().message() == "body size limit exceeded");
}

TEST_CASE("http client: redirects are followed if wanted", "[http]") {
  ServerFixture fixture([](ExchangePtr exchange) {
    Response response;
    const std::string& path = exchange->request().path;
    if (path == "/loop" || path == "/old") {
      response.status = 302;
      response.headers = {{"Location", path == "/loop" ? "/loop" : "/new"}};
      response.body = "moved";
    } else {
      response.body = "here";
    }
    exchange->send(std::move(response));
  });
  const auto client = make_client();
  auto response = fetch(*client, to(fixture, "/old"));
  REQUIRE(response.ok());
  CHECK(response->body == "here");
  ClientRequest unfollowed = to(fixture, "/old");
  auto options = std::make_shared<ClientOptions>();
  options->follow_redirects = false;
  unfollowed.options = options;
  response = fetch(*client, unfollowed);
  REQUIRE(response.ok());
  CHECK(response->status == 302);
  response = fetch(*client, to(fixture, "/loop"));
  REQUIRE_FALSE(response.ok());
  CHECK(response.error().message().ends_with("stopped after 10 redirects"));
}

TEST_CASE("http client: errors read like Go's", "[http]") {
  const auto client = make_client();
  ClientRequest request;
  request.url = "http://127.0.0.1:1/metrics";
  auto response = fetch(*client, request);
  REQUIRE_FALSE(response.ok());
  CHECK(response.error().code() == ErrorCode::kUnavailable);
  CHECK(response.error().message() ==
        "Get \"http://127.0.0.1:1/metrics\": dial tcp 127.0.0.1:1: connect: connection refused");

  request.url = "http://no-such-host.invalid/metrics";
  response = fetch(*client, request);
  REQUIRE_FALSE(response.ok());
  CHECK(response.error().message().find("lookup no-such-host.invalid: no such host") !=
        std::string::npos);

  request.url = "ftp://127.0.0.1/";
  CHECK_FALSE(fetch(*client, request).ok());
}

TEST_CASE("http client: a deadline covers the whole exchange", "[http]") {
  std::mutex mutex;
  std::vector<ExchangePtr> held;
  ServerFixture fixture([&](ExchangePtr exchange) {
    const std::lock_guard lock(mutex);
    held.push_back(std::move(exchange));
  });
  const auto client = make_client();
  ClientRequest request = to(fixture, "/slow");
  request.timeout = std::chrono::milliseconds(100);
  const auto response = fetch(*client, request);
  REQUIRE_FALSE(response.ok());
  CHECK(response.error().code() == ErrorCode::kTimeout);
  CHECK(response.error().message() == "Get \"" + request.url + "\": context deadline exceeded");
  const std::lock_guard lock(mutex);
  held.clear();
}

TEST_CASE("http client: its end cancels what is under way", "[http]") {
  std::mutex mutex;
  std::vector<ExchangePtr> held;
  ServerFixture fixture([&](ExchangePtr exchange) {
    const std::lock_guard lock(mutex);
    held.push_back(std::move(exchange));
  });
  auto client = make_client();
  auto first = begin_fetch(*client, to(fixture, "/a"));
  auto second = begin_fetch(*client, to(fixture, "/b"));
  client.reset();
  for (auto* future : {&first, &second}) {
    const auto response = future->get();
    REQUIRE_FALSE(response.ok());
    CHECK(response.error().code() == ErrorCode::kCanceled);
  }
  const std::lock_guard lock(mutex);
  held.clear();
}

TEST_CASE("http client: many requests at once on one thread", "[http]") {
  ServerFixture fixture(show);
  const auto client = make_client();
  std::vector<std::future<Result<ClientResponse>>> futures;
  for (int i = 0; i < 300; ++i) {
    futures.push_back(begin_fetch(*client, to(fixture, "/" + std::to_string(i))));
  }
  for (int i = 0; i < 300; ++i) {
    auto response = futures[static_cast<std::size_t>(i)].get();
    REQUIRE(response.ok());
    CHECK(response->body == "GET|/" + std::to_string(i) + "|||");
  }
}

TEST_CASE("http client: passwords in URLs stay out of error texts", "[http]") {
  CHECK(request_words("GET", "http://u:secret@h:1/p@q") == "Get \"http://u:xxxxx@h:1/p@q\"");
  CHECK(request_words("POST", "http://u@h/x") == "Post \"http://u@h/x\"");
  CHECK(request_words("GET", "http://h:1/a:b@c") == "Get \"http://h:1/a:b@c\"");
}

}  // namespace
}  // namespace varve::http::testing
