// SPDX-License-Identifier: Apache-2.0
// The door of the HTTP server: who may come in, over what, at what rate, and the headers everybody
// gets. Follows its options while the server runs.
#pragma once

#include <functional>
#include <memory>

#include "http/server.h"
#include "http/web_options.h"
#include "varve/result.h"

namespace varve::base {
class Logger;
}
namespace varve::fs {
class FileSystem;
}

namespace varve::http {

class ServerTls;

// Thread-safe. Outlives the server whose handler it guards.
class WebAccess {
 public:
  // Reads the options anew; called at most once a second, on an I/O thread.
  using Load = std::function<Result<WebOptions>()>;

  // The error of the first load, or of certificate and key. Later errors are logged, and what was
  // good stays in force. Whether there is TLS is decided here once.
  static Result<std::unique_ptr<WebAccess>> create(Load load, fs::FileSystem& files,
                                                   base::Logger& log);
  virtual ~WebAccess() = default;

  // Lets through to `inner` who gives a user's name and password, answers 401 to others and 429 to
  // too many.
  virtual Handler guard(Handler inner) = 0;
  // For the next connection; null without TLS.
  virtual std::shared_ptr<const ServerTls> tls() = 0;
};

// Everything that can be said about options without using them: hashes, names of headers,
// certificates. The text of the error is Prometheus's.
Status check(const WebOptions& options, fs::FileSystem& files);

}  // namespace varve::http
