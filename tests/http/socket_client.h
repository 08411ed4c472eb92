// SPDX-License-Identifier: Apache-2.0
// A client as rude as a test needs it: sends any bytes, whenever it likes, over a real socket.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "patience.h"

namespace varve::http::testing {

class SocketClient {
 public:
  // Connects to 127.0.0.1; ok() says whether that worked.
  explicit SocketClient(std::uint16_t port);
  ~SocketClient();
  SocketClient(const SocketClient&) = delete;
  SocketClient& operator=(const SocketClient&) = delete;

  bool ok() const { return fd_ >= 0; }
  bool send(std::string_view bytes);
  // Whether the server has ended the connection, reading away what comes before that.
  bool closed_within(std::chrono::milliseconds timeout);
  // Everything until `end` has come (or the connection ended, or kPatience went by).
  std::string read_until(std::string_view end);
  // One response with Content-Length, or chunked; bytes that follow stay for the next call.
  std::string read_response();
  std::string read_to_end();
  void shut_down_sending();
  void close();

 private:
  bool receive(std::chrono::milliseconds timeout);
  int fd_ = -1;
  bool ended_ = false;
  std::string buffer_;
};

}  // namespace varve::http::testing
