// SPDX-License-Identifier: Apache-2.0
// The server's side of TLS: certificate, key and whom to trust, ready for handshakes (OpenSSL).
#pragma once

#include <memory>

#include "http/web_options.h"
#include "varve/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace varve::fs {
class FileSystem;
}

namespace varve::http {

// Immutable; shared by the connections that were accepted while it was current.
class ServerTls {
 public:
  // Reads the files. kInvalidArgument says which part does not fit, in the words of Prometheus.
  // Precondition: options.configured().
  static Result<std::shared_ptr<const ServerTls>> create(const TlsServerOptions& options,
                                                         fs::FileSystem& files);
  ~ServerTls();
  ServerTls(const ServerTls&) = delete;
  ServerTls& operator=(const ServerTls&) = delete;

  ssl_ctx_st* context() const { return context_; }
  // After a handshake: whether the client's certificate has one of the names it must have.
  bool allows(ssl_st* connection) const;

 private:
  ServerTls() = default;
  ssl_ctx_st* context_ = nullptr;
  std::vector<std::string> allowed_sans_;
};

}  // namespace varve::http
