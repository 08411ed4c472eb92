// SPDX-License-Identifier: Apache-2.0
#include "http/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "client_fixture.h"
#include "http/client_error.h"
#include "http/content_coding.h"
#include "server_fixture.h"

namespace varve::http::testing {
namespace {

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

// Answers each connection's requests with what it is told, then hangs up.
class RawServer {
 public:
  explicit RawServer(std::vector<std::string> answers) : answers_(std::move(answers)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listener_, 16) == 0);
    REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~RawServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  ClientRequest request() const {
    ClientRequest request;
    request.url = "http://127.0.0.1:" + std::to_string(port_) + "/metrics";
    return request;
  }
  int connections() const { return connections_; }

 private:
  void run() {
    for (;;) {
      const int fd = ::accept(listener_, nullptr, nullptr);
      if (fd < 0) return;
      ++connections_;
      for (const std::string& answer : answers_) {
        std::string got;
        char byte = 0;
        while (!got.ends_with("\r\n\r\n") && ::recv(fd, &byte, 1, 0) == 1) got += byte;
        if (got.empty()) break;
        ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
      }
      ::close(fd);
    }
  }

  std::vector<std::string> answers_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_{0};
  std::thread thread_;
};

TEST_CASE("http client: a kept connection that the server has closed is not an error", "[http]") {
  // The second request of each connection meets its end.
  const RawServer server({"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"});
  const auto client = make_client();
  for (int i = 0; i < 5; ++i) {
    const auto response = fetch(*client, server.request());
    REQUIRE(response.ok());
    CHECK(response->body == "ok");
  }
  CHECK(server.connections() >= 5);
}

TEST_CASE("http client: answers in chunks keep their connection", "[http]") {
  const std::string answer =
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
  const RawServer server({answer, answer, answer});
  const auto client = make_client();
  for (int i = 0; i < 3; ++i) {
    const auto response = fetch(*client, server.request());
    REQUIRE(response.ok());
    CHECK(response->body == "abcde");
    CHECK(response->content_type == "text/plain");
    CHECK(response->wire_bytes == 5);
  }
  CHECK(server.connections() == 1);
}

TEST_CASE("http client: an answer of HTTP/1.0 ends with its connection and is asked for once",
          "[http]") {
  const RawServer server({"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nold"});
  const auto client = make_client();
  for (int i = 0; i < 2; ++i) {
    const auto response = fetch(*client, server.request());
    REQUIRE(response.ok());
    CHECK(response->body == "old");
  }
  CHECK(server.connections() == 2);
}

TEST_CASE("http client: an answer that only libcurl understands is understood", "[http]") {
  // A status without the blank that has to follow it.
  const RawServer server({"HTTP/1.0 200\r\nContent-Type: text/plain\r\n\r\nold"});
  const auto client = make_client();
  for (int i = 0; i < 2; ++i) {
    const auto response = fetch(*client, server.request());
    REQUIRE(response.ok());
    CHECK(response->body == "old");
  }
  CHECK(server.connections() == 3);  // the first was asked twice, then libcurl at once
}

TEST_CASE("http client: an answer that breaks off is an error", "[http]") {
  const RawServer server({"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"});
  const auto client = make_client();
  const auto response = fetch(*client, server.request());
  REQUIRE_FALSE(response.ok());
  CHECK(response.error().message().ends_with("unexpected EOF"));
}

TEST_CASE("http client: passwords in URLs stay out of error texts", "[http]") {
  CHECK(request_words("GET", "http://u:secret@h:1/p@q") == "Get \"http://u:xxxxx@h:1/p@q\"");
  CHECK(request_words("POST", "http://u@h/x") == "Post \"http://u@h/x\"");
  CHECK(request_words("GET", "http://h:1/a:b@c") == "Get \"http://h:1/a:b@c\"");
}

}  // namespace
}  // namespace varve::http::testing
