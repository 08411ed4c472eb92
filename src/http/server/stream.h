// SPDX-License-Identifier: Apache-2.0
// A socket, with TLS around it or without; to Asio's algorithms a stream like any other.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/strand.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include "http/server_tls.h"

namespace varve::http::server {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Strand = asio::strand<asio::io_context::executor_type>;
using Socket = asio::basic_stream_socket<tcp, Strand>;

// A connection's, touched on its strand alone.
class Stream {
 public:
  using executor_type = Strand;

  Stream(Socket socket, std::shared_ptr<const ServerTls> tls)
      : socket_(std::move(socket)), tls_(std::move(tls)) {
    if (!tls_) return;
    ::SSL_CTX_up_ref(tls_->context());
    context_.emplace(tls_->context());
    encrypted_.emplace(socket_, *context_);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  Strand get_executor() { return socket_.get_executor(); }
  Socket& socket() { return socket_; }
  bool encrypted() const { return encrypted_.has_value(); }
  // After the handshake.
  bool client_allowed() { return tls_->allows(encrypted_->native_handle()); }

  template <typename Done>
  void async_handshake(Done&& done) {
    encrypted_->async_handshake(asio::ssl::stream_base::server, std::forward<Done>(done));
  }
  template <typename Buffers, typename Done>
  void async_read_some(const Buffers& buffers, Done&& done) {
    if (encrypted_) {
      encrypted_->async_read_some(buffers, std::forward<Done>(done));
    } else {
      socket_.async_read_some(buffers, std::forward<Done>(done));
    }
  }
  // What the socket takes at once, in bytes: nothing where it is full, in trouble or encrypted.
  template <typename Buffers>
  std::size_t try_write(const Buffers& buffers) {
    error_code ignored;
    return encrypted_ ? 0 : socket_.write_some(buffers, ignored);
  }
  template <typename Buffers, typename Done>
  void async_write_some(const Buffers& buffers, Done&& done) {
    if (encrypted_) {
      encrypted_->async_write_some(buffers, std::forward<Done>(done));
    } else {
      socket_.async_write_some(buffers, std::forward<Done>(done));
    }
  }

 private:
  Socket socket_;
  std::shared_ptr<const ServerTls> tls_;
  std::optional<asio::ssl::context> context_;
  std::optional<asio::ssl::stream<Socket&>> encrypted_;
};

}  // namespace varve::http::server
