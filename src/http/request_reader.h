// SPDX-License-Identifier: Apache-2.0
// Bytes of a connection to requests, with every bound on the way. Knows no sockets: the connection
// asks where to put bytes and tells how many came.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "http/body_budget.h"
#include "http/server.h"

namespace varve::http {

struct RequestLimits {
  std::size_t header_max_bytes = 64 << 10;
  std::size_t body_max_bytes = std::size_t{64} << 20;
};

// Why a request is answered without its handler; the connection closes afterwards.
struct Refusal {
  int status = 400;
  std::string message;
};

// A request that has arrived whole.
struct ReadRequest {
  Request request;
  BodyLease lease;  // of request.body
  bool keep_alive = true;
  bool http_1_0 = false;
};

// One per connection, for one thread at a time. Bodies of known length are read straight into
// place, which grows as they come; chunked ones are copied once. Either may hold twice what has
// come.
class RequestReader {
 public:
  RequestReader(RequestLimits limits, BodyBudget& budget);
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  // Where the next bytes belong; empty if no more can be taken before the request is (pipelining
  // beyond one header's size). Stays valid until committed(), whatever is called in between.
  std::span<char> space();
  // n bytes have been put there.
  void committed(std::size_t n);

  enum class State : unsigned char {
    kEmpty,       // between requests, nothing has come
    kHeader,      // within a header
    kBody,        // within a body
    kComplete,    // take() it
    kRefused,     // see refusal(); nothing more is read
  };
  // Parses what has come.
  State advance();

  // Whether something has come that has not been taken: a whole request, or bytes that advance()
  // has not seen.
  bool has_rest() const { return begin_ < end_ || state_ == State::kComplete; }
  // In kBody: whether the client waits for "100 Continue". Says so once.
  bool take_continue_wanted();
  // In kComplete. What follows in the buffer is the next request.
  ReadRequest take();
  const Refusal& refusal() const { return refusal_; }

 private:
  class Parser;
  std::size_t find_header_end();
  State refuse(int status, std::string message);
  bool may_be_http() const;
  State parse_header();
  State begin_body();
  State fill_body();
  State parse_chunks();

  const RequestLimits limits_;
  BodyBudget& budget_;
  std::string buffer_;
  std::size_t begin_ = 0;  // of what is not parsed yet
  std::size_t end_ = 0;
  std::unique_ptr<Parser> parser_;
  State state_ = State::kEmpty;
  // Of the header that has come in part, from begin_ on.
  std::size_t header_seen_ = 0;
  std::size_t line_begin_ = 0;
  bool bare_line_feeds_ = false;
  bool reading_body_ = false;  // the last space() was in the body
  bool continue_wanted_ = false;
  ReadRequest current_;
  std::size_t body_bytes_ = 0;   // of a body of known length
  bool between_chunks_ = false;  // what has come is the beginning of a chunk header or trailer
  std::size_t body_filled_ = 0;  // of these, what has come; body.size() is what there is room for
  Refusal refusal_;
};

}  // namespace varve::http
