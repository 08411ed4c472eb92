// SPDX-License-Identifier: Apache-2.0
// A client of an event stream, without a socket: reads when it likes, hangs up when it likes.
#pragma once

#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "http/server.h"

namespace varve::test {

struct LiveEvent {
  std::string id;
  std::string event;
  nlohmann::json data;
};

class LiveClient final : public http::Exchange {
 public:
  LiveClient(std::string query, std::string last_event_id = {}) {
    request_.method = "GET";
    request_.path = "/api/v1/live";
    request_.query = std::move(query);
    if (!last_event_id.empty()) request_.headers.emplace_back("Last-Event-ID", last_event_id);
  }

  const http::Request& request() const override { return request_; }
  bool client_gone() const override { return !response_; }
  void drop_body() override { request_.body.clear(); }
  // As a form that is posted.
  void post(std::string form) {
    request_.method = "POST";
    request_.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    request_.body = std::move(form);
  }
  void send(http::Response response) override { response_ = std::move(response); }

  const http::Response& response() const { return *response_; }
  // As a connection that closes: the response goes with it.
  void hang_up() { response_.reset(); }

  // The next event, comments left out; none if the stream has ended. Fails after ten seconds.
  std::optional<LiveEvent> next() {
    for (;;) {
      const std::size_t end = text_.find("\n\n");
      if (end != std::string::npos) {
        const std::string lines = text_.substr(0, end + 1);
        text_.erase(0, end + 2);
        comments_ += lines.front() == ':' ? 1 : 0;
        LiveEvent event{field(lines, "id: "), field(lines, "event: "), {}};
        if (event.event.empty()) continue;
        event.data = nlohmann::json::parse(field(lines, "data: "));
        return event;
      }
      if (!read()) return std::nullopt;
    }
  }
  // Reads what there is without waiting for more.
  void drain() {
    while (response_->next_piece(text_) && text_.size() != std::exchange(seen_, text_.size())) {
    }
  }
  int comments() const { return comments_; }
  // Waits for bytes; false at the end of the stream.
  bool read() {
    const std::size_t had = text_.size();
    for (;;) {
      const bool more = response_->next_piece(text_);
      if (text_.size() > had) return true;
      if (!more) return false;
      const auto woken = std::make_shared<Woken>();
      response_->wait([woken] {
        const std::lock_guard lock(woken->mutex);
        woken->yes = true;
        woken->arrived.notify_all();
      });
      std::unique_lock lock(woken->mutex);
      REQUIRE(woken->arrived.wait_for(lock, std::chrono::seconds(60), [&] { return woken->yes; }));
    }
  }

 private:
  struct Woken {
    std::mutex mutex;
    std::condition_variable arrived;
    bool yes = false;
  };
  static std::string field(const std::string& lines, const std::string& name) {
    const std::string whole = '\n' + lines;
    const std::size_t at = whole.find('\n' + name);
    if (at == std::string::npos) return {};
    const std::size_t from = at + 1 + name.size();
    return whole.substr(from, whole.find('\n', from) - from);
  }

  http::Request request_;
  std::optional<http::Response> response_;
  std::string text_;
  std::size_t seen_ = 0;
  int comments_ = 0;
};

}  // namespace varve::test
