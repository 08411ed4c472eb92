// SPDX-License-Identifier: Apache-2.0
#include "socket_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

namespace varve::http::testing {
SocketClient::SocketClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) close();
}

SocketClient::~SocketClient() { close(); }

void SocketClient::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

bool SocketClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void SocketClient::shut_down_sending() { ::shutdown(fd_, SHUT_WR); }

bool SocketClient::receive(std::chrono::milliseconds timeout) {
  if (ended_ || fd_ < 0) return false;
  pollfd wait{fd_, POLLIN, 0};
  if (::poll(&wait, 1, static_cast<int>(timeout.count())) <= 0) return false;
  char bytes[65536];
  const ssize_t n = ::recv(fd_, bytes, sizeof bytes, 0);
  if (n <= 0) {
    ended_ = true;
    return false;
  }
  buffer_.append(bytes, static_cast<std::size_t>(n));
  return true;
}

bool SocketClient::closed_within(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!ended_ && std::chrono::steady_clock::now() < deadline) {
    receive(std::chrono::milliseconds(50));
  }
  return ended_;
}

std::string SocketClient::read_until(std::string_view end) {
  while (buffer_.find(end) == std::string::npos) {
    if (!receive(kPatience)) return std::exchange(buffer_, {});
  }
  const auto size = buffer_.find(end) + end.size();
  std::string out = buffer_.substr(0, size);
  buffer_.erase(0, size);
  return out;
}

std::string SocketClient::read_response() {
  std::string response = read_until("\r\n\r\n");
  if (response.find("Transfer-Encoding: chunked") != std::string::npos) {
    return response + read_until("0\r\n\r\n");
  }
  const auto field = response.find("Content-Length: ");
  if (field == std::string::npos) return response;
  const auto length = static_cast<std::size_t>(std::atol(response.c_str() + field + 16));
  while (buffer_.size() < length && receive(kPatience)) {
  }
  response += buffer_.substr(0, length);
  buffer_.erase(0, length);
  return response;
}

std::string SocketClient::read_to_end() {
  while (receive(kPatience)) {
  }
  return std::exchange(buffer_, {});
}

}  // namespace varve::http::testing
