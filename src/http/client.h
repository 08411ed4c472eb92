// SPDX-License-Identifier: Apache-2.0
// An HTTP client for many concurrent requests on one thread: keep-alive, TLS, proxies, OAuth 2,
// deadlines, bounded bodies (libcurl multi).
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/body_budget.h"
#include "http/client_options.h"
#include "varve/result.h"

namespace varve::fs {
class FileSystem;
}

namespace varve::http {

struct ClientRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::chrono::milliseconds timeout = std::chrono::seconds(10);  // the whole exchange
  std::size_t body_max_bytes = 0;                                // after decompression; 0: no limit
  bool accept_gzip = true;
  // The body is handed over as it was sent, for decode_body() on another thread: one that unfolds
  // to the bound would hold up all other requests.
  bool encoded_body = false;
  // A header of the answer to hand over, in small letters; "": none.
  std::string answer_header = {};
  // Takes the body of a 200 piece by piece, on the client's thread, for answers that go on for
  // minutes (watches); ClientResponse::body stays empty and body_max_bytes does not count. Combine
  // it with accept_gzip = false: pieces are handed over as they were sent. False ends the exchange,
  // with kLimitExceeded: who cannot keep up says so instead of piling pieces up.
  std::function<bool(std::string_view)> on_body = {};
  // Where the bytes of the answer's body are taken from as they come; null: nobody counts them.
  // When it is used up the exchange ends with kUnavailable.
  std::shared_ptr<BodyBudget> budget = {};
  // A request to stop ends the exchange with kCanceled, soon and wherever it is.
  std::stop_token cancel = {};
  // How to connect and to authenticate; null: plainly. Shared, since thousands of requests have the
  // same. Secrets, certificates and keys in files are read anew for every request.
  std::shared_ptr<const ClientOptions> options;
};

struct ClientResponse {
  int status = 0;
  std::string content_type;
  std::string body;              // decompressed, unless encoded_body was asked for
  std::string content_encoding;  // of `body`; "" once it is decompressed
  std::string answer_header;     // the value of the header asked for, "" without it
  std::size_t wire_bytes = 0;    // body bytes as received
  // What the body holds of the request's budget, if that has one; gives it back with its last copy.
  std::shared_ptr<BodyLease> lease;
  std::chrono::nanoseconds duration{};
};

// Decompresses the body of a response. kLimitExceeded past max_bytes (0: no limit), "body size
// limit exceeded"; kUnavailable for a body that is broken or does not fit into the budget of its
// lease. A coding that is not known is left alone. `memory`: of a string that is not needed any
// more, for the decompressed body; its contents are of no meaning.
Status decode_body(ClientResponse& response, std::size_t max_bytes, std::string memory = {});

// Thread-safe. The destructor cancels what is under way (callbacks get kCanceled) and joins.
class Client {
 public:
  virtual ~Client() = default;
  // `files` is borrowed for the client's life.
  static Result<std::unique_ptr<Client>> create(fs::FileSystem& files);
  // `done` runs on the client's thread and must not block; it is called exactly once. Errors:
  // kTimeout, kLimitExceeded (body, headers), kUnavailable (secrets, connect, TLS, protocol),
  // kCanceled; the text reads like Go's, naming method and URL.
  virtual void fetch(ClientRequest request, std::function<void(Result<ClientResponse>)> done) = 0;
};

}  // namespace varve::http
