// SPDX-License-Identifier: Apache-2.0
#include "http/server/connection.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <exception>
#include <mutex>
#include <span>
#include <utility>

#include "base/log.h"
#include "base/release_memory.h"
#include "http/server/census.h"
#include "http/server/exchange.h"

namespace varve::http::server {
namespace {

// A body is written in slices, each with a write timeout of its own: what a slow reader must
// manage.
constexpr std::size_t kWriteSliceBytes = 1 << 20;
// What is offered to the socket at a time where it had no room for a whole slice.
constexpr std::size_t kWriteAtOnceBytes = 64 << 10;
// How many of them, or pieces of a stream, may be written before other connections get their turn.
constexpr int kSlicesAtOnce = 16;
// After an answer to a request that was not read whole, the rest is thrown away for this long, so
// that the client reads the answer before its writes fail.
constexpr auto kLingerTime = std::chrono::seconds(2);
// How long a reserved connection may take to send its header, and its body; there are few of them.
constexpr std::chrono::seconds kReservedTimeout{5};
constexpr std::string_view kRetryAfterSeconds = "5";

Response too_many_connections() {
  Response response;
  response.status = 503;
  response.headers = {{"Content-Type", "text/plain; charset=utf-8"},
                      {"Retry-After", std::string(kRetryAfterSeconds)}};
  response.body = "too many connections\n";
  return response;
}

}  // namespace

Connection::Connection(std::shared_ptr<Core> core, Lane& lane, Socket socket,
                       std::shared_ptr<const ServerTls> tls, std::string remote_address,
                       bool reserved)
    : core_(std::move(core)),
      lane_(lane),
      stream_(std::move(socket), std::move(tls)),
      remote_address_(std::move(remote_address)),
      reserved_(reserved),
      reader_({core_->options.header_max_bytes, core_->options.body_max_bytes}, core_->bodies) {
  lane_.connections.fetch_add(1);
  wait_for(Waits::kFirstRequest, reserved ? kReservedTimeout : core_->options.header_timeout);
}

void Connection::start() {
  if (!stream_.encrypted()) {
    read();
    return;
  }
  stream_.async_handshake([self = shared_from_this()](error_code error) {
    if (error || self->phase_ == Phase::kClosed || !self->stream_.client_allowed()) {
      self->close();
    } else {
      self->read();
    }
  });
}

void Connection::read() {
  if (read_under_way_ || read_ended_) return;
  if (phase_ == Phase::kClosed || phase_ == Phase::kLingering) return;
  const std::span<char> space = reader_.space();
  if (space.empty()) return;  // a client that pipelines without end waits
  read_under_way_ = true;
  stream_.async_read_some(
      asio::buffer(space.data(), space.size()),
      [self = shared_from_this()](error_code error, std::size_t n) { self->on_read(error, n); });
}

void Connection::on_read(error_code error, std::size_t n) {
  read_under_way_ = false;
  if (phase_ == Phase::kClosed || phase_ == Phase::kLingering) return;
  if (n > 0) {
    reader_.committed(n);
    core_->metrics.received_bytes.add(static_cast<double>(n));
  }
  if (error) {
    read_ended_ = true;
    // A client may end its side after the last of several requests: whatever has come whole is
    // answered. With none left behind it a half-closed connection looks the same as a client that
    // has hung up; as in Go's server, its answer is written all the same, to whom it may concern.
    bool requests_left = error == asio::error::eof && reader_.has_rest() && !parked_;
    // Half of one is what a client leaves behind that has hung up: what runs for it is in vain.
    if (requests_left && phase_ != Phase::kReading) {
      requests_left = reader_.advance() == RequestReader::State::kComplete;
    }
    if (!requests_left) client_gone_.store(true, std::memory_order_relaxed);
    if (phase_ == Phase::kReading && requests_left) return process();
    if (phase_ == Phase::kReading || parked_ || error != asio::error::eof) close();
    return;
  }
  if (phase_ == Phase::kReading) {
    if (read_state_ == RequestReader::State::kBody) {
      waits_.renew(Clock::now());
    }
    process();
  } else {
    read();
  }
}

void Connection::process() {
  using State = RequestReader::State;
  const State before = read_state_;
  read_state_ = reader_.advance();
  switch (read_state_) {
    case State::kEmpty:
      break;
    case State::kHeader:
      if (before == State::kEmpty && !reserved_)
        wait_for(waits_.get().what, core_->options.header_timeout);
      break;
    case State::kBody:
      if (before != State::kBody) {
        wait_for(Waits::kRestOfBody, reserved_ ? kReservedTimeout : core_->options.read_timeout);
      }
      break;
    case State::kComplete:
      dispatch_request();
      return;
    case State::kRefused:
      refuse();
      return;
  }
  if (reader_.take_continue_wanted()) {
    // No other write can be under way, and this one fits the empty buffer of the socket.
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(stream_, asio::buffer(kContinue.data(), kContinue.size()),
                      [self = shared_from_this()](error_code error, std::size_t) {
                        if (error) self->close();
                      });
  }
  if (read_ended_) return close();  // within a request
  read();
}

void Connection::dispatch_request() {
  ReadRequest request = reader_.take();
  read_state_ = RequestReader::State::kEmpty;
  request.request.remote_address = remote_address_;
  phase_ = Phase::kHandling;
  wait_not();
  counted_in_flight_ = true;
  core_->metrics.in_flight.add(1);
  if (reserved_) request.keep_alive = false;
  auto exchange = std::make_shared<ConnectionExchange>(shared_from_this(), std::move(request));
  handled_ = exchange;
  const auto& paths = core_->options.reserved_paths;
  if (reserved_ && std::find(paths.begin(), paths.end(), exchange->request().path) == paths.end()) {
    core_->metrics.refused.add();
    exchange->send(too_many_connections());
    exchange.reset();
    read();
    return;
  }
  const Lane::Busy busy(lane_);
  try {
    core_->handler(exchange);
  } catch (const std::exception& thrown) {
    core_->log.error("An HTTP handler threw an exception",
                     {{"path", exchange->request().path}, {"err", thrown.what()}});
    exchange->send(internal_error());
  }
  exchange.reset();
  read();
}

void Connection::refuse() {
  const Refusal& refusal = reader_.refusal();
  core_->metrics.refused.add();
  Response response;
  response.status = refusal.status;
  response.headers = {{"Content-Type", "text/plain; charset=utf-8"}};
  if (refusal.status == 503) response.headers.emplace_back("Retry-After", kRetryAfterSeconds);
  response.body = refusal.message + '\n';
  ResponseForm form;
  form.keep_alive = false;
  phase_ = Phase::kHandling;
  begin_write(std::make_unique<ResponseWriter>(std::move(response), form));
}

void Connection::respond(std::unique_ptr<ResponseWriter> writer, ExchangePtr keep_until_sent) {
  auto write = [self = shared_from_this(), writer = std::move(writer),
                keep = std::move(keep_until_sent)]() mutable {
    const Lane::Busy busy(self->lane_);
    self->answered_ = std::move(keep);
    self->begin_write(std::move(writer));
  };
  if (lane_.io.get_executor().running_in_this_thread()) {
    asio::dispatch(strand(), std::move(write));  // at once, unless another thread is on the strand
    return;
  }
  const std::lock_guard lock(core_->mutex);
  if (!core_->closed) asio::post(strand(), std::move(write));
}

void Connection::begin_write(std::unique_ptr<ResponseWriter> writer) {
  if (phase_ != Phase::kHandling) {  // closed meanwhile
    answered_.reset();
    return;
  }
  phase_ = Phase::kWriting;
  writer_ = std::move(writer);
  body_rest_ = writer_->body();
  stream_more_ = writer_->streamed();
  wait_for(Waits::kReading, core_->options.write_timeout);
  const std::string_view slice = body_rest_.substr(0, kWriteSliceBytes);
  body_rest_.remove_prefix(slice.size());
  std::array<asio::const_buffer, 2> buffers{asio::buffer(writer_->head()),
                                            asio::buffer(slice.data(), slice.size())};
  // Mostly the socket has room for all of it: no handler, and no other thread, need take over. Not
  // for streams: whoever answers may hold what next_piece wants.
  const std::size_t all = asio::buffer_size(buffers);
  const std::size_t written = stream_more_ ? 0 : stream_.try_write(buffers);
  if (written == all) return on_written({}, written);
  const std::size_t of_head = std::min(written, buffers[0].size());
  buffers[0] += of_head;
  buffers[1] += written - of_head;
  write(buffers, written);
}

// Of which so much has been written before.
template <typename Buffers>
void Connection::write(const Buffers& buffers, std::size_t written) {
  // Asked before each part and at the end: whether there shall be more. What was taken is as much
  // as the client has made room for, however long it takes for the whole.
  auto more = [self = shared_from_this(), before = std::size_t{0}](
                  const error_code& error, std::size_t n) mutable -> std::size_t {
    if (n > std::exchange(before, n)) self->waits_.renew(Clock::now());
    return error ? 0 : kWriteAtOnceBytes;
  };
  asio::async_write(stream_, buffers, std::move(more),
                    [self = shared_from_this(), written](error_code error, std::size_t n) {
                      self->on_written(error, written + n);
                    });
}

void Connection::on_written(error_code error, std::size_t n) {
  const Lane::Busy busy(lane_);
  core_->metrics.sent_bytes.add(static_cast<double>(n));
  if (phase_ == Phase::kClosed) return;
  if (error) {
    client_gone_.store(true, std::memory_order_relaxed);
    close();
    return;
  }
  write_body();
}

void Connection::write_body() {
  for (int slices = 0;; ++slices) {
    asio::const_buffer next;
    if (!body_rest_.empty()) {
      const std::string_view slice = body_rest_.substr(0, kWriteSliceBytes);
      body_rest_.remove_prefix(slice.size());
      next = asio::buffer(slice.data(), slice.size());
    } else if (stream_more_) {
      wait_not();  // while the piece is made, which may take long
      try {
        do {
          stream_more_ = writer_->next(stream_piece_);
        } while (stream_more_ && stream_piece_.empty() && !writer_->can_wait());
        if (stream_more_ && stream_piece_.empty()) return park();
      } catch (const std::exception& thrown) {
        // The status has gone out; a body that breaks off is all that can still be said.
        core_->log.error("An HTTP response stream threw an exception", {{"err", thrown.what()}});
        close();
        return;
      }
      next = asio::buffer(stream_piece_);
    }
    if (next.size() == 0) return finish_response();
    wait_for(Waits::kReading, core_->options.write_timeout);
    if (slices < kSlicesAtOnce) {
      const std::size_t written = stream_.try_write(next);
      core_->metrics.sent_bytes.add(static_cast<double>(written));
      next += written;
      if (next.size() == 0) continue;
    }
    return write(next, 0);
  }
}

// Sleeps until the stream has more. What keeps the connection alive meanwhile is answered_.
void Connection::park() {
  if (read_ended_ || core_->stopping.load(std::memory_order_relaxed)) return close();
  parked_ = true;
  wait_not();
  writer_->wait([weak = weak_from_this()] {
    const std::shared_ptr<Connection> self = weak.lock();
    if (!self) return;
    const std::lock_guard lock(self->core_->mutex);
    if (!self->core_->closed) asio::post(self->strand(), [self] { self->resume(); });
  });
}

void Connection::resume() {
  if (!std::exchange(parked_, false) || phase_ != Phase::kWriting) return;
  const Lane::Busy busy(lane_);
  write_body();
}

void Connection::finish_response() {
  const bool more_may_come = !read_ended_ || reader_.has_rest();
  const bool keep_alive =
      writer_->keep_alive() && more_may_come && !core_->stopping.load(std::memory_order_relaxed);
  writer_.reset();
  answered_.reset();
  base::release_memory(stream_piece_);
  if (std::exchange(counted_in_flight_, false)) core_->metrics.in_flight.add(-1);
  if (!keep_alive) {
    linger();
    return;
  }
  phase_ = Phase::kReading;
  wait_for(Waits::kNextRequest, core_->options.read_timeout);
  if (!reader_.has_rest()) {
    read();
    return;
  }
  // Not at once: a client that pipelines must not recurse, and others get their turn.
  asio::post(stream_.get_executor(), [self = shared_from_this()] {
    if (self->phase_ == Phase::kReading) self->process();
  });
}

// The end of what we say; what the client still says is thrown away until it ends too.
void Connection::linger() {
  error_code ignored;
  stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  if (read_ended_) {
    close();
    return;
  }
  if (phase_ != Phase::kLingering) {
    phase_ = Phase::kLingering;
    wait_for(Waits::kReading, kLingerTime);
    if (read_under_way_) stream_.socket().cancel(ignored);
  }
  stream_.async_read_some(asio::buffer(discard_),
                          [self = shared_from_this()](error_code error, std::size_t) {
                            if (error) {
                              self->close();
                            } else if (self->phase_ == Phase::kLingering) {
                              self->linger();
                            }
                          });
}

void Connection::close_if_nothing_is_under_way() {
  if (parked_) return close();
  // A whole request that came behind others is about to be handled.
  if (phase_ == Phase::kReading && reader_.advance() != RequestReader::State::kComplete) close();
}

void Connection::tell_what_is_under_way() {
  if (phase_ == Phase::kClosed) return;
  std::string what = phase_ == Phase::kLingering ? "the client to close its side"
                     : phase_ == Phase::kWriting ? "the client to read its answer"
                                                 : "an answer to be made";
  const std::shared_ptr<Exchange> request = handled_.lock();
  core_->log.info("Stopping: waiting for an HTTP connection",
                  {{"client", remote_address_},
                   {"path", request ? request->request().path : std::string()},
                   {"for", std::move(what)}});
}

void Connection::make_room(Loss picked_for, Clock::time_point now) {
  if (phase_ == Phase::kClosed) return;
  const Loss by_now = loss(waiting(), reserved_, now);
  // Behind others a whole request may have come, whose turn it is next.
  const bool stays =
      by_now == Loss::kNever || by_now > picked_for ||
      (phase_ == Phase::kReading && reader_.advance() == RequestReader::State::kComplete);
  if (!stays) {
    core_->metrics.displaced.add();
    close();
    return;
  }
  leaving_.store(false);
  const std::lock_guard lock(core_->mutex);
  if (core_->closed) return;
  if (Leaver other = find_surplus(*core_, reserved_, now); other.connection) {
    ask_to_go(std::move(other));
  }
}

void Connection::close() {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  parked_ = false;
  client_gone_.store(true, std::memory_order_relaxed);
  wait_not();
  error_code ignored;
  stream_.socket().close(ignored);
  writer_.reset();
  answered_.reset();
  if (std::exchange(counted_in_flight_, false)) core_->metrics.in_flight.add(-1);
  core_->metrics.closed.add();
  core_->metrics.connections.add(-1);
  const std::lock_guard lock(core_->mutex);
  core_->connections.erase(this);
  core_->connection_ended.notify_all();
}

}  // namespace varve::http::server
