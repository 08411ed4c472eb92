// SPDX-License-Identifier: Apache-2.0
#include "http/client_plain.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>

#include "base/ascii_case.h"
#include "http/client_error.h"

namespace varve::http {
namespace {

constexpr std::string_view kScheme = "http://";
constexpr std::size_t kReadBytes = 256 << 10;
// How long a host is left to libcurl: where a connection failed or was closed in between, and where
// its answers are of another kind (redirects), which they will be the next time too.
constexpr std::chrono::minutes kFailedTime{1};
constexpr std::chrono::hours kForeignTime{24};
constexpr std::size_t kForeignMax = 10'000;
// A connection that nobody has used for so long goes; most servers close it before.
constexpr std::chrono::minutes kIdleMax{3};
constexpr std::chrono::seconds kSweepEvery{10};
constexpr std::size_t kConnectionsMax = 20'000;

// What stands between the scheme and the path.
std::string_view host_of(std::string_view url) {
  url.remove_prefix(kScheme.size());
  return url.substr(0, url.find_first_of("/?#"));
}

struct Address {
  sockaddr_storage bytes{};
  socklen_t size = 0;
};

// `127.0.0.1:9100`, `[::1]:9100`, or without a port; nullopt for names.
std::optional<Address> parse_address(std::string_view host) {
  std::uint16_t port = 80;
  const bool six = host.starts_with('[');
  const auto colon =
      six ? host.find("]:") + (host.find("]:") == std::string_view::npos ? 0 : 1) : host.find(':');
  if (colon != std::string_view::npos) {
    const std::string_view text = host.substr(colon + 1);
    const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (problem != std::errc() || stop != text.data() + text.size() || port == 0) return {};
    host = host.substr(0, colon);
  }
  Address address;
  if (six) {
    if (!host.ends_with(']')) return {};
    auto& to = reinterpret_cast<sockaddr_in6&>(address.bytes);
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(port);
    address.size = sizeof to;
    const std::string text(host.substr(1, host.size() - 2));
    if (::inet_pton(AF_INET6, text.c_str(), &to.sin6_addr) != 1) return {};
  } else {
    auto& to = reinterpret_cast<sockaddr_in&>(address.bytes);
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    address.size = sizeof to;
    if (::inet_pton(AF_INET, std::string(host).c_str(), &to.sin_addr) != 1) return {};
  }
  return address;
}

// libcurl rewrites what is not of this kind.
bool plain_path(std::string_view path) {
  return path.starts_with('/') && path.find("/.") == std::string_view::npos &&
         std::all_of(path.begin(), path.end(),
                     [](char c) { return c > ' ' && c < '\x7f' && c != '#' && c != '\\'; });
}

}  // namespace

PlainConnections::PlainConnections(int epoll, std::uint64_t word, Callbacks callbacks)
    : epoll_(epoll), word_(word), callbacks_(std::move(callbacks)) {}

PlainConnections::~PlainConnections() {
  for (const auto& [descriptor, connection] : connections_) ::close(descriptor);
}

bool PlainConnections::fits(const Transfer& transfer, std::string_view proxy) {
  const ClientRequest& request = transfer.request;
  const std::string_view url = request.url;
  if (request.method != "GET" || !request.body.empty() || request.on_body ||
      !request.answer_header.empty() || request.cancel.stop_possible() || transfer.hops > 0 ||
      transfer.anonymous || !proxy.empty() || !url.starts_with(kScheme)) {
    return false;
  }
  if (request.options != nullptr) {
    if (request.options->basic_auth) return false;  // its header is libcurl's to make
    for (const auto& [name, values] : request.options->headers) {
      if (base::equals_in_any_case(name, "host")) return false;
    }
  }
  if (connections_.size() >= kConnectionsMax) return false;
  const std::string_view host = host_of(url);
  if (!plain_path(url.substr(kScheme.size() + host.size())) || !parse_address(host)) return false;
  const auto foreign = foreign_.find(std::string(host));
  if (foreign == foreign_.end()) return true;
  if (Clock::now() < foreign->second) return false;
  foreign_.erase(foreign);
  return true;
}

void PlainConnections::begin(TransferPtr transfer, const std::vector<std::string>& header_lines) {
  const std::string_view url = transfer->request.url;
  const std::string host(host_of(url));
  Connection* connection = nullptr;
  const auto idle = idle_.find(host);
  if (idle != idle_.end()) {
    connection = &connections_.at(idle->second.back());
    idle->second.pop_back();
    if (idle->second.empty()) idle_.erase(idle);
  } else {
    connection = connect(host);
  }
  if (connection == nullptr) {
    leave(host, kFailedTime);
    callbacks_.handed_back(std::move(transfer));
    return;
  }
  // As libcurl says it: without the port that the scheme has anyway.
  const std::string_view named =
      host.ends_with(":80") ? std::string_view(host).substr(0, host.size() - 3) : host;
  std::string& text = connection->unsent;
  text = fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\n", url.substr(kScheme.size() + host.size()),
                     named);
  for (const std::string& line : header_lines) text.append(line).append("\r\n");
  text += "\r\n";
  connection->reader = {};
  connection->since = transfer->deadline();
  due_.emplace(connection->since, connection->descriptor);
  connection->transfer = std::move(transfer);
  // What is being connected is written to when epoll says so.
  if (connection->fresh) return;
  if (!send(*connection)) {
    hand_back(*connection, kFailedTime);
  } else if (!connection->unsent.empty()) {
    watch(*connection, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
  }
}

PlainConnections::Connection* PlainConnections::connect(const std::string& host) {
  const auto address = parse_address(host);
  const int descriptor =
      ::socket(address->bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return nullptr;
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address->bytes), address->size) !=
          0 &&
      errno != EINPROGRESS) {
    ::close(descriptor);
    return nullptr;
  }
  Connection& connection = connections_[descriptor];
  connection.descriptor = descriptor;
  connection.host = host;
  watch(connection, EPOLLIN | EPOLLOUT, EPOLL_CTL_ADD);
  return &connection;
}

void PlainConnections::watch(const Connection& connection, std::uint32_t events,
                             int operation) const {
  epoll_event event{};
  event.events = events;
  event.data.u64 = word_ | static_cast<std::uint32_t>(connection.descriptor);
  ::epoll_ctl(epoll_, operation, connection.descriptor, &event);
}

// As much as goes. False: the connection is of no use.
bool PlainConnections::send(Connection& connection) {
  std::string& text = connection.unsent;
  while (!text.empty()) {
    const ::ssize_t sent = ::send(connection.descriptor, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN || errno == EWOULDBLOCK;
    }
    text.erase(0, static_cast<std::size_t>(sent));
  }
  return true;
}

void PlainConnections::take_event(int descriptor) {
  const auto found = connections_.find(descriptor);
  if (found == connections_.end()) return;
  Connection& connection = found->second;
  if (connection.transfer == nullptr) {  // it was closed, or speaks unasked
    std::vector<int>& idle = idle_[connection.host];
    std::erase(idle, descriptor);
    if (idle.empty()) idle_.erase(connection.host);
    close(connection);
    return;
  }
  if (!connection.unsent.empty()) {
    int problem = 0;
    socklen_t size = sizeof problem;
    ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &problem, &size);
    if (problem != 0 || !send(connection)) {
      hand_back(connection, kFailedTime);
      return;
    }
    connection.fresh = false;
    if (connection.unsent.empty()) watch(connection, EPOLLIN, EPOLL_CTL_MOD);
    return;
  }
  Transfer& transfer = *connection.transfer;
  const auto take = [&](std::string_view piece) {
    const auto& length = connection.reader.head().length;
    return take_body(
        transfer, piece,
        length ? static_cast<std::int64_t>(std::min<std::uint64_t>(*length, std::uint64_t{1} << 62))
               : -1);
  };
  // One more turn of epoll is cheaper than a read that finds nothing.
  buffer_.resize(kReadBytes);
  const ::ssize_t got = ::recv(descriptor, buffer_.data(), buffer_.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    if (got == 0 && connection.reader.end() == AnswerReader::State::kDone) {
      finish(connection);
    } else {
      hand_back(connection, kFailedTime);
    }
    return;
  }
  switch (connection.reader.read({buffer_.data(), static_cast<std::size_t>(got)}, take)) {
    case AnswerReader::State::kHead:
    case AnswerReader::State::kBody:
      return;
    case AnswerReader::State::kForeign:
      hand_back(connection, kForeignTime);
      return;
    case AnswerReader::State::kStopped:
    case AnswerReader::State::kDone:
      finish(connection);
      return;
  }
}

// The answer is whole, or its body was refused.
void PlainConnections::finish(Connection& connection) {
  TransferPtr transfer = std::move(connection.transfer);
  due_.erase({connection.since, connection.descriptor});
  const bool refused = transfer->body_too_large || transfer->over_budget;
  const AnswerHead& head = connection.reader.head();
  transfer->response.status = head.status;
  transfer->response.content_type = head.content_type;
  transfer->content_encoding = head.content_encoding;
  if (refused || !head.keep_alive) {
    close(connection);
  } else {
    connection.since = Clock::now();
    idle_[connection.host].push_back(connection.descriptor);
  }
  Result<ClientResponse> outcome =
      refused ? Result<ClientResponse>(refusal_of(*transfer)) : response_of(*transfer);
  transfer->response.lease.reset();
  callbacks_.ended(std::move(transfer), std::move(outcome));
}

// Also when a kept connection was closed as the request went out, which happens to the best.
void PlainConnections::hand_back(Connection& connection, Clock::duration leave_for) {
  TransferPtr transfer = std::move(connection.transfer);
  due_.erase({connection.since, connection.descriptor});
  leave(connection.host, leave_for);
  close(connection);
  transfer->response = {};
  transfer->received.clear();
  transfer->content_encoding.clear();
  callbacks_.handed_back(std::move(transfer));
}

void PlainConnections::leave(const std::string& host, Clock::duration leave_for) {
  if (foreign_.size() >= kForeignMax) foreign_.clear();
  foreign_[host] = Clock::now() + leave_for;
}

void PlainConnections::close(Connection& connection) {
  const int descriptor = connection.descriptor;
  ::close(descriptor);  // epoll forgets it
  connections_.erase(descriptor);
}

void PlainConnections::expire(Clock::time_point now) {
  while (!due_.empty() && due_.begin()->first <= now) {
    Connection& connection = connections_.at(due_.begin()->second);
    TransferPtr transfer = std::move(connection.transfer);
    due_.erase(due_.begin());
    close(connection);
    const ClientRequest& request = transfer->request;
    Error error = client_error({.curl_code = CURLE_OPERATION_TIMEDOUT,
                                .os_errno = 0,
                                .method = request.method,
                                .url = request.url,
                                .address = {},
                                .host = {},
                                .detail = {}});
    transfer->response.lease.reset();
    callbacks_.ended(std::move(transfer), std::move(error));
  }
  if (now < swept_ + kSweepEvery) return;
  swept_ = now;
  for (auto at = idle_.begin(); at != idle_.end();) {
    std::erase_if(at->second, [&](int descriptor) {
      Connection& connection = connections_.at(descriptor);
      const bool old = connection.since + kIdleMax < now;
      if (old) close(connection);
      return old;
    });
    at = at->second.empty() ? idle_.erase(at) : std::next(at);
  }
}

std::vector<TransferPtr> PlainConnections::take_all() {
  std::vector<TransferPtr> all;
  for (auto& [descriptor, connection] : connections_) {
    if (connection.transfer != nullptr) all.push_back(std::move(connection.transfer));
    ::close(descriptor);
  }
  connections_.clear();
  idle_.clear();
  due_.clear();
  return all;
}

}  // namespace varve::http
