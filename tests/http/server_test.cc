// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <catch2/catch.hpp>
#include <latch>
#include <stdexcept>
#include <thread>

#include "eventually.h"
#include "http/content_coding.h"
#include "server_fixture.h"
#include "socket_client.h"

namespace varve::http::testing {
namespace {

std::string body_of(const std::string& response) {
  return response.substr(response.find("\r\n\r\n") + 4);
}

TEST_CASE("http server: a connection serves many requests", "[http]") {
  ServerFixture fixture(echo);
  SocketClient client(fixture.port);
  REQUIRE(client.ok());
  for (int i = 0; i < 3; ++i) {
    REQUIRE(client.send("GET /a%20b?x=1 HTTP/1.1\r\nHost: t\r\n\r\n"));
    const std::string response = client.read_response();
    CHECK(response.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(body_of(response) == "GET /a b?x=1 ");
  }
}

TEST_CASE("http server: bodies of known length arrive whole however they are cut", "[http]") {
  ServerFixture fixture([](ExchangePtr exchange) {
    Response response;
    response.body = std::to_string(std::hash<std::string>{}(exchange->request().body));
    exchange->send(std::move(response));
  });
  std::string body(1'000'000, 'x');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 31 % 251);
  const std::string request =
      "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
      body;
  const auto cut = GENERATE(1u, 30u, 70u, 5000u, 500000u);
  CAPTURE(cut);
  SocketClient client(fixture.port);
  REQUIRE(client.send(request.substr(0, cut)));
  std::this_thread::yield();
  REQUIRE(client.send(request.substr(cut)));
  CHECK(body_of(client.read_response()) == std::to_string(std::hash<std::string>{}(body)));
}

TEST_CASE("http server: chunked bodies and their trailers", "[http]") {
  ServerFixture fixture(echo);
  SocketClient client(fixture.port);
  client.send("POST /p HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
  client.send(
      "lo\r\n6;x=y\r\n world\r\n0\r\nTrailer: z\r\n\r\nGET /next HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(body_of(client.read_response()) == "POST /p? hello world");
  CHECK(body_of(client.read_response()) == "GET /next? ");
}

TEST_CASE("http server: pipelined requests are answered in order", "[http]") {
  ServerFixture fixture(echo);
  SocketClient client(fixture.port);
  std::string requests;
  for (int i = 0; i < 200; ++i) {
    requests +=
        "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nabc";
  }
  client.send(requests);
  for (int i = 0; i < 200; ++i) {
    REQUIRE(body_of(client.read_response()) == "POST /" + std::to_string(i) + "? abc");
  }
}

TEST_CASE("http server: Expect: 100-continue is answered before the body", "[http]") {
  ServerFixture fixture(echo);
  SocketClient client(fixture.port);
  client.send("POST /p HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.read_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("body");
  CHECK(body_of(client.read_response()) == "POST /p? body");
}

TEST_CASE("http server: HTTP/1.0 closes after the response", "[http]") {
  ServerFixture fixture(echo);
  SocketClient client(fixture.port);
  client.send("GET / HTTP/1.0\r\n\r\n");
  const std::string response = client.read_to_end();
  CHECK(response.find("Connection: close\r\n") != std::string::npos);
  CHECK(body_of(response) == "GET /? ");
}

TEST_CASE("http server: HEAD has the headers of GET and no body", "[http]") {
  ServerFixture fixture(echo);
  SocketClient client(fixture.port);
  client.send("HEAD /abc HTTP/1.1\r\nHost: t\r\n\r\nGET /next HTTP/1.1\r\nHost: t\r\n\r\n");
  const std::string head = client.read_until("\r\n\r\n");
  CHECK(head.find("Content-Length: 11\r\n") != std::string::npos);
  CHECK(body_of(client.read_response()) == "GET /next? ");
}

TEST_CASE("http server: an answer from another thread, later", "[http]") {
  std::vector<std::thread> threads;
  std::mutex mutex;
  {
    ServerFixture fixture([&](ExchangePtr exchange) {
      const std::lock_guard lock(mutex);
      threads.emplace_back(
          [exchange = std::move(exchange)]() mutable { echo(std::move(exchange)); });
    });
    SocketClient client(fixture.port);
    for (int i = 0; i < 20; ++i) {
      client.send("GET /t HTTP/1.1\r\nHost: t\r\n\r\n");
      REQUIRE(body_of(client.read_response()) == "GET /t? ");
    }
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_CASE("http server: an exchange that is dropped, and one that throws, answer 500", "[http]") {
  ServerFixture fixture([](ExchangePtr exchange) {
    if (exchange->request().path == "/throw") throw std::runtime_error("boom");
  });
  SocketClient client(fixture.port);
  client.send("GET /drop HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(client.read_response().starts_with("HTTP/1.1 500 "));
  client.send("GET /throw HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(client.read_response().starts_with("HTTP/1.1 500 "));
  const std::lock_guard lock(fixture.mutex);
  CHECK(fixture.logged.find("err=boom") != std::string::npos);
}

TEST_CASE("http server: a streamed response comes in chunks", "[http]") {
  ServerFixture fixture([](ExchangePtr exchange) {
    Response response;
    response.next_piece = [n = 0](std::string& piece) mutable {
      piece += "piece" + std::to_string(n);
      return ++n < 3;
    };
    exchange->send(std::move(response));
  });
  SocketClient client(fixture.port);
  client.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(body_of(client.read_response()) ==
        "6\r\npiece0\r\n6\r\npiece1\r\n6\r\npiece2\r\n0\r\n\r\n");
  client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(body_of(client.read_to_end()) == "piece0piece1piece2");
}

TEST_CASE("http server: a stream stops when the client does not read", "[http]") {
  std::atomic<std::size_t> made{0};
  ServerOptions options;
  options.write_timeout = std::chrono::milliseconds(300);
  ServerFixture fixture(
      [&](ExchangePtr exchange) {
        Response response;
        response.compressible = false;
        response.next_piece = [&](std::string& piece) {
          piece.assign(65536, 'x');
          made += piece.size();
          return true;
        };
        exchange->send(std::move(response));
      },
      options);
  SocketClient client(fixture.port);
  client.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
  client.read_until("\r\n\r\n");
  // The endless stream fills the sockets' buffers, then waits, then is given up.
  REQUIRE(eventually([&] {
    return fixture.metrics.counter("varve_http_connections_timed_out_total", "").value() >= 1;
  }));
  CHECK(made < 64u << 20);
}

// A stream that has what the test gives it.
struct Feed {
  std::mutex mutex;
  std::string ready;
  bool ended = false;
  std::function<void()> wake;

  void give(const std::string& text, bool last) {
    std::function<void()> waiting;
    {
      const std::lock_guard lock(mutex);
      ready += text;
      ended = last;
      waiting = std::exchange(wake, nullptr);
    }
    if (waiting) waiting();
  }
  static void answer(const ExchangePtr& exchange, const std::shared_ptr<Feed>& feed) {
    Response response;
    response.next_piece = [feed](std::string& piece) {
      const std::lock_guard lock(feed->mutex);
      piece += std::exchange(feed->ready, {});
      return !feed->ended;
    };
    response.wait = [feed](std::function<void()> wake) {
      std::unique_lock lock(feed->mutex);
      if (feed->ready.empty() && !feed->ended) {
        feed->wake = std::move(wake);
        return;
      }
      lock.unlock();
      wake();
    };
    exchange->send(std::move(response));
  }
};

TEST_CASE("http server: a stream that waits is written as soon as it has more", "[http]") {
  const auto feed = std::make_shared<Feed>();
  ServerFixture fixture([&](ExchangePtr exchange) { Feed::answer(exchange, feed); });
  SocketClient client(fixture.port);
  client.send("GET / HTTP/1.1\r\nHost: t\r\nAccept-Encoding: gzip\r\n\r\n");
  CHECK(client.read_until("\r\n\r\n").find("Content-Encoding") == std::string::npos);
  feed->give("one", false);
  CHECK(client.read_until("one\r\n") == "3\r\none\r\n");
  feed->give("two", false);
  CHECK(client.read_until("two\r\n") == "3\r\ntwo\r\n");
  feed->give("", true);
  CHECK(client.read_until("0\r\n\r\n") == "0\r\n\r\n");
  // The connection goes on.
  feed->ended = false;
  client.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
  client.read_until("\r\n\r\n");
  feed->give("three", true);
  CHECK(client.read_until("three\r\n") == "5\r\nthree\r\n");
}

TEST_CASE("http server: a waiting stream goes when its client does, and when the server stops",
          "[http]") {
  const bool client_goes = GENERATE(true, false);
  CAPTURE(client_goes);
  const auto feed = std::make_shared<Feed>();
  ServerFixture fixture([&](ExchangePtr exchange) { Feed::answer(exchange, feed); });
  SocketClient client(fixture.port);
  client.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
  client.read_until("\r\n\r\n");
  REQUIRE(eventually([&] {
    const std::lock_guard lock(feed->mutex);
    return feed->wake != nullptr;  // it waits
  }));
  if (client_goes) {
    client.close();
  } else {
    fixture.server->stop(std::chrono::hours(1));
    CHECK(client.closed_within(kPatience));
  }
  REQUIRE(eventually([&] { return feed.use_count() == 1; }));  // nothing of the response is left
  feed->give("too late", true);
}

TEST_CASE("http server: responses are compressed as the client likes it", "[http]") {
  std::string plain;
  for (int i = 0; i < 2000; ++i) plain += "line " + std::to_string(i) + '\n';
  const bool points = GENERATE(false, true);
  ServerFixture fixture([&](ExchangePtr exchange) {
    Response response;
    response.points = points;
    if (exchange->request().path == "/stream") {
      response.next_piece = [&plain, at = std::size_t{0}](std::string& piece) mutable {
        piece += plain.substr(at, 5000);
        at += 5000;
        return at < plain.size();
      };
    } else {
      response.body = plain;
    }
    exchange->send(std::move(response));
  });
  SocketClient client(fixture.port);
  std::string out;

  client.send("GET / HTTP/1.1\r\nHost: t\r\nAccept-Encoding: gzip, deflate\r\n\r\n");
  std::string response = client.read_response();
  CHECK(response.find("Content-Encoding: gzip\r\n") != std::string::npos);
  REQUIRE(gzip_decompress(body_of(response), 1 << 20, out).ok());
  CHECK(out == plain);

  client.send("GET / HTTP/1.1\r\nHost: t\r\nAccept-Encoding: gzip, zstd\r\n\r\n");
  response = client.read_response();
  CHECK(response.find("Content-Encoding: zstd\r\n") != std::string::npos);
  REQUIRE(zstd_decompress(body_of(response), 1 << 20, out).ok());
  CHECK(out == plain);

  const auto coding = GENERATE(ContentCoding::kGzip, ContentCoding::kZstd);
  client.send("GET /stream HTTP/1.0\r\nAccept-Encoding: " + std::string(to_string(coding)) +
              "\r\n\r\n");
  response = client.read_to_end();
  REQUIRE(decompress(coding, body_of(response), 1 << 20, out).ok());
  CHECK(out == plain);
}

TEST_CASE("http server: a handler sees that its client has hung up", "[http]") {
  Holder holder;
  ServerFixture fixture(holder.handler());
  SocketClient client(fixture.port);
  // Half of a next request does not make it one that waits for more answers.
  const std::string_view begun_too =
      GENERATE("", "GET /next HT", "POST /next HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nbo",
               "POST /next HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n");
  CAPTURE(begun_too);
  client.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n" + std::string(begun_too));
  ExchangePtr waiting = holder.take();
  CHECK_FALSE(waiting->client_gone());
  client.close();
  REQUIRE(eventually([&] { return waiting->client_gone(); }));
  waiting->send(Response());
  waiting.reset();
}

TEST_CASE("http server: work after the handler comes after it, and sees the client hang up",
          "[http]") {
  std::atomic<bool> handler_returned{false}, work_saw_return{false};
  std::atomic<int> answered{0};
  std::atomic<bool> saw_hang_up{false};
  ServerFixture fixture([&](ExchangePtr exchange) {
    handler_returned = false;
    std::function<void()> work = [&, exchange] {
      work_saw_return = handler_returned.load();
      if (exchange->request().path == "/wait") {
        saw_hang_up = eventually([&] { return exchange->client_gone(); });
        return;
      }
      ++answered;
      echo(exchange);
    };
    // Refused where the thread of the work before has not come back from sending its answer yet.
    eventually([&] { return exchange->run_after_handler(work); });
    handler_returned = true;
  });
  {
    SocketClient client(fixture.port);
    for (int i = 0; i < 20; ++i) {
      client.send("GET /t HTTP/1.1\r\nHost: t\r\n\r\n");
      REQUIRE(body_of(client.read_response()) == "GET /t? ");
    }
    CHECK(work_saw_return);
    client.send("GET /wait HTTP/1.1\r\nHost: t\r\n\r\n");
  }
  CHECK(eventually([&] { return saw_hang_up.load(); }));
  CHECK(answered == 20);
}

TEST_CASE("http server: there is no work after the handler on other threads", "[http]") {
  std::thread other;
  bool accepted = true;
  {
    ServerFixture fixture([&](ExchangePtr exchange) {
      other = std::thread([&accepted, exchange = std::move(exchange)] {
        std::function<void()> work = [] {};
        accepted = exchange->run_after_handler(work);
        echo(exchange);
      });
    });
    SocketClient client(fixture.port);
    client.send("GET /t HTTP/1.1\r\nHost: t\r\n\r\n");
    CHECK(body_of(client.read_response()) == "GET /t? ");
    other.join();
  }
  CHECK_FALSE(accepted);
}

TEST_CASE("http server: a handler that takes long holds up nobody else", "[http]") {
  std::latch others_answered(1);
  ServerOptions options;
  options.lanes = 1;
  ServerFixture fixture(
      [&](ExchangePtr exchange) {
        if (exchange->request().path == "/long") others_answered.wait();
        echo(std::move(exchange));
      },
      options);
  SocketClient slow(fixture.port);
  slow.send("GET /long HTTP/1.1\r\nHost: t\r\n\r\n");
  for (int i = 0; i < 3; ++i) {
    SocketClient client(fixture.port);
    client.send("GET /t HTTP/1.1\r\nHost: t\r\n\r\n");
    CHECK(body_of(client.read_response()) == "GET /t? ");
  }
  others_answered.count_down();
  CHECK(body_of(slow.read_response()) == "GET /long? ");
}

TEST_CASE("http server: one thread of a lane is left for others while one is at work", "[http]") {
  std::latch at_work(1);
  std::latch refused(1);
  ServerOptions options;
  options.lanes = 1;
  ServerFixture fixture(
      [&](ExchangePtr exchange) {
        std::function<void()> work = [&, exchange] {
          if (exchange->request().path == "/long") {
            at_work.count_down();
            refused.wait();
          }
          echo(exchange);
        };
        if (exchange->run_after_handler(work)) return;
        refused.count_down();
        work();
      },
      options);
  SocketClient slow(fixture.port);
  slow.send("GET /long HTTP/1.1\r\nHost: t\r\n\r\n");
  at_work.wait();
  SocketClient client(fixture.port);
  client.send("GET /t HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(body_of(client.read_response()) == "GET /t? ");
  CHECK(body_of(slow.read_response()) == "GET /long? ");
}

TEST_CASE("http server: a half-closed client still gets its answer", "[http]") {
  ServerFixture fixture(echo);
  SocketClient client(fixture.port);
  client.send("GET /half HTTP/1.1\r\nHost: t\r\n\r\n");
  client.shut_down_sending();
  CHECK(body_of(client.read_to_end()) == "GET /half? ");
}

TEST_CASE("http server: all requests that came before the client ended its side are answered",
          "[http]") {
  constexpr std::string_view kRequests =
      "GET /1 HTTP/1.1\r\nHost: t\r\n\r\nGET /2 HTTP/1.1\r\nHost: t\r\n\r\n"
      "POST /3 HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nbody";
  const bool end_while_first_is_handled = GENERATE(false, true);
  const std::string_view begun_too = GENERATE("", "GET /4 HTT");
  CAPTURE(end_while_first_is_handled, begun_too);
  std::latch ended(1);
  std::atomic<bool> third_gone{true};
  ServerFixture fixture([&](ExchangePtr exchange) {
    if (end_while_first_is_handled && exchange->request().path == "/1") {
      std::function<void()> work = [&ended, exchange] {
        ended.wait();
        echo(exchange);
      };
      // Refused where the round before has not quite ended.
      eventually([&] { return exchange->run_after_handler(work); });
      return;
    }
    if (exchange->request().path == "/3") third_gone = exchange->client_gone();
    echo(exchange);
  });
  for (int round = 0; round < 20; ++round) {
    SocketClient client(fixture.port);
    REQUIRE(client.send(std::string(kRequests) + std::string(begun_too)));
    client.shut_down_sending();
    ended.count_down(round == 0 ? 1 : 0);
    CHECK(body_of(client.read_response()) == "GET /1? ");
    CHECK(body_of(client.read_response()) == "GET /2? ");
    CHECK(body_of(client.read_response()) == "POST /3? body");
    CHECK_FALSE(third_gone);
    CHECK(client.read_to_end().empty());
  }
}

TEST_CASE("http server: each of several requests is answered, whenever the client ended its side",
          "[http]") {
  const int ended_at = GENERATE(0, 1, 2, 3);
  CAPTURE(ended_at);
  Holder holder;
  ServerFixture fixture(holder.handler());
  SocketClient client(fixture.port);
  REQUIRE(
      client.send("GET /1 HTTP/1.1\r\nHost: t\r\n\r\nGET /2 HTTP/1.1\r\nHost: t\r\n\r\n"
                  "GET /3 HTTP/1.1\r\nHost: t\r\n\r\n"));
  if (ended_at == 0) client.shut_down_sending();
  for (int i = 1; i <= 3; ++i) {
    ExchangePtr waiting = holder.take();
    CHECK(waiting->request().path == "/" + std::to_string(i));
    if (ended_at == i) client.shut_down_sending();
    // The end of input is all that can be seen of a client that hangs up behind its last request.
    if (ended_at == i && i == 3) {
      REQUIRE(eventually([&] { return waiting->client_gone(); }));
    }
    echo(waiting);
    waiting.reset();
    CHECK(body_of(client.read_response()) == "GET /" + std::to_string(i) + "? ");
  }
}

TEST_CASE("http server: stop lets a request under way finish and refuses new ones", "[http]") {
  Holder holder;
  ServerFixture fixture(holder.handler());
  SocketClient idle(fixture.port);
  SocketClient client(fixture.port);
  client.send("GET /slow HTTP/1.1\r\nHost: t\r\n\r\n");
  ExchangePtr waiting = holder.take();
  std::thread stopper([&] { fixture.server->stop(kPatience); });
  CHECK(idle.closed_within(kPatience));
  Response response;
  response.body = "done";
  waiting->send(std::move(response));
  waiting.reset();
  const std::string answer = client.read_to_end();
  CHECK(body_of(answer) == "done");
  CHECK(answer.find("Connection: close\r\n") != std::string::npos);
  client.close();
  stopper.join();
  CHECK_FALSE(SocketClient(fixture.port).ok());
}

TEST_CASE("http server: a stop waits for no request that has not come whole", "[http]") {
  const std::string_view begun =
      GENERATE("", "G", "GET /slow HTTP/1.1\r\nHo",
               "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nabc",
               "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab");
  CAPTURE(begun);
  ServerFixture fixture(echo);
  SocketClient client(fixture.port);
  client.send(begun);
  const double come = static_cast<double>(begun.size());
  base::Counter& received = fixture.metrics.counter("varve_http_received_bytes_total", "");
  REQUIRE(eventually([&] { return received.value() >= come; }));
  fixture.server->stop(std::chrono::hours(1));  // it returns
  CHECK(client.closed_within(kPatience));
}

TEST_CASE("http server: a stop says in the log what it waits for", "[http]") {
  Holder holder;
  ServerFixture fixture(holder.handler());
  SocketClient client(fixture.port);
  client.send("GET /slow?x=1 HTTP/1.1\r\nHost: t\r\n\r\n");
  ExchangePtr waiting = holder.take();
  std::thread stopper([&] { fixture.server->stop(kPatience); });
  const auto logged = [&](std::string_view text) {
    const std::lock_guard lock(fixture.mutex);
    return fixture.logged.find(text) != std::string::npos;
  };
  CHECK(eventually([&] { return logged("path=/slow"); }));
  CHECK(logged("waiting for HTTP requests under way"));
  CHECK(logged("client=127.0.0.1:"));
  waiting->send(Response());
  waiting.reset();
  CHECK(client.read_to_end().starts_with("HTTP/1.1 200"));
  client.close();
  stopper.join();
}

TEST_CASE("http server: a stop does not wait for clients that keep their side open", "[http]") {
  Holder holder;
  ServerFixture fixture(holder.handler());
  SocketClient client(fixture.port);
  client.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
  ExchangePtr waiting = holder.take();
  std::thread stopper([&] { fixture.server->stop(std::chrono::hours(1)); });
  waiting->send(Response());
  waiting.reset();
  stopper.join();  // and the client has said nothing
}

TEST_CASE("http server: an exchange may be answered after the server has gone", "[http]") {
  Holder holder;
  ExchangePtr waiting;
  {
    ServerFixture fixture(holder.handler());
    SocketClient client(fixture.port);
    client.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
    waiting = holder.take();
  }
  CHECK(waiting->client_gone());
  waiting->send(Response());
}

TEST_CASE("http server: addresses that cannot be bound are named", "[http]") {
  base::SystemClock clock;
  base::Logger log(base::LogLevel::kError, base::LogFormat::kLogfmt, clock);
  base::MetricsRegistry metrics;
  const ServerFixture taken(echo);
  for (const std::string& address :
       {"127.0.0.1:" + std::to_string(taken.port), std::string("127.0.0.1"), std::string("[::1:1"),
        std::string("a:b")}) {
    CAPTURE(address);
    ServerOptions options;
    options.listen_addresses = {address};
    const auto started = Server::start(options, echo, log, metrics);
    REQUIRE_FALSE(started.ok());
    CHECK(started.error().message().find(address) != std::string::npos);
  }
}

TEST_CASE("http server: several addresses, both families", "[http]") {
  base::SystemClock clock;
  base::Logger log(base::LogLevel::kError, base::LogFormat::kLogfmt, clock);
  base::MetricsRegistry metrics;
  ServerOptions options;
  options.listen_addresses = {"localhost:0", "127.0.0.1:0"};
  const auto started = Server::start(options, echo, log, metrics);
  REQUIRE(started.ok());
  const auto ports = started.value()->ports();
  REQUIRE(ports.size() == 2);
  CHECK(ports[0] != 0);
  SocketClient client(ports[1]);
  client.send("GET /b HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(body_of(client.read_response()) == "GET /b? ");
}

}  // namespace
}  // namespace varve::http::testing
