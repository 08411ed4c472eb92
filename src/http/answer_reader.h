// SPDX-License-Identifier: Apache-2.0
// Reads an answer of HTTP/1.1 from its bytes as they come. It understands what servers of metrics
// send, and no more: everything else (redirects, trailers, answers that end with the connection) it
// calls foreign, for a client that knows all of HTTP.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace varve::http {

// What the head of an answer says.
struct AnswerHead {
  int status = 0;
  std::string content_type;
  std::string content_encoding;
  std::optional<std::uint64_t> length;  // of the body; nullopt: it comes in chunks
  bool keep_alive = true;
};

// One answer; for one thread. Memory: the head and the lines between chunks, each bounded.
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

  // Precondition: neither done nor final.
  State read(std::string_view bytes, const TakeBody& take);
  // From kBody on.
  const AnswerHead& head() const { return head_; }

 private:
  enum class Part : std::uint8_t { kHead, kLength, kChunkLine, kChunk, kChunkEnd, kLastLine };
  static constexpr std::size_t kHeadMaxBytes = 16 << 10;
  static constexpr std::size_t kChunkLineMaxBytes = 256;

  State parse_head(std::string_view text);
  bool parse_field(std::string_view name, std::string_view value);
  State parse_chunk_line();
  bool take_line(std::string_view& bytes);

  AnswerHead head_;
  Part part_ = Part::kHead;
  bool chunked_ = false;
  std::string line_;        // the head, or a line between chunks, as far as it has come
  std::uint64_t left_ = 0;  // of the body or of a chunk
};

}  // namespace varve::http
