// SPDX-License-Identifier: Apache-2.0
// What a client may not do.
#include <catch2/catch.hpp>
#include <condition_variable>
#include <thread>

#include "eventually.h"
#include "server_fixture.h"
#include "socket_client.h"

namespace varve::http::testing {
namespace {

std::string status_of(const std::string& response) {
  return response.substr(0, response.find("\r\n"));
}

std::string answer_to(ServerFixture& fixture, std::string_view request) {
  SocketClient client(fixture.port);
  client.send(request);
  return client.read_to_end();
}

TEST_CASE("http server limits: malformed requests get a 4xx and the end of the connection",
          "[http]") {
  ServerFixture fixture(echo);
  CHECK(status_of(answer_to(fixture, "nonsense\r\n\r\n")) == "HTTP/1.1 400 Bad Request");
  CHECK(status_of(answer_to(fixture, "GET / HTTP/1.1\r\nHost t\r\n\r\n")) ==
        "HTTP/1.1 400 Bad Request");
  CHECK(status_of(answer_to(fixture, "GET / HTTP/1.1\r\n\r\n")) == "HTTP/1.1 400 Bad Request");
  CHECK(status_of(answer_to(fixture, "GET /%zz HTTP/1.1\r\nHost: t\r\n\r\n")) ==
        "HTTP/1.1 400 Bad Request");
  CHECK(status_of(answer_to(fixture, "GET / HTTP/1.1\r\nHost: t\r\nExpect: a miracle\r\n\r\n")) ==
        "HTTP/1.1 417 Expectation Failed");
  CHECK(status_of(answer_to(fixture,
                            "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n"
                            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")) ==
        "HTTP/1.1 400 Bad Request");
  CHECK(status_of(answer_to(fixture, "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: -3\r\n\r\n")) ==
        "HTTP/1.1 400 Bad Request");
  CHECK(status_of(answer_to(
            fixture, "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")) ==
        "HTTP/1.1 400 Bad Request");
  CHECK(fixture.metrics.counter("varve_http_requests_refused_total", "").value() == 8);
}

TEST_CASE("http server limits: who does not speak HTTP is told so at once", "[http]") {
  ServerOptions options;
  options.header_timeout = std::chrono::hours(1);
  ServerFixture fixture(echo, options);
  // The last is how a TLS client says hello.
  for (const std::string_view sent :
       {std::string_view("hello\r\n"), std::string_view("GET /\n"),
        std::string_view("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11)}) {
    CAPTURE(sent);
    CHECK(status_of(answer_to(fixture, sent)) == "HTTP/1.1 400 Bad Request");
  }
}

TEST_CASE("http server limits: an oversized header is refused with 431", "[http]") {
  ServerFixture fixture(echo);
  const std::string header =
      "GET / HTTP/1.1\r\nHost: t\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n";
  CHECK(status_of(answer_to(fixture, header)) == "HTTP/1.1 431 Request Header Fields Too Large");
  const std::string fits =
      "GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\nX: " + std::string(60'000, 'x') +
      "\r\n\r\n";
  CHECK(status_of(answer_to(fixture, fits)) == "HTTP/1.1 200 OK");
}

TEST_CASE("http server limits: a body past the limit is refused before it is read", "[http]") {
  ServerOptions options;
  options.body_max_bytes = 1000;
  ServerFixture fixture(echo, options);
  const std::string announced =
      answer_to(fixture, "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 99999999999\r\n\r\n");
  CHECK(status_of(announced) == "HTTP/1.1 413 Request Entity Too Large");
  CHECK(announced.find("the limit is 1000") != std::string::npos);
  CHECK(status_of(answer_to(
            fixture, "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n" +
                         std::string(2048, 'x') + "\r\n0\r\n\r\n")) ==
        "HTTP/1.1 413 Request Entity Too Large");
  CHECK(status_of(answer_to(fixture, "POST / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n"
                                     "Content-Length: 1000\r\n\r\n" + std::string(1000, 'x'))) ==
        "HTTP/1.1 200 OK");
}

TEST_CASE("http server limits: a client that goes on sending a refused body reads the answer",
          "[http]") {
  ServerOptions options;
  options.body_max_bytes = 1000;
  ServerFixture fixture(echo, options);
  SocketClient client(fixture.port);
  client.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 3000000\r\n\r\n");
  client.send(std::string(3'000'000, 'x'));
  CHECK(client.read_response().starts_with("HTTP/1.1 413 "));
}

TEST_CASE("http server limits: bodies over all connections are bounded, 503 says when to retry",
          "[http]") {
  Holder holder;
  ServerOptions options;
  options.bodies_total_max_bytes = 1500;
  ServerFixture fixture(holder.handler(), options);
  const std::string request =
      "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1000\r\n\r\n" + std::string(1000, 'x');
  SocketClient first(fixture.port);
  first.send(request);
  ExchangePtr waiting = holder.take();
  const std::string refused = answer_to(fixture, request);
  CHECK(status_of(refused) == "HTTP/1.1 503 Service Unavailable");
  CHECK(refused.find("Retry-After: ") != std::string::npos);
  CHECK(status_of(answer_to(
            fixture, "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n258\r\n" +
                         std::string(600, 'x') + "\r\n0\r\n\r\n")) ==
        "HTTP/1.1 503 Service Unavailable");
  waiting->send(Response());
  waiting.reset();
  CHECK(status_of(first.read_response()) == "HTTP/1.1 200 OK");
  // The first body has given its room back before its connection reads on. (On another one a
  // request may come in between the answer and that.)
  first.send(request);
  holder.take()->send(Response());
  CHECK(status_of(first.read_response()) == "HTTP/1.1 200 OK");
}

TEST_CASE("http server limits: a body that is dropped gives its room back before the answer",
          "[http]") {
  ServerOptions options;
  options.bodies_total_max_bytes = 1500;
  ServerFixture fixture(
      [](const ExchangePtr& exchange) {
        Response never_ends;
        never_ends.status = exchange->request().body.size() == 1000 ? 200 : 500;
        exchange->drop_body();
        never_ends.next_piece = [](std::string&) { return true; };
        never_ends.wait = [](const std::function<void()>&) {};
        exchange->send(std::move(never_ends));
      },
      options);
  std::vector<std::unique_ptr<SocketClient>> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(std::make_unique<SocketClient>(fixture.port));
    clients.back()->send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1000\r\n\r\n" +
                         std::string(1000, 'x'));
    CHECK(clients.back()->read_until("\r\n\r\n").starts_with("HTTP/1.1 200 OK"));
  }
}

// Holds what is asked of /hold, and echoes the rest.
class Holding {
 public:
  Handler handler() {
    return [this](ExchangePtr exchange) {
      if (exchange->request().path != "/hold") return echo(std::move(exchange));
      const std::lock_guard lock(mutex_);
      held_.push_back(std::move(exchange));
      arrived_.notify_one();
    };
  }
  void wait_for(std::size_t requests) {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [&] { return held_.size() == requests; });
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    for (ExchangePtr& each : held_) echo(std::move(each));
    held_.clear();
  }

 private:
  std::mutex mutex_;  // guards held_
  std::condition_variable arrived_;
  std::vector<ExchangePtr> held_;
};

constexpr std::string_view kHold = "GET /hold HTTP/1.1\r\nHost: t\r\n\r\n";
constexpr std::string_view kAsk = "GET / HTTP/1.1\r\nHost: t\r\n\r\n";

// Waits until as many have come as said, and those who had to make room for them have gone.
void settle(ServerFixture& fixture, double accepted, double open) {
  base::Counter& come = fixture.metrics.counter("net_conntrack_listener_conn_accepted_total", "",
                                                {{"listener_name", "http"}});
  base::Counter& gone = fixture.metrics.counter("net_conntrack_listener_conn_closed_total", "",
                                                {{"listener_name", "http"}});
  REQUIRE(
      eventually([&] { return come.value() >= accepted && come.value() - gone.value() <= open; }));
}

TEST_CASE("http server limits: too many connections get 503", "[http]") {
  Holding holding;
  ServerOptions options;
  options.connections_max = 2;
  ServerFixture fixture(holding.handler(), options);
  SocketClient first(fixture.port);
  SocketClient second(fixture.port);
  for (SocketClient* client : {&first, &second}) client->send(kHold);
  holding.wait_for(2);
  SocketClient third(fixture.port);
  CHECK(status_of(third.read_to_end()) == "HTTP/1.1 503 Service Unavailable");
  holding.let_go();
  for (SocketClient* client : {&first, &second}) {
    CHECK(status_of(client->read_response()) == "HTTP/1.1 200 OK");
  }
}

TEST_CASE("http server limits: whoever only waits makes room for those who come", "[http]") {
  const std::string_view sent = GENERATE("", "GET / HT", "GET / HTTP/1.1\r\nHost: t\r\n",
                                         "GET / HTTP/1.1\r\nHost: t\r\n\r\n");
  CAPTURE(sent);
  Holding holding;
  ServerOptions options;
  options.connections_max = 20;
  options.header_timeout = options.read_timeout = std::chrono::hours(1);
  ServerFixture fixture(holding.handler(), options);
  SocketClient busy(fixture.port);
  busy.send(kHold);
  holding.wait_for(1);
  std::vector<std::unique_ptr<SocketClient>> waiting;
  for (int i = 0; i < 100; ++i) {
    waiting.push_back(std::make_unique<SocketClient>(fixture.port));
    waiting.back()->send(sent);
    if (sent.ends_with("\r\n\r\n")) {
      REQUIRE(status_of(waiting.back()->read_response()) == "HTTP/1.1 200 OK");
    }
    settle(fixture, i + 2, 20);
  }
  for (int i = 0; i < 100; ++i) {
    SocketClient client(fixture.port);
    client.send(kAsk);
    REQUIRE(status_of(client.read_response()) == "HTTP/1.1 200 OK");
  }
  // Those who came first had to go first, and the one whose request is worked on has not gone.
  CHECK(waiting.front()->closed_within(kPatience));
  holding.let_go();
  CHECK(status_of(busy.read_response()) == "HTTP/1.1 200 OK");
  CHECK(fixture.metrics.counter("varve_http_connections_displaced_total", "").value() >= 80);
}

TEST_CASE("http server limits: a stream that waits for its server makes no room", "[http]") {
  ServerOptions options;
  options.connections_max = 8;
  ServerFixture fixture(
      [](const ExchangePtr& exchange) {
        if (exchange->request().path != "/stream") return echo(exchange);
        Response never_ends;
        never_ends.next_piece = [](std::string&) { return true; };
        never_ends.wait = [](const std::function<void()>&) {};
        exchange->send(std::move(never_ends));
      },
      options);
  SocketClient stream(fixture.port);
  stream.send("GET /stream HTTP/1.1\r\nHost: t\r\n\r\n");
  stream.read_until("\r\n\r\n");
  std::vector<std::unique_ptr<SocketClient>> silent;
  for (int i = 0; i < 50; ++i) {
    silent.push_back(std::make_unique<SocketClient>(fixture.port));
    settle(fixture, i + 2, 8);
  }
  CHECK(silent.front()->closed_within(kPatience));
  CHECK_FALSE(stream.closed_within(std::chrono::milliseconds(0)));
}

TEST_CASE("http server limits: reserved connections answer reserved paths, once", "[http]") {
  Holding holding;
  ServerOptions options;
  options.connections_max = 1;
  options.connections_reserved = 2;
  options.reserved_paths = {"/-/healthy"};
  ServerFixture fixture(holding.handler(), options);
  SocketClient held(fixture.port);
  REQUIRE(held.send(kHold));
  holding.wait_for(1);
  // Nor can these be taken by those who say nothing.
  std::vector<std::unique_ptr<SocketClient>> silent;
  for (int i = 0; i < 10; ++i) {
    silent.push_back(std::make_unique<SocketClient>(fixture.port));
    settle(fixture, i + 2, 3);
  }
  SocketClient healthy(fixture.port);
  REQUIRE(healthy.send("GET /-/healthy HTTP/1.1\r\nHost: h\r\n\r\n"));
  const std::string answer = healthy.read_to_end();  // it is not kept
  CHECK(answer.starts_with("HTTP/1.1 200"));
  SocketClient other(fixture.port);
  REQUIRE(other.send("GET /b HTTP/1.1\r\nHost: h\r\n\r\n"));
  CHECK(other.read_to_end().starts_with("HTTP/1.1 503"));
  holding.let_go();
}

TEST_CASE("http server limits: slow and half-open connections are closed", "[http]") {
  ServerOptions options;
  options.header_timeout = std::chrono::milliseconds(200);
  options.read_timeout = std::chrono::milliseconds(200);
  ServerFixture fixture(echo, options);
  SocketClient silent(fixture.port);
  SocketClient within_header(fixture.port);
  within_header.send("GET / HTTP/1.1\r\nHo");
  SocketClient within_body(fixture.port);
  within_body.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nabc");
  SocketClient idle(fixture.port);
  idle.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
  for (SocketClient* client : {&silent, &within_header, &within_body, &idle}) {
    CHECK(client->closed_within(kPatience));
  }
  CHECK(fixture.metrics.counter("varve_http_connections_timed_out_total", "").value() == 4);
}

TEST_CASE("http server limits: a request trickling in keeps no more than its header time",
          "[http]") {
  ServerOptions options;
  options.header_timeout = std::chrono::milliseconds(300);
  ServerFixture fixture(echo, options);
  SocketClient client(fixture.port);
  const auto begin = std::chrono::steady_clock::now();
  client.send("GET / HTTP/1.1\r\n");
  while (!client.closed_within(std::chrono::milliseconds(20))) {
    if (!client.send("X: y\r\n")) break;
    REQUIRE(std::chrono::steady_clock::now() - begin < kPatience);
  }
}

}  // namespace
}  // namespace varve::http::testing
