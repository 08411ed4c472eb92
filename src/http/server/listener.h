// SPDX-License-Identifier: Apache-2.0
// One bound address: accepts clients, within the server's bound on connections.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "http/server/core.h"
#include "http/server/stream.h"
#include "varve/result.h"

namespace varve::http::server {

// The server's; its handlers keep it alive until close() has run.
class Listener : public std::enable_shared_from_this<Listener> {
 public:
  explicit Listener(std::shared_ptr<Core> core)
      : core_(std::move(core)), acceptor_(core_->front), pause_(acceptor_.get_executor()) {}

  // Binds "host:port" (an empty host: all addresses of both families). kIo names the address.
  Status open(const std::string& text);
  std::uint16_t port() const {
    error_code ignored;
    return acceptor_.local_endpoint(ignored).port();
  }
  // Takes clients from now on until close(), which any thread may call. All else runs on the front.
  void accept();
  void close();

 private:
  using Acceptor = asio::basic_socket_acceptor<tcp, asio::io_context::executor_type>;

  Status bind(const tcp::endpoint& endpoint, bool v6_only, const std::string& where);
  void take_waiting();
  void welcome(Socket socket, Lane& lane);

  std::shared_ptr<Core> core_;
  std::mutex mutex_;  // guards the rest
  Acceptor acceptor_;
  asio::steady_timer pause_;
  bool closed_ = false;
};

}  // namespace varve::http::server
