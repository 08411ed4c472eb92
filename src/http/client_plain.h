// SPDX-License-Identifier: Apache-2.0
// Inside http/: plain GETs of numeric addresses over connections that are kept, without libcurl.
// Scraping is little else, and what libcurl does for each exchange took a quarter of a millisecond,
// more than to parse and store what came. It carries exchanges that go well; one that does not (no
// connection, a redirect, an answer it cannot read) is handed back to be made anew by libcurl,
// which knows the rest of HTTP and what to call the error.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "http/answer_reader.h"
#include "http/client_transfer.h"

namespace varve::http {

using TransferPtr = std::unique_ptr<Transfer>;

// Of the client's thread. Connections are watched by the given epoll, each as `word | descriptor`.
class PlainConnections {
 public:
  using Clock = std::chrono::steady_clock;
  struct Callbacks {
    std::function<void(TransferPtr, Result<ClientResponse>)> ended;
    std::function<void(TransferPtr)> handed_back;
  };
  PlainConnections(int epoll, std::uint64_t word, Callbacks callbacks);
  ~PlainConnections();
  PlainConnections(const PlainConnections&) = delete;
  PlainConnections& operator=(const PlainConnections&) = delete;

  // Whether an exchange is of the kind carried here, and its host is not left to libcurl at
  // present. `proxy`: the one for its URL, "" for none.
  bool fits(const Transfer& transfer, std::string_view proxy);
  // Precondition: it fits. `header_lines`: without their ends. Either callback gets the transfer,
  // now or later.
  void begin(TransferPtr transfer, const std::vector<std::string>& header_lines);
  void take_event(int descriptor);
  // Ends what is past its time, and connections that nobody has used for long.
  void expire(Clock::time_point now);
  Clock::time_point due() const {
    return due_.empty() ? Clock::time_point::max() : due_.begin()->first;
  }
  // All that are under way, as far as they are; they get no callback.
  std::vector<TransferPtr> take_all();

 private:
  struct Connection {
    int descriptor = -1;
    std::string host;         // address and port, as in the URL
    bool fresh = true;        // is being connected
    Clock::time_point since;  // idle since, or the deadline of the transfer
    std::string unsent;
    AnswerReader reader;
    TransferPtr transfer;  // null: idle
  };
  using Due = std::pair<Clock::time_point, int>;

  Connection* connect(const std::string& host);
  bool send(Connection& connection);
  void watch(const Connection& connection, std::uint32_t events, int operation) const;
  void close(Connection& connection);
  void hand_back(Connection& connection, Clock::duration leave_for);
  // The host's requests go by libcurl for a while.
  void leave(const std::string& host, Clock::duration leave_for);
  void finish(Connection& connection);

  const int epoll_;
  const std::uint64_t word_;
  const Callbacks callbacks_;
  std::unordered_map<int, Connection> connections_;             // by descriptor
  std::unordered_map<std::string, std::vector<int>> idle_;      // by host
  std::set<Due> due_;                                           // deadlines of transfers
  std::unordered_map<std::string, Clock::time_point> foreign_;  // hosts for libcurl, until when
  Clock::time_point swept_{};
  std::vector<char> buffer_;  // from the first read on
};

}  // namespace varve::http
