// SPDX-License-Identifier: Apache-2.0
#include "http/answer_reader.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

namespace varve::http::testing {
namespace {

using State = AnswerReader::State;

struct Read {
  State state = State::kHead;
  State ended = State::kForeign;  // where nothing more comes after kBody
  std::string body;
  AnswerHead head;
};

// In pieces of `step` bytes, up to the end or to the first final state.
Read read(std::string_view bytes, std::size_t step) {
  Read out;
  AnswerReader reader;
  const auto take = [&out](std::string_view piece) {
    out.body += piece;
    return true;
  };
  while (!bytes.empty() && (out.state == State::kHead || out.state == State::kBody)) {
    const std::size_t size = std::min(step, bytes.size());
    out.state = reader.read(bytes.substr(0, size), take);
    bytes.remove_prefix(size);
  }
  if (bytes.empty() && out.state == State::kBody) out.ended = reader.end();
  // What came behind the end, in a piece of its own.
  if (out.state == State::kDone && !bytes.empty()) out.state = State::kForeign;
  out.head = reader.head();
  return out;
}

TEST_CASE("http answer: with a length and in chunks, however it is cut", "[http]") {
  const auto step = GENERATE(1U, 2U, 3U, 7U, 1000U);
  CAPTURE(step);
  Read plain = read(
      "HTTP/1.1 200 OK\r\nContent-Type:text/plain \r\ncontent-LENGTH: 5\r\n"
      "Content-Encoding: gzip\r\n\r\nhello",
      step);
  CHECK(plain.state == State::kDone);
  CHECK(plain.body == "hello");
  CHECK(plain.head.status == 200);
  CHECK(plain.head.content_type == "text/plain");
  CHECK(plain.head.content_encoding == "gzip");
  CHECK(plain.head.keep_alive);

  const Read chunked = read(
      "HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n"
      "Connection: close\r\n\r\n5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
      step);
  CHECK(chunked.state == State::kDone);
  CHECK(chunked.body == "hello0123456789");
  CHECK(chunked.head.status == 503);
  CHECK_FALSE(chunked.head.keep_alive);

  const Read empty = read("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", step);
  CHECK(empty.state == State::kDone);
  CHECK(empty.head.status == 404);
  CHECK(read("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", step).state == State::kBody);
}

TEST_CASE("http answer: it may end with its connection, or with a trailer", "[http]") {
  const auto step = GENERATE(1U, 3U, 1000U);
  CAPTURE(step);
  const Read old = read("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello", step);
  CHECK(old.state == State::kBody);
  CHECK(old.ended == State::kDone);
  CHECK(old.body == "hello");
  CHECK_FALSE(old.head.keep_alive);
  CHECK_FALSE(old.head.length);
  const Read known = read("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", step);
  CHECK(known.state == State::kDone);
  CHECK_FALSE(known.head.keep_alive);
  CHECK(read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", step).ended == State::kForeign);
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(read(head + "1\r\nx\r\n", step).ended == State::kForeign);
  for (const std::string end :
       {"0\r\n\r\n", "0\r\nTrailer: 1\r\n\r\n", "1\r\nx\r\n0\r\nT: 1\r\n\r\n"}) {
    CHECK(read(head + end, step).state == State::kDone);
  }
}

TEST_CASE("http answer: what is not plain is left to others", "[http]") {
  const auto text = GENERATE(
      as<std::string>(), "HTTP/2 200 OK\r\nContent-Length: 1\r\n\r\nx",
      "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n",
      "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "nonsense\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
      "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
      "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nx",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzero\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nx", "HTTP/1.1 200 OK\r\n Folded: 1\r\n\r\nx",
      "HTTP/1.1 200 OK\r\nX: 1\nContent-Length: 1\r\n\r\nx", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n");
  CAPTURE(text);
  CHECK(read(text, 1).state == State::kForeign);
  CHECK(read(text, text.size()).state == State::kForeign);
}

TEST_CASE("http answer: heads and lines between chunks are bounded", "[http]") {
  const auto step = GENERATE(1U, 100'000U);
  const std::string head = "HTTP/1.1 200 OK\r\nX: " + std::string(40'000, 'x');
  CHECK(read(head, step).state == State::kForeign);
  const std::string line =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(40'000, 'x');
  CHECK(read(line, step).state == State::kForeign);
}

TEST_CASE("http answer: a taker that wants no more stops it", "[http]") {
  AnswerReader reader;
  CHECK(reader.read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx",
                    [](std::string_view) { return false; }) == State::kStopped);
}

}  // namespace
}  // namespace varve::http::testing
