// SPDX-License-Identifier: Apache-2.0
// A Response to the bytes of one HTTP/1.x message: status line, headers, content coding, chunks.
// Knows no sockets.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "http/content_coding.h"
#include "http/server.h"

namespace varve::http {

// What the request decides about the form of its response.
struct ResponseForm {
  bool head = false;  // the answer to HEAD: no body
  bool http_1_0 = false;
  bool keep_alive = true;
  ContentCoding coding = ContentCoding::kIdentity;  // that the client likes best
};

// For one thread at a time. A whole body is compressed by the constructor: let it run where the
// time is not an I/O thread's.
class ResponseWriter {
 public:
  ResponseWriter(Response response, const ResponseForm& form);

  // Status line and headers. `keep_alive` as asked for by the form, unless the body can only end
  // with the connection (a stream to HTTP/1.0).
  const std::string& head() const { return head_; }
  bool keep_alive() const { return keep_alive_; }
  // The body as sent, if it is not streamed.
  std::string_view body() const { return body_; }
  bool streamed() const { return streamed_; }
  // The next bytes of a streamed body, replacing `out` (empty at times); false after the last ones.
  bool next(std::string& out);
  // Whether a stream that gave nothing wants to be waited for, and the way to do so
  // (Response::wait).
  bool can_wait() const { return response_.wait != nullptr; }
  void wait(std::function<void()> wake) { response_.wait(std::move(wake)); }

 private:
  Response response_;
  std::string head_;
  std::string body_;
  bool streamed_ = false;
  bool keep_alive_ = true;
  bool chunked_ = false;
  std::unique_ptr<StreamCompressor> compressor_;
  std::string piece_;
  std::string compressed_;
};

// "Not Found"; "" for codes without a registered phrase.
std::string_view reason_phrase(int status);

}  // namespace varve::http
