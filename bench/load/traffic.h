// SPDX-License-Identifier: Apache-2.0
// Requests to a server under test, a bounded number of them at a time, and what came back.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "http/client.h"

namespace varve::load {

// Latencies in seconds; not thread-safe.
class Latencies {
 public:
  void add(double seconds) { seconds_.push_back(seconds); }
  std::size_t size() const { return seconds_.size(); }
  // q in [0, 1]; 0 without any.
  double quantile(double q);

 private:
  std::vector<double> seconds_;
};

// Thread-safe. Every request is answered before the destructor returns.
class Traffic {
 public:
  Traffic(http::Client& client, std::size_t in_flight_max)
      : client_(client), in_flight_max_(in_flight_max) {}
  ~Traffic() { drain(); }
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;

  // Waits until there is room, then sends. `done`, which may be empty, gets the answer if its
  // status is 2xx; others are counted as failed, with the first one's text kept.
  void send(http::ClientRequest request, std::function<void(const http::ClientResponse&)> done);
  // Waits until all are answered.
  void drain();

  std::uint64_t failed() const;
  std::string first_failure() const;
  double latency(double quantile);

 private:
  http::Client& client_;
  const std::size_t in_flight_max_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::size_t in_flight_ = 0;
  std::uint64_t failed_ = 0;
  std::string first_failure_;
  Latencies latencies_;
};

}  // namespace varve::load
