// SPDX-License-Identifier: Apache-2.0
// A request that needs no socket, and the answer it got.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "http/server.h"

namespace varve::test {

class FakeExchange final : public http::Exchange {
 public:
  FakeExchange(std::string method, std::string path, std::string query = {},
               std::string body = {}) {
    request_.method = std::move(method);
    request_.path = std::move(path);
    request_.query = std::move(query);
    request_.body = std::move(body);
  }
  http::Request& mutable_request() { return request_; }

  const http::Request& request() const override { return request_; }
  bool client_gone() const override { return gone_ || (looks_left_ > 0 && --looks_left_ == 0); }
  void drop_body() override { request_.body.clear(); }
  void hang_up() { gone_ = true; }
  // As the server finds when it has looked that often.
  void hang_up_after(int looks) { looks_left_ = looks; }
  void send(http::Response response) override {
    while (response.next_piece && response.next_piece(response.body)) {
    }
    const std::lock_guard lock(mutex_);
    response_ = std::move(response);
    answered_.notify_all();
  }

  // Waits for the answer.
  const http::Response& response() {
    std::unique_lock lock(mutex_);
    answered_.wait(lock, [this] { return response_.has_value(); });
    return *response_;
  }

 private:
  http::Request request_;
  std::atomic<bool> gone_{false};
  mutable std::atomic<int> looks_left_{0};
  std::mutex mutex_;  // guards response_
  std::condition_variable answered_;
  std::optional<http::Response> response_;
};

}  // namespace varve::test
