// SPDX-License-Identifier: Apache-2.0
// The server on Asio: sockets, threads, deadlines. What a request or a response looks like in bytes
// is the business of request_reader and response_writer.
//
// All I/O threads run one io_context; a strand per connection keeps its handlers apart. One coarse
// timer looks for connections past their deadline, so that a request re-arms no timer of its own.
#include "http/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>

#include "base/log.h"
#include "base/metrics.h"
#include "base/thread_pool.h"
#include "base/try.h"
#include "http/body_budget.h"
#include "http/content_coding.h"
#include "http/listen_address.h"
#include "http/request_reader.h"
#include "http/response_writer.h"
#include "http/server_tls.h"

namespace varve::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using Strand = asio::strand<asio::io_context::executor_type>;
using Socket = asio::basic_stream_socket<tcp, Strand>;
using Acceptor = asio::basic_socket_acceptor<tcp, asio::io_context::executor_type>;

// A body is written in slices, each with a write timeout of its own: what a slow reader must manage.
constexpr std::size_t kWriteSliceBytes = 1 << 20;
// How many of them, or pieces of a stream, may be written before other connections get their turn.
constexpr int kSlicesAtOnce = 16;
// After an answer to a request that was not read whole, the rest is thrown away for this long, so
// that the client reads the answer before its writes fail.
constexpr auto kLingerTime = std::chrono::seconds(2);
// How long a reserved connection may take to send its request; there are few of them.
constexpr std::chrono::seconds kReservedTimeout{5};
// How long accepting pauses when the process has no file descriptors left.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);
constexpr std::string_view kRetryAfterSeconds = "5";

struct ServerMetrics {
  explicit ServerMetrics(base::MetricsRegistry& registry)
      : accepted(registry.counter("net_conntrack_listener_conn_accepted_total",
                                  "Total number of connections opened to the listener of a given name.",
                                  {{"listener_name", "http"}})),
        closed(registry.counter("net_conntrack_listener_conn_closed_total",
                                "Total number of connections closed that were made to the listener of a given name.",
                                {{"listener_name", "http"}})),
        connections(registry.gauge("varve_http_connections", "Open connections to the HTTP server.")),
        in_flight(registry.gauge("varve_http_requests_in_flight",
                                 "Requests that have been read and not yet been answered.")),
        refused(registry.counter("varve_http_requests_refused_total",
                                 "Requests that the HTTP server refused before any handler: malformed, "
                                 "too large, too many.")),
        timed_out(registry.counter("varve_http_connections_timed_out_total",
                                   "Connections closed because the client was too slow.")),
        received_bytes(registry.counter("varve_http_received_bytes_total", "Bytes read from clients.")),
        sent_bytes(registry.counter("varve_http_sent_bytes_total", "Bytes written to clients.")) {}

  base::Counter& accepted;
  base::Counter& closed;
  base::Gauge& connections;
  base::Gauge& in_flight;
  base::Counter& refused;
  base::Counter& timed_out;
  base::Counter& received_bytes;
  base::Counter& sent_bytes;
};

// A socket, with TLS around it or without; to Asio's algorithms a stream like any other.
class Stream {
 public:
  using executor_type = Strand;

  Stream(Socket socket, std::shared_ptr<const ServerTls> tls)
      : socket_(std::move(socket)), tls_(std::move(tls)) {
    if (!tls_) return;
    ::SSL_CTX_up_ref(tls_->context());
    context_.emplace(tls_->context());
    encrypted_.emplace(socket_, *context_);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  Strand get_executor() { return socket_.get_executor(); }
  Socket& socket() { return socket_; }
  bool encrypted() const { return encrypted_.has_value(); }
  // After the handshake.
  bool client_allowed() { return tls_->allows(encrypted_->native_handle()); }

  template <typename Done>
  void async_handshake(Done&& done) {
    encrypted_->async_handshake(asio::ssl::stream_base::server, std::forward<Done>(done));
  }
  template <typename Buffers, typename Done>
  void async_read_some(const Buffers& buffers, Done&& done) {
    if (encrypted_) {
      encrypted_->async_read_some(buffers, std::forward<Done>(done));
    } else {
      socket_.async_read_some(buffers, std::forward<Done>(done));
    }
  }
  // What the socket takes at once, in bytes: nothing where it is full, in trouble or encrypted.
  template <typename Buffers>
  std::size_t try_write(const Buffers& buffers) {
    error_code ignored;
    return encrypted_ ? 0 : socket_.write_some(buffers, ignored);
  }
  template <typename Buffers, typename Done>
  void async_write_some(const Buffers& buffers, Done&& done) {
    if (encrypted_) {
      encrypted_->async_write_some(buffers, std::forward<Done>(done));
    } else {
      socket_.async_write_some(buffers, std::forward<Done>(done));
    }
  }

 private:
  Socket socket_;
  std::shared_ptr<const ServerTls> tls_;
  std::optional<asio::ssl::context> context_;
  std::optional<asio::ssl::stream<Socket&>> encrypted_;
};

class Connection;

// What connections share. Kept alive by exchanges that are answered after the server has gone.
struct Core {
  Core(ServerOptions server_options, Handler request_handler, base::Logger& logger,
       base::MetricsRegistry& registry)
      : options(std::move(server_options)),
        handler(std::move(request_handler)),
        log(logger),
        metrics(registry),
        bodies(options.bodies_total_max_bytes),
        io(static_cast<int>(options.threads)) {}

  const ServerOptions options;
  const Handler handler;
  base::Logger& log;
  ServerMetrics metrics;
  BodyBudget bodies;
  asio::io_context io;

  std::mutex mutex;  // guards connections and closed
  std::unordered_map<Connection*, std::weak_ptr<Connection>> connections;
  std::condition_variable connection_ended;
  bool closed = false;  // nothing is posted to io any more: nobody runs it
  std::atomic<bool> stopping{false};
};

// One client. Every member but the two atomics is touched on the strand alone. At most one read and
// one write are under way; while a request is being worked on a read still watches the socket, and
// what it brings is the beginning of the next request.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // A reserved connection answers one request, and only to one of the reserved paths.
  Connection(std::shared_ptr<Core> core, Socket socket, std::shared_ptr<const ServerTls> tls,
             std::string remote_address, bool reserved)
      : core_(std::move(core)),
        stream_(std::move(socket), std::move(tls)),
        remote_address_(std::move(remote_address)),
        reserved_(reserved),
        reader_({core_->options.header_max_bytes, core_->options.body_max_bytes}, core_->bodies) {
    set_deadline(reserved ? kReservedTimeout : core_->options.header_timeout);
  }

  ~Connection() { close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start();
  void respond(std::unique_ptr<ResponseWriter> writer, ExchangePtr keep_until_sent);
  void close_if_late(Clock::time_point now) {
    if (!late(now)) return;
    if (phase_ != Phase::kLingering) core_->metrics.timed_out.add();
    close();
  }
  // At the start of a stop: an idle connection goes at once, others after their response.
  // A stream that waits for more would wait through the whole grace.
  void close_if_idle() {
    if (parked_) return close();
    if (phase_ == Phase::kReading && reader_.advance() == RequestReader::State::kEmpty) close();
  }
  void close();

  bool client_gone() const { return client_gone_.load(std::memory_order_relaxed); }
  Strand strand() { return stream_.get_executor(); }
  Core& core() { return *core_; }
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
  void write_body();
  void park();
  void resume();
  void on_written(error_code error, std::size_t n);
  void finish_response();
  void linger();

  void set_deadline(Clock::duration from_now) {
    deadline_.store((Clock::now() + from_now).time_since_epoch().count(), std::memory_order_relaxed);
  }
  void no_deadline() { deadline_.store(Clock::duration::max().count(), std::memory_order_relaxed); }

  std::shared_ptr<Core> core_;
  Stream stream_;
  const std::string remote_address_;
  const bool reserved_;
  RequestReader reader_;
  Phase phase_ = Phase::kReading;
  RequestReader::State read_state_ = RequestReader::State::kEmpty;
  bool read_under_way_ = false;
  bool read_ended_ = false;  // the client sends no more
  bool counted_in_flight_ = false;
  std::unique_ptr<ResponseWriter> writer_;
  ExchangePtr answered_;         // its request lives until the response has been sent
  std::string_view body_rest_;   // of writer_'s whole body
  std::string stream_piece_;
  bool stream_more_ = false;
  bool parked_ = false;  // a stream that has nothing to write now
  std::array<char, 4096> discard_{};
  std::atomic<bool> client_gone_{false};
  std::atomic<Clock::duration::rep> deadline_{0};
};

class ConnectionExchange final : public Exchange,
                                 public std::enable_shared_from_this<ConnectionExchange> {
 public:
  ConnectionExchange(std::shared_ptr<Connection> connection, ReadRequest read)
      : connection_(std::move(connection)), read_(std::move(read)) {
    form_.head = read_.request.method == "HEAD";
    form_.http_1_0 = read_.http_1_0;
    form_.keep_alive = read_.keep_alive;
    form_.coding = choose_coding(read_.request.header("Accept-Encoding"));
  }
  ~ConnectionExchange() override {
    if (!sent_.load()) answer(internal_error(), nullptr);
  }

  const Request& request() const override { return read_.request; }
  bool client_gone() const override { return connection_->client_gone(); }
  void drop_body() override {
    std::string().swap(read_.request.body);
    BodyLease gives_back = std::move(read_.lease);
  }
  void send(Response response) override {
    if (sent_.exchange(true)) return;
    answer(std::move(response), shared_from_this());
  }
  bool run_after_handler(std::function<void()>& work) override {
    const auto io = connection_->core().io.get_executor();
    if (!io.running_in_this_thread()) return false;
    // Not on the strand: the connection must see its client hang up meanwhile. Deferred, it is this
    // thread's next handler.
    asio::defer(io, std::move(work));
    return true;
  }

  static Response internal_error() {
    Response response;
    response.status = 500;
    response.headers = {{"Content-Type", "text/plain; charset=utf-8"}};
    response.body = "internal error\n";
    return response;
  }

 private:
  void answer(Response response, ExchangePtr keep) {
    if (connection_->core().stopping.load(std::memory_order_relaxed)) form_.keep_alive = false;
    connection_->respond(std::make_unique<ResponseWriter>(std::move(response), form_), std::move(keep));
  }

  std::shared_ptr<Connection> connection_;
  ReadRequest read_;
  ResponseForm form_;
  std::atomic<bool> sent_{false};
};

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
  stream_.async_read_some(asio::buffer(space.data(), space.size()),
                          [self = shared_from_this()](error_code error, std::size_t n) {
                            self->on_read(error, n);
                          });
}

void Connection::on_read(error_code error, std::size_t n) {
  read_under_way_ = false;
  if (phase_ == Phase::kClosed || phase_ == Phase::kLingering) return;
  if (n > 0) {
    reader_.committed(n);
    core_->metrics.received_bytes.add(static_cast<double>(n));
  }
  if (error) {
    // A half-closed connection looks the same as a client that has hung up; as in Go's server, its
    // answer is written all the same, to whom it may concern.
    read_ended_ = true;
    client_gone_.store(true, std::memory_order_relaxed);
    if (phase_ == Phase::kReading || parked_ || error != asio::error::eof) close();
    return;
  }
  if (phase_ == Phase::kReading) {
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
    case State::kEmpty: break;
    case State::kHeader:
      if (before == State::kEmpty && !reserved_) set_deadline(core_->options.header_timeout);
      break;
    case State::kBody:
      if (before != State::kBody) set_deadline(core_->options.read_timeout);
      break;
    case State::kComplete: dispatch_request(); return;
    case State::kRefused: refuse(); return;
  }
  if (reader_.take_continue_wanted()) {
    // No other write can be under way, and this one fits the empty buffer of the socket.
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(stream_, asio::buffer(kContinue.data(), kContinue.size()),
                      [self = shared_from_this()](error_code error, std::size_t) {
                        if (error) self->close();
                      });
  }
  read();
}

Response too_many_connections() {
  Response response;
  response.status = 503;
  response.headers = {{"Content-Type", "text/plain; charset=utf-8"},
                      {"Retry-After", std::string(kRetryAfterSeconds)}};
  response.body = "too many connections\n";
  return response;
}

void Connection::dispatch_request() {
  ReadRequest request = reader_.take();
  read_state_ = RequestReader::State::kEmpty;
  request.request.remote_address = remote_address_;
  phase_ = Phase::kHandling;
  no_deadline();
  counted_in_flight_ = true;
  core_->metrics.in_flight.add(1);
  if (reserved_) request.keep_alive = false;
  auto exchange = std::make_shared<ConnectionExchange>(shared_from_this(), std::move(request));
  const auto& paths = core_->options.reserved_paths;
  if (reserved_ && std::find(paths.begin(), paths.end(), exchange->request().path) == paths.end()) {
    core_->metrics.refused.add();
    exchange->send(too_many_connections());
    exchange.reset();
    read();
    return;
  }
  try {
    core_->handler(exchange);
  } catch (const std::exception& thrown) {
    core_->log.error("An HTTP handler threw an exception",
                     {{"path", exchange->request().path}, {"err", thrown.what()}});
    exchange->send(ConnectionExchange::internal_error());
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
    self->answered_ = std::move(keep);
    self->begin_write(std::move(writer));
  };
  if (core_->io.get_executor().running_in_this_thread()) {
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
  set_deadline(core_->options.write_timeout);
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
  asio::async_write(stream_, buffers,
                    [self = shared_from_this(), written](error_code error, std::size_t n) {
                      self->on_written(error, written + n);
                    });
}

void Connection::on_written(error_code error, std::size_t n) {
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
    set_deadline(core_->options.write_timeout);
    if (slices < kSlicesAtOnce) {
      const std::size_t written = stream_.try_write(next);
      core_->metrics.sent_bytes.add(static_cast<double>(written));
      next += written;
      if (next.size() == 0) continue;
    }
    asio::async_write(stream_, next, [self = shared_from_this()](error_code error, std::size_t n) {
      self->on_written(error, n);
    });
    return;
  }
}

// Sleeps until the stream has more. What keeps the connection alive meanwhile is answered_.
void Connection::park() {
  if (read_ended_ || core_->stopping.load(std::memory_order_relaxed)) return close();
  parked_ = true;
  no_deadline();
  writer_->wait([weak = weak_from_this()] {
    const std::shared_ptr<Connection> self = weak.lock();
    if (!self) return;
    const std::lock_guard lock(self->core_->mutex);
    if (!self->core_->closed) asio::post(self->strand(), [self] { self->resume(); });
  });
}

void Connection::resume() {
  if (!std::exchange(parked_, false) || phase_ != Phase::kWriting) return;
  write_body();
}

void Connection::finish_response() {
  const bool keep_alive = writer_->keep_alive() && !read_ended_ &&
                          !core_->stopping.load(std::memory_order_relaxed);
  writer_.reset();
  answered_.reset();
  stream_piece_ = std::string();
  if (std::exchange(counted_in_flight_, false)) core_->metrics.in_flight.add(-1);
  if (!keep_alive) {
    linger();
    return;
  }
  phase_ = Phase::kReading;
  set_deadline(core_->options.read_timeout);
  if (!reader_.has_bytes()) {
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
    set_deadline(kLingerTime);
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

void Connection::close() {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  parked_ = false;
  client_gone_.store(true, std::memory_order_relaxed);
  no_deadline();
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

// One bound address.
class Listener : public std::enable_shared_from_this<Listener> {
 public:
  Listener(std::shared_ptr<Core> core)
      : core_(std::move(core)), acceptor_(core_->io), pause_(core_->io) {}

  Status open(const std::string& text) {
    VARVE_TRY_ASSIGN(const ListenAddress address, parse_listen_address(text));
    const std::string where = fmt::format("listen tcp {}: bind", text);
    if (address.host.empty()) {
      // Both families where the kernel has IPv6, else the one there is.
      Status both = bind(tcp::endpoint(tcp::v6(), address.port), false, where);
      return both.ok() ? std::move(both) : bind(tcp::endpoint(tcp::v4(), address.port), false, where);
    }
    error_code error;
    tcp::resolver resolver(core_->io);
    const auto found = resolver.resolve(address.host, std::to_string(address.port),
                                        tcp::resolver::passive, error);
    if (error) return Error(ErrorCode::kIo, fmt::format("listen tcp {}: lookup: {}", text, error.message()));
    return bind(found.begin()->endpoint(), true, where);
  }

  std::uint16_t port() const {
    error_code ignored;
    return acceptor_.local_endpoint(ignored).port();
  }
  void close() {
    asio::post(acceptor_.get_executor(), [self = shared_from_this()] {
      const std::lock_guard lock(self->mutex_);
      error_code ignored;
      self->closed_ = true;
      self->acceptor_.close(ignored);
      self->pause_.cancel(ignored);
    });
  }

  void accept() {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    acceptor_.async_accept(asio::make_strand(core_->io),
                           [self = shared_from_this()](error_code error, Socket socket) {
                             self->on_accept(error, std::move(socket));
                           });
  }

 private:
  Status bind(const tcp::endpoint& endpoint, bool v6_only, const std::string& where) {
    error_code error;
    acceptor_.close(error);
    const auto failed = [&] {
      return Error(ErrorCode::kIo, fmt::format("{}: {}", where, error.message()));
    };
    acceptor_.open(endpoint.protocol(), error);
    if (error) return failed();
    acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (error) return failed();
    if (endpoint.protocol() == tcp::v6()) {
      acceptor_.set_option(asio::ip::v6_only(v6_only), error);
      if (error) return failed();
    }
    acceptor_.bind(endpoint, error);
    if (error) return failed();
    acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) return failed();
    return {};
  }

  void on_accept(error_code error, Socket socket) {
    if (error == asio::error::operation_aborted) return;  // stopping
    if (error && error != asio::error::connection_aborted) {
      core_->log.warn("Accepting connections failed", {{"err", error.message()}});
      const std::lock_guard lock(mutex_);
      if (closed_) return;
      pause_.expires_after(kAcceptPause);
      pause_.async_wait([self = shared_from_this()](error_code) { self->accept(); });
      return;
    }
    if (!error) welcome(std::move(socket));
    accept();
  }

  void welcome(Socket socket) {
    error_code ignored;
    core_->metrics.accepted.add();
    const tcp::endpoint remote = socket.remote_endpoint(ignored);
    socket.set_option(tcp::no_delay(true), ignored);
    socket.non_blocking(true, ignored);
    std::shared_ptr<Connection> connection;
    auto tls = core_->options.tls ? core_->options.tls() : nullptr;
    const bool encrypted = tls != nullptr;
    {
      const std::lock_guard lock(core_->mutex);
      const std::size_t open = core_->connections.size();
      const bool reserved = open >= core_->options.connections_max;
      if (open < core_->options.connections_max + core_->options.connections_reserved) {
        const std::string address = remote.address().to_string(ignored);
        connection = std::make_shared<Connection>(
            core_, std::move(socket), std::move(tls),
            remote.address().is_v6() ? fmt::format("[{}]:{}", address, remote.port())
                                     : fmt::format("{}:{}", address, remote.port()),
            reserved);
        core_->connections.emplace(connection.get(), connection);
      }
    }
    if (connection) {
      core_->metrics.connections.add(1);
      asio::dispatch(connection->strand(), [connection] { connection->start(); });
      return;
    }
    // Better than a client that waits in the backlog without knowing why. One attempt: the buffer
    // of a new socket has room for it.
    static constexpr std::string_view kFull =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 21\r\n\r\ntoo many connections\n";
    core_->metrics.refused.add();
    if (!encrypted) socket.write_some(asio::buffer(kFull.data(), kFull.size()), ignored);
    socket.shutdown(tcp::socket::shutdown_both, ignored);
    socket.close(ignored);
    core_->metrics.closed.add();
  }

  std::shared_ptr<Core> core_;
  std::mutex mutex_;  // guards the rest, which handlers on several threads use
  Acceptor acceptor_;
  asio::steady_timer pause_;
  bool closed_ = false;
};

class AsioServer final : public Server {
 public:
  AsioServer(std::shared_ptr<Core> core)
      : core_(std::move(core)), work_(core_->io.get_executor()), sweep_(core_->io) {}
  ~AsioServer() override { stop(std::chrono::milliseconds(0)); }

  Status open() {
    for (const std::string& address : core_->options.listen_addresses) {
      auto listener = std::make_shared<Listener>(core_);
      VARVE_TRY(listener->open(address));
      listeners_.push_back(std::move(listener));
    }
    for (const auto& listener : listeners_) {
      ports_.push_back(listener->port());
      listener->accept();
    }
    schedule_sweep();
    for (std::size_t i = 0; i < std::max<std::size_t>(core_->options.threads, 1); ++i) {
      threads_.emplace_back([this, i] { run(i); });
    }
    return {};
  }

  std::vector<std::uint16_t> ports() const override { return ports_; }

  void stop(std::chrono::milliseconds grace) override {
    if (stopped_) return;
    stopped_ = true;
    core_->stopping.store(true);
    for (const auto& listener : listeners_) listener->close();
    for (const auto& connection : connections()) {
      asio::post(connection->strand(), [connection] { connection->close_if_idle(); });
    }
    {
      std::unique_lock lock(core_->mutex);
      core_->connection_ended.wait_for(lock, grace, [this] { return core_->connections.empty(); });
    }
    for (const auto& connection : connections()) {
      asio::post(connection->strand(), [connection] { connection->close(); });
    }
    asio::post(core_->io, [this] { sweep_.cancel(); });
    work_.reset();
    for (std::thread& thread : threads_) thread.join();
    {
      const std::lock_guard lock(core_->mutex);
      core_->closed = true;
    }
    // What was posted after the threads had gone holds connections, which hold io: let it go.
    core_->io.restart();
    core_->io.poll();
  }

 private:
  void run(std::size_t number) {
    base::name_this_thread(fmt::format("http-{}", number));
    for (;;) {
      try {
        core_->io.run();
        return;
      } catch (const std::exception& thrown) {
        core_->log.error("An exception reached the top of an HTTP thread", {{"err", thrown.what()}});
      }
    }
  }

  // A copy, because the last owner of a connection must not let it go under the mutex.
  std::vector<std::shared_ptr<Connection>> connections() {
    std::vector<std::shared_ptr<Connection>> all;
    const std::lock_guard lock(core_->mutex);
    all.reserve(core_->connections.size());
    for (const auto& [pointer, weak] : core_->connections) {
      if (auto connection = weak.lock()) all.push_back(std::move(connection));
    }
    return all;
  }

  // Deadlines are kept to an eighth of the shortest timeout, at best 10 ms, at worst half a second.
  void schedule_sweep() {
    const ServerOptions& options = core_->options;
    const auto shortest = std::min({options.read_timeout, options.header_timeout, options.write_timeout});
    sweep_.expires_after(std::clamp(shortest / 8, std::chrono::milliseconds(10), std::chrono::milliseconds(500)));
    sweep_.async_wait([this](error_code) {
      if (core_->stopping.load()) return;
      const auto now = Clock::now();
      for (const auto& connection : connections()) {
        if (!connection->late(now)) continue;
        asio::post(connection->strand(), [connection] { connection->close_if_late(Clock::now()); });
      }
      schedule_sweep();
    });
  }

  std::shared_ptr<Core> core_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  asio::steady_timer sweep_;
  std::vector<std::shared_ptr<Listener>> listeners_;
  std::vector<std::uint16_t> ports_;
  std::vector<std::thread> threads_;
  bool stopped_ = false;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Handler handler,
                                              base::Logger& log, base::MetricsRegistry& metrics) {
  auto core = std::make_shared<Core>(std::move(options), std::move(handler), log, metrics);
  auto server = std::make_unique<AsioServer>(std::move(core));
  VARVE_TRY(server->open());
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace varve::http
