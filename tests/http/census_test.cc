// SPDX-License-Identifier: Apache-2.0
// Who is let go for others, and who is not any more when it comes to that. Connections without a
// server: the test runs their lane itself, handler by handler, and says what time it is.
#include "http/server/census.h"

#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "eventually.h"
#include "server_fixture.h"

namespace varve::http::server {
namespace {

using testing::eventually;

ServerOptions one_connection() {
  ServerOptions options;
  options.lanes = 1;
  options.connections_max = 1;
  options.connections_reserved = 5;  // so that the census does not end at twice as many
  return options;
}

class OneRoom {
 public:
  explicit OneRoom(Handler handler)
      : core(std::make_shared<Core>(one_connection(), std::move(handler), log_, metrics_)) {}
  ~OneRoom() {
    for (auto& [raw, weak] : std::exchange(core->connections, {})) {
      if (auto each = weak.lock()) each->close();
    }
    core->lanes[0]->io.restart();
    core->lanes[0]->io.poll();
  }
  OneRoom(const OneRoom&) = delete;
  OneRoom& operator=(const OneRoom&) = delete;

  // A connection that reads, and the socket of its client.
  std::pair<std::shared_ptr<Connection>, tcp::socket> connect(int send_buffer_bytes = 0) {
    tcp::socket client(clients_);
    client.open(tcp::v4());
    if (send_buffer_bytes > 0) {
      client.set_option(asio::socket_base::receive_buffer_size(send_buffer_bytes));
    }
    client.connect(acceptor_.local_endpoint());
    Socket socket = acceptor_.accept(asio::make_strand(core->lanes[0]->io));
    if (send_buffer_bytes > 0) {
      socket.set_option(asio::socket_base::send_buffer_size(send_buffer_bytes));
    }
    socket.non_blocking(true);
    auto connection = std::make_shared<Connection>(core, *core->lanes[0], std::move(socket),
                                                   nullptr, "127.0.0.1:1", false);
    core->connections.emplace(connection.get(), connection);
    connection->start();
    return {std::move(connection), std::move(client)};
  }
  // Lets the lane work until that is so.
  void run_until(const std::function<bool()>& done) {
    REQUIRE(eventually([&] {
      if (done()) return true;
      core->lanes[0]->io.restart();
      core->lanes[0]->io.poll_one();
      return done();
    }));
  }
  Room find(Clock::time_point now) {
    const std::lock_guard lock(core->mutex);
    return find_room(*core, now);
  }

 private:
  base::SystemClock clock_;
  base::Logger log_{base::LogLevel::kError, base::LogFormat::kLogfmt, clock_,
                    [](std::string_view) {}};
  base::MetricsRegistry metrics_;
  asio::io_context clients_;
  tcp::acceptor acceptor_{clients_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)};

 public:
  const std::shared_ptr<Core> core;
};

void send(tcp::socket& to, std::string_view text) {
  asio::write(to, asio::buffer(text.data(), text.size()));
}

bool gone(const OneRoom& room, const std::shared_ptr<Connection>& connection) {
  return !room.core->connections.contains(connection.get());
}

TEST_CASE("census: while a piece of a stream is made nobody waits for its client", "[http]") {
  OneRoom* room = nullptr;
  Waits while_made = Waits::kReading;
  bool room_while_made = true;
  OneRoom the_room([&](const ExchangePtr& exchange) {
    Response response;
    response.next_piece = [&](std::string& piece) {
      piece = "x";
      while_made = room->core->connections.begin()->first->waiting().what;
      room_while_made = room->find(Clock::now() + std::chrono::hours(1)).from.connection != nullptr;
      return false;
    };
    exchange->send(std::move(response));
  });
  room = &the_room;
  auto [connection, client] = the_room.connect();
  send(client, "GET / HTTP/1.1\r\nHost: t\r\n\r\n");
  the_room.run_until(
      [&, held = connection] { return held->waiting().what == Waits::kNextRequest; });
  CHECK(while_made == Waits::kNot);
  CHECK_FALSE(room_while_made);
}

TEST_CASE("census: whose body has moved on stays, and goes once it does not", "[http]") {
  OneRoom room(testing::echo);
  auto [connection, client] = room.connect();
  const auto held = connection;
  send(client, "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nabc");
  room.run_until([&] { return held->waiting().what == Waits::kRestOfBody; });
  const Clock::time_point before = held->waiting().since;
  Room found = room.find(before + std::chrono::seconds(2));
  REQUIRE(found.from.connection == held);
  REQUIRE(found.from.loss == Loss::kStuckBody);
  CHECK(held->leaving());
  send(client, "def");
  room.run_until([&] { return held->waiting().since > before; });
  const Clock::time_point moved = held->waiting().since;
  held->make_room(found.from.loss, moved + std::chrono::milliseconds(500));
  CHECK_FALSE(gone(room, held));
  CHECK_FALSE(held->leaving());
  held->make_room(found.from.loss, moved + std::chrono::seconds(2));
  CHECK(gone(room, held));
}

TEST_CASE("census: whoever has become more of a loss stays", "[http]") {
  OneRoom room(testing::echo);
  auto [connection, client] = room.connect();
  const auto held = connection;
  Room found = room.find(held->waiting().since + std::chrono::hours(1));
  REQUIRE(found.from.loss == Loss::kSilent);
  send(client, "GET / HTTP/1.1\r\nHost: t\r\n\r\n");
  room.run_until([&] { return held->waiting().what == Waits::kNextRequest; });
  held->make_room(found.from.loss, held->waiting().since);
  CHECK_FALSE(gone(room, held));
}

TEST_CASE("census: instead of whom stays somebody else goes", "[http]") {
  OneRoom room(testing::echo);
  auto [connection, client] = room.connect();
  const auto held = connection;
  Room found = room.find(held->waiting().since + std::chrono::hours(1));
  REQUIRE(found.from.connection == held);
  auto [came, silent_client] = room.connect();
  const auto silent = came;
  send(client, "GET / HTTP/1.1\r\nHost: t\r\n\r\n");
  room.run_until([&] { return held->waiting().what == Waits::kNextRequest; });
  held->make_room(found.from.loss, held->waiting().since);
  room.run_until([&] { return gone(room, silent) || gone(room, held); });
  CHECK(held->leaving() != silent->leaving());
}

TEST_CASE("census: a request that has come whole behind another is answered", "[http]") {
  OneRoom room(testing::echo);
  auto [connection, client] = room.connect();
  const auto held = connection;
  send(client, "GET /1 HTTP/1.1\r\nHost: t\r\n\r\nGET /2 HTTP/1.1\r\nHost: t\r\n\r\n");
  // Step by step: the first has been answered, the second waits its turn.
  room.run_until([&] { return held->waiting().what == Waits::kNextRequest; });
  Room found = room.find(held->waiting().since + std::chrono::hours(1));
  REQUIRE(found.from.connection == held);
  held->make_room(found.from.loss, held->waiting().since + std::chrono::hours(1));
  CHECK_FALSE(gone(room, held));
}

TEST_CASE("census: who reads slowly gets on with every part it takes", "[http]") {
  const std::string body(900 << 10, 'x');
  OneRoom room([&](const ExchangePtr& exchange) {
    Response response;
    response.compressible = false;
    response.body = body;
    exchange->send(std::move(response));
  });
  auto [connection, client] = room.connect(8 << 10);
  const auto held = connection;
  tcp::socket& from = client;
  from.non_blocking(true);
  send(from, "GET / HTTP/1.1\r\nHost: t\r\n\r\n");
  room.run_until([&] { return held->waiting().what == Waits::kReading; });
  int renewed = 0;
  Clock::time_point last = held->waiting().since;
  std::string piece(4 << 10, ' ');
  room.run_until([&] {
    error_code ignored;
    from.read_some(asio::buffer(piece), ignored);
    const Waiting waiting = held->waiting();
    if (waiting.what == Waits::kReading && waiting.since > last) ++renewed;
    last = waiting.since;
    return waiting.what == Waits::kNextRequest;
  });
  CHECK(renewed >= 5);
}

TEST_CASE("census: where the one to go ends by itself another one goes", "[http]") {
  OneRoom room(testing::echo);
  auto [connection, client] = room.connect();
  auto [other, other_client] = room.connect();
  REQUIRE(connection->waiting().since <= other->waiting().since);
  room.core->connections[connection.get()].reset();  // as when its last owner has let go of it
  const Room found = room.find(other->waiting().since + std::chrono::hours(1));
  CHECK(found.kind == Room::Kind::kOrdinary);
  CHECK(found.from.connection == other);
}

TEST_CASE("census: what is waited for and since when are read as one", "[http]") {
  const Clock::time_point begin = Clock::now();
  WaitRecord record;
  record.set(Waits::kNot, begin);
  std::atomic<bool> wrong{false};
  std::atomic<bool> stop{false};
  // Even units of time are of one state, odd ones of the other.
  constexpr Clock::duration kUnit{16};
  std::thread reader([&] {
    while (!stop.load()) {
      const Waiting seen = record.get();
      const auto at = (seen.since - begin + kUnit / 2) / kUnit;
      if ((at % 2 == 0) != (seen.what == Waits::kNot)) wrong = true;
    }
  });
  for (int i = 0; i < 200'000; ++i) {
    record.set(i % 2 == 0 ? Waits::kNot : Waits::kReading, begin + i * kUnit);
  }
  stop = true;
  reader.join();
  CHECK_FALSE(wrong);
}

}  // namespace
}  // namespace varve::http::server
