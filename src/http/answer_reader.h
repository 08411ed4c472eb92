// SPDX-License-Identifier: Apache-2.0
// Reads an answer of HTTP/1 from its bytes as they come. What needs more than reading (redirects,
// demands for credentials, 1xx) it calls foreign, for a client that knows all of HTTP.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace varve::http {

// What the head of an answer says.
struct AnswerHead {
  int status = 0;
  std::string content_type;
  std::string content_encoding;
  std::optional<std::uint64_t> length;  // of the body; nullopt: in chunks, or to the end of input
  bool keep_alive = true;
};

// One answer; for one thread. Memory: the head and what lies between chunks, each bounded.
class AnswerReader {
 public:
  enum class State : std::uint8_t {
    kHead,
    kBody,
    kDone,     // whole; nothing may come after it
    kForeign,  // not for this reader; final
    kStopped,  // the body's taker wants no more; final
  };
  // Takes a piece of the body; false: no more of it.
  using TakeBody = std::function<bool(std::string_view)>;

  AnswerReader();
  ~AnswerReader();
  AnswerReader(AnswerReader&&) noexcept;
  AnswerReader& operator=(AnswerReader&&) noexcept;

  // Precondition: neither done nor final.
  State read(std::string_view bytes, const TakeBody& take);
  // Nothing more comes: kDone if the answer ends with its connection, else kForeign.
  State end();
  // From kBody on.
  const AnswerHead& head() const;

 private:
  class Parser;
  static constexpr std::size_t kHeadMaxBytes = 16 << 10;

  std::unique_ptr<Parser> parser_;
  std::string pending_;  // the beginning of what the parser wants whole
};

}  // namespace varve::http
