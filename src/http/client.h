// SPDX-License-Identifier: Apache-2.0
// An HTTP client for many concurrent requests on one thread: keep-alive, TLS, proxies, deadlines,
// bounded bodies (libcurl multi).
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "varve/result.h"

namespace varve::http {

struct ClientRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::chrono::milliseconds timeout = std::chrono::seconds(10);  // the whole exchange
  std::size_t body_max_bytes = 0;  // after decompression; 0: no limit
  bool follow_redirects = true;
  bool accept_gzip = true;
  // Credentials and TLS.
  std::string basic_auth_user, basic_auth_password;  // used if the user is not empty
  std::string ca_file, cert_file, key_file, server_name, proxy_url;
  bool insecure_skip_verify = false;
};

struct ClientResponse {
  int status = 0;
  std::string content_type;
  std::string body;                // decompressed
  std::size_t wire_bytes = 0;      // body bytes as received
  std::chrono::nanoseconds duration{};
};

// Thread-safe. The destructor cancels what is under way (callbacks get kCanceled) and joins.
class Client {
 public:
  virtual ~Client() = default;
  static Result<std::unique_ptr<Client>> create();
  // `done` runs on the client's thread and must not block; it is called exactly once. Errors:
  // kTimeout, kLimitExceeded (body), kUnavailable (connect, TLS, protocol), kCanceled; the text
  // reads like Go's, naming method and URL.
  virtual void fetch(ClientRequest request,
                     std::function<void(Result<ClientResponse>)> done) = 0;
};

}  // namespace varve::http
