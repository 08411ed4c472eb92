// SPDX-License-Identifier: Apache-2.0
// An HTTP/1.1 server with bounds on everything a client controls. Requests are handed to a Handler
// on an I/O thread; the answer may come later, from any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "varve/result.h"

namespace varve::base {
class Logger;
class MetricsRegistry;
}  // namespace varve::base

namespace varve::http {

// A whole request. Owned by the exchange: views into it live until the response has been sent.
struct Request {
  std::string method;
  std::string path;   // percent-decoded, without the query
  std::string query;  // raw, after '?'
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;   // as sent: Content-Encoding is the handler's business
  std::string remote_address;

  // Case-insensitive; "" if absent.
  std::string_view header(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  // If set, the body is streamed (chunked) instead: each call appends the next piece (aim at 64
  // KiB) and says whether more follows. Called on an I/O thread when the socket can take it, so
  // never more than a piece is in memory.
  std::function<bool(std::string& piece)> next_piece;
  // For a stream that is not always ready: called on an I/O thread when next_piece has appended
  // nothing and said that more follows. Whoever has more then calls `wake`, from any thread (also
  // at once); it does nothing if the connection has gone meanwhile. Until then the stream costs no
  // time and has no deadline; it ends, and with it all that its functions hold, when the client
  // hangs up or the server stops. Such a stream is not compressed.
  std::function<void(std::function<void()> wake)> wait;
  // Compress by the client's Accept-Encoding (zstd, gzip) if the body is worth it.
  bool compressible = true;
  // Most of the body is points of series, as the JSON of a range query has them: gzip is made by
  // one who knows such text (points_gzip.h). Whatever it is, it arrives as it is.
  bool points = false;
};

// The answer to one request; shared by whoever will answer it. send() may be called once, from any
// thread; if the last owner goes without it, the client gets 500.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const Request& request() const = 0;
  virtual void send(Response response) = 0;
  // True once the client has hung up: work for it is in vain.
  virtual bool client_gone() const = 0;
  // The request's body is needed no more: its memory, and its share of the server's bound, are free
  // at once and not only when the response has been sent, which for a stream may be never. By
  // whoever answers, before send(); nobody else may be reading the body.
  virtual void drop_body() = 0;
  // Runs `work` on the calling I/O thread as soon as the handler has returned, while other threads
  // watch the client and serve the other connections: what it sends costs no way between threads.
  // False, and `work` is left as it was, where the calling thread is none of the server's, or too
  // few would be left for the others.
  virtual bool run_after_handler(std::function<void()>& work) {
    static_cast<void>(work);
    return false;
  }
};
using ExchangePtr = std::shared_ptr<Exchange>;

// Called on an I/O thread; must not block for long.
using Handler = std::function<void(ExchangePtr)>;

class ServerTls;

struct ServerOptions {
  std::vector<std::string> listen_addresses{"0.0.0.0:9090"};
  // How many threads serve connections, each of them its own. Behind each stands another, which
  // serves them while the first is at work that takes long.
  std::size_t lanes = 2;
  std::size_t connections_max = 512;
  // Connections beyond those, for one request each and only to these paths: whoever asks whether
  // the server lives must be answered while others hold all its connections. Others get 503.
  std::size_t connections_reserved = 0;
  std::vector<std::string> reserved_paths = {};
  std::size_t body_max_bytes = std::size_t{64} << 20;
  std::size_t header_max_bytes = 64 << 10;
  std::chrono::milliseconds read_timeout = std::chrono::minutes(5);   // idle and whole request
  std::chrono::milliseconds header_timeout = std::chrono::seconds(30);
  std::chrono::milliseconds write_timeout = std::chrono::minutes(2);
  // Request bodies in memory over all connections; past it: 503 with Retry-After.
  std::size_t bodies_total_max_bytes = std::size_t{512} << 20;
  // Asked for every connection, on an I/O thread; empty, or a null answer: without TLS.
  std::function<std::shared_ptr<const ServerTls>()> tls;
};

class Server {
 public:
  virtual ~Server() = default;  // stops

  // Binds and starts. kIo names the address that could not be bound.
  static Result<std::unique_ptr<Server>> start(ServerOptions options, Handler handler,
                                               base::Logger& log, base::MetricsRegistry& metrics);
  // The bound ports, in the order of the addresses (for port 0).
  virtual std::vector<std::uint16_t> ports() const = 0;
  // Stops accepting, lets requests under way finish up to `grace`, closes the rest.
  virtual void stop(std::chrono::milliseconds grace) = 0;
};

// "a=b&c=d" with percent and plus decoded, in order. kInvalidArgument for a broken escape.
using FormValues = std::vector<std::pair<std::string, std::string>>;
Result<FormValues> parse_form(std::string_view encoded);

}  // namespace varve::http
