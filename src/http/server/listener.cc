// SPDX-License-Identifier: Apache-2.0
#include "http/server/listener.h"

#include <fmt/format.h>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/metrics.h"
#include "base/try.h"
#include "http/listen_address.h"
#include "http/server/census.h"
#include "http/server/connection.h"

namespace varve::http::server {
namespace {

// How long accepting pauses when the process has no file descriptors left.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

}  // namespace

Status Listener::open(const std::string& text) {
  VARVE_TRY_ASSIGN(const ListenAddress address, parse_listen_address(text));
  const std::string where = fmt::format("listen tcp {}: bind", text);
  if (address.host.empty()) {
    // Both families where the kernel has IPv6, else the one there is.
    Status both = bind(tcp::endpoint(tcp::v6(), address.port), false, where);
    return both.ok() ? std::move(both) : bind(tcp::endpoint(tcp::v4(), address.port), false, where);
  }
  error_code error;
  tcp::resolver resolver(acceptor_.get_executor());
  const auto found =
      resolver.resolve(address.host, std::to_string(address.port), tcp::resolver::passive, error);
  if (error)
    return Error(ErrorCode::kIo, fmt::format("listen tcp {}: lookup: {}", text, error.message()));
  return bind(found.begin()->endpoint(), true, where);
}

void Listener::close() {
  asio::post(acceptor_.get_executor(), [self = shared_from_this()] {
    const std::lock_guard lock(self->mutex_);
    error_code ignored;
    self->closed_ = true;
    self->acceptor_.close(ignored);
    self->pause_.cancel(ignored);
  });
}

void Listener::accept() {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  acceptor_.async_wait(Acceptor::wait_read, [self = shared_from_this()](error_code error) {
    if (error != asio::error::operation_aborted) self->take_waiting();
  });
}

Status Listener::bind(const tcp::endpoint& endpoint, bool v6_only, const std::string& where) {
  error_code error;
  acceptor_.close(error);
  const auto failed = [&] {
    return Error(ErrorCode::kIo, fmt::format("{}: {}", where, error.message()));
  };
  acceptor_.open(endpoint.protocol(), error);
  if (error) return failed();
  acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (error) return failed();
  if (endpoint.protocol() == tcp::v6()) {
    acceptor_.set_option(asio::ip::v6_only(v6_only), error);
    if (error) return failed();
  }
  acceptor_.bind(endpoint, error);
  if (error) return failed();
  acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) return failed();
  acceptor_.non_blocking(true, error);
  if (error) return failed();
  return {};
}

// All that wait, so that a burst costs no look at the kernel's list each. Who gets a lane is
// decided as late as it can be: when the client is there.
void Listener::take_waiting() {
  for (;;) {
    Lane& lane = core_->next_lane();
    error_code error;
    std::unique_lock lock(mutex_);
    if (closed_) return;
    Socket socket = acceptor_.accept(asio::make_strand(lane.io), error);
    if (error == asio::error::would_block || error == asio::error::try_again) break;
    if (error && error != asio::error::connection_aborted) {
      core_->log.warn("Accepting connections failed", {{"err", error.message()}});
      pause_.expires_after(kAcceptPause);
      pause_.async_wait([self = shared_from_this()](error_code) { self->accept(); });
      return;
    }
    lock.unlock();
    if (!error) welcome(std::move(socket), lane);
  }
  accept();
}

void Listener::welcome(Socket socket, Lane& lane) {
  error_code ignored;
  core_->metrics.accepted.add();
  const tcp::endpoint remote = socket.remote_endpoint(ignored);
  socket.set_option(tcp::no_delay(true), ignored);
  socket.non_blocking(true, ignored);
  std::shared_ptr<Connection> connection;
  Room room;
  auto tls = core_->options.tls ? core_->options.tls() : nullptr;
  const bool encrypted = tls != nullptr;
  {
    const std::lock_guard lock(core_->mutex);
    if (core_->stopping.load()) return;  // what is made now, stop() would not see
    room = find_room(*core_, Clock::now());
    if (room.kind != Room::Kind::kNone) {
      const std::string address = remote.address().to_string(ignored);
      connection = std::make_shared<Connection>(core_, lane, std::move(socket), std::move(tls),
                                                remote.address().is_v6()
                                                    ? fmt::format("[{}]:{}", address, remote.port())
                                                    : fmt::format("{}:{}", address, remote.port()),
                                                room.kind == Room::Kind::kReserved);
      core_->connections.emplace(connection.get(), connection);
    }
  }
  if (room.from.connection) ask_to_go(std::move(room.from));
  if (connection) {
    core_->metrics.connections.add(1);
    asio::dispatch(connection->strand(), [connection] { connection->start(); });
    return;
  }
  // Better than a client that waits in the backlog without knowing why. One attempt: the buffer
  // of a new socket has room for it.
  static constexpr std::string_view kFull =
      "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n"
      "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 21\r\n\r\ntoo many connections\n";
  core_->metrics.refused.add();
  if (!encrypted) socket.write_some(asio::buffer(kFull.data(), kFull.size()), ignored);
  socket.shutdown(tcp::socket::shutdown_both, ignored);
  socket.close(ignored);
  core_->metrics.closed.add();
}

}  // namespace varve::http::server
