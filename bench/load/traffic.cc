// SPDX-License-Identifier: Apache-2.0
#include "traffic.h"

#include <algorithm>
#include <utility>

namespace varve::load {

double Latencies::quantile(double q) {
  if (seconds_.empty()) return 0;
  const auto at = static_cast<std::ptrdiff_t>(q * static_cast<double>(seconds_.size() - 1));
  std::nth_element(seconds_.begin(), seconds_.begin() + at, seconds_.end());
  return seconds_[static_cast<std::size_t>(at)];
}

void Traffic::send(http::ClientRequest request,
                   std::function<void(const http::ClientResponse&)> done) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return in_flight_ < in_flight_max_; });
    ++in_flight_;
  }
  const auto start = std::chrono::steady_clock::now();
  client_.fetch(std::move(request), [this, start, done = std::move(done)](
                                        Result<http::ClientResponse> answer) {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    const bool good = answer.ok() && answer->status / 100 == 2;
    if (good && done) done(*answer);
    const std::lock_guard lock(mutex_);
    if (good) {
      latencies_.add(took.count());
    } else if (failed_++ == 0) {
      first_failure_ = answer.ok()
                           ? std::to_string(answer->status) + ' ' + answer->body.substr(0, 200)
                           : answer.error().message();
    }
    --in_flight_;
    changed_.notify_all();
  });
}

void Traffic::drain() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return in_flight_ == 0; });
}

std::uint64_t Traffic::failed() const {
  const std::lock_guard lock(mutex_);
  return failed_;
}

std::string Traffic::first_failure() const {
  const std::lock_guard lock(mutex_);
  return first_failure_;
}

double Traffic::latency(double quantile) {
  const std::lock_guard lock(mutex_);
  return latencies_.quantile(quantile);
}

}  // namespace varve::load
