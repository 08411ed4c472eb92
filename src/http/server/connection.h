// SPDX-License-Identifier: Apache-2.0
// One client of the server: reads its requests, hands them on one after the other, writes the
// answers.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/metrics.h"
#include "http/request_reader.h"
#include "http/response_writer.h"
#include "http/server/core.h"
#include "http/server/stream.h"
#include "http/server/waiting.h"

namespace varve::http::server {

// Every member but the atomics is touched on the strand alone. At most one read and
// one write are under way; while a request is being worked on a read still watches the socket, and
// what it brings is the beginning of the next request.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // A reserved connection answers one request, and only to one of the reserved paths.
  Connection(std::shared_ptr<Core> core, Lane& lane, Socket socket,
             std::shared_ptr<const ServerTls> tls, std::string remote_address, bool reserved);
  ~Connection() {
    close();
    lane_.connections.fetch_sub(1);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start();
  void respond(std::unique_ptr<ResponseWriter> writer, ExchangePtr keep_until_sent);
  void close_if_late(Clock::time_point now) {
    if (!late(now)) return;
    if (phase_ != Phase::kLingering) core_->metrics.timed_out.add();
    close();
  }
  // At the start of a stop: whoever has not sent a whole request goes at once, others after their
  // response. A stream that waits for more would wait through the whole grace.
  void close_if_nothing_is_under_way();
  // In the course of a stop: says in the log what is still waited for.
  void tell_what_is_under_way();
  // For another client, if this one is no more of a loss by now than it was when it was picked.
  void make_room(Loss picked_for, Clock::time_point now);
  void close();

  // What the census of clients asks, from any thread.
  Waiting waiting() const { return waits_.get(); }
  bool reserved() const { return reserved_; }
  // Without the port.
  std::string_view address() const {
    return std::string_view(remote_address_).substr(0, remote_address_.rfind(':'));
  }
  bool leaving() const { return leaving_.load(); }
  // It will be asked to make_room().
  void set_leaving() { leaving_.store(true); }

  bool client_gone() const { return client_gone_.load(std::memory_order_relaxed); }
  Strand strand() { return stream_.get_executor(); }
  Core& core() { return *core_; }
  Lane& lane() { return lane_; }
  bool late(Clock::time_point now) const {
    return now.time_since_epoch().count() >= deadline_.load(std::memory_order_relaxed);
  }

 private:
  enum class Phase : unsigned char { kReading, kHandling, kWriting, kLingering, kClosed };

  void read();
  void on_read(error_code error, std::size_t n);
  void process();
  void dispatch_request();
  void refuse();
  void begin_write(std::unique_ptr<ResponseWriter> writer);
  template <typename Buffers>
  void write(const Buffers& buffers, std::size_t written);
  void write_body();
  void park();
  void resume();
  void on_written(error_code error, std::size_t n);
  void finish_response();
  void linger();

  // The client has so long for what is waited for.
  void wait_for(Waits what, Clock::duration most) {
    const Clock::time_point now = Clock::now();
    waits_.set(what, now);
    deadline_.store((now + most).time_since_epoch().count(), std::memory_order_relaxed);
  }
  void wait_not() {
    waits_.set(Waits::kNot, Clock::now());
    deadline_.store(Clock::duration::max().count(), std::memory_order_relaxed);
  }

  std::shared_ptr<Core> core_;
  Lane& lane_;  // of core_; the socket is on it
  Stream stream_;
  const std::string remote_address_;
  const bool reserved_;
  RequestReader reader_;
  Phase phase_ = Phase::kReading;
  RequestReader::State read_state_ = RequestReader::State::kEmpty;
  bool read_under_way_ = false;
  bool read_ended_ = false;  // the client sends no more
  bool counted_in_flight_ = false;
  std::weak_ptr<Exchange> handled_;  // the last request
  std::unique_ptr<ResponseWriter> writer_;
  ExchangePtr answered_;        // its request lives until the response has been sent
  std::string_view body_rest_;  // of writer_'s whole body
  std::string stream_piece_;
  bool stream_more_ = false;
  bool parked_ = false;  // a stream that has nothing to write now
  std::array<char, 4096> discard_{};
  std::atomic<bool> client_gone_{false};
  std::atomic<bool> leaving_{false};
  WaitRecord waits_;
  std::atomic<Clock::duration::rep> deadline_{0};
};

}  // namespace varve::http::server
