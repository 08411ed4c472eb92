// SPDX-License-Identifier: Apache-2.0
#include "http/request_reader.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <vector>

namespace varve::http {
namespace {

using State = RequestReader::State;

// Feeds the bytes in cuts of `step`, and lists what came out: "METHOD path?query body" or the
// status.
std::vector<std::string> read_all(std::string_view bytes, std::size_t step,
                                  RequestLimits limits = {}) {
  BodyBudget budget(1 << 20);
  RequestReader reader(limits, budget);
  std::vector<std::string> out;
  while (!bytes.empty()) {
    const auto space = reader.space();
    const std::size_t n = std::min({step, space.size(), bytes.size()});
    if (n == 0) break;
    std::copy_n(bytes.data(), n, space.data());
    bytes.remove_prefix(n);
    reader.committed(n);
    for (;;) {
      const State state = reader.advance();
      if (state == State::kRefused) {
        out.push_back(std::to_string(reader.refusal().status));
        return out;
      }
      if (state != State::kComplete) break;
      ReadRequest read = reader.take();
      out.push_back(read.request.method + ' ' + read.request.path + '?' + read.request.query + ' ' +
                    read.request.body + (read.keep_alive ? "" : " close"));
    }
  }
  return out;
}

TEST_CASE("request reader: the same requests however the bytes are cut", "[http]") {
  const std::string bytes =
      "GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n"
      "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world"
      "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\n2;e=f\r\nde\r\n0\r\nT: 1\r\n\r\n"
      "GET http://host:1/abs?q HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
      "GET / HTTP/1.0\r\n\r\n";
  const auto step = GENERATE(1u, 2u, 3u, 7u, 50u, 10'000u);
  CAPTURE(step);
  CHECK(read_all(bytes, step) == std::vector<std::string>{"GET /a?b=c ", "POST /p? hello world",
                                                          "POST /c? abcde", "GET /abs?q  close",
                                                          "GET /?  close"});
}

TEST_CASE("request reader: what others may frame otherwise is refused or the last", "[http]") {
  CHECK(read_all("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 50) ==
        std::vector<std::string>{"400"});
  CHECK(read_all("GET / HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n", 50) ==
        std::vector<std::string>{"400"});
  CHECK(read_all("POST /p HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "1\r\na\r\n0\r\n\r\n",
                 50) == std::vector<std::string>{"POST /p? a close"});
}

TEST_CASE("request reader: lines may end with a line feed alone", "[http]") {
  const std::string bytes =
      "GET /a HTTP/1.1\nHost: x\n\n"
      "POST /p HTTP/1.1\r\nHost: x\nContent-Length: 2\r\n\n\n!"
      "GET /b HTTP/1.1\nHost: x\r\n\r\n"
      "GET /c HTTP/1.1\r\nHost: x\n\r\n"
      "POST /d HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n1\r\nz\r\n0\r\n\r\n"
      "\r\n\nGET /e HTTP/1.0\n\n";
  const auto step = GENERATE(1u, 2u, 3u, 7u, 50u, 10'000u);
  CAPTURE(step);
  CHECK(read_all(bytes, step) == std::vector<std::string>{"GET /a? ", "POST /p? \n!", "GET /b? ",
                                                          "GET /c? ", "POST /d? z",
                                                          "GET /e?  close"});
  // What it makes of a value is what it makes of it elsewhere: a line feed ends it.
  CHECK(read_all("GET / HTTP/1.1\nHost: x\nbroken\n\n", step) == std::vector<std::string>{"400"});
  CHECK(read_all("GET / HTTP/1.1\nHost: x\nA: b\rc\n\n", step) == std::vector<std::string>{"400"});
}

TEST_CASE("request reader: 505 is for another version, 400 for none", "[http]") {
  const auto status = [](std::string_view line) {
    return read_all(std::string(line) + "\r\nHost: x\r\n\r\n", 10'000);
  };
  for (const std::string_view line :
       {"GET / HTTP/2.0", "GET / HTTP/3.0", "GET / HTTP/0.9", "GET / HTTP/1.10"}) {
    CAPTURE(line);
    CHECK(status(line) == std::vector<std::string>{"505"});
  }
  for (const std::string_view line :
       {"GET / HTTP/1.x", "GET / HTTP/", "GET / http/1.1", "GET / HTTP/1", "GET /", "GET",
        "GET / FTP/1.1", "GET / HTTP/1.1 ", "GET /a b HTTP/1.1"}) {
    CAPTURE(line);
    CHECK(status(line) == std::vector<std::string>{"400"});
  }
}

TEST_CASE("request reader: what does not begin as HTTP does is refused as soon as that is seen",
          "[http]") {
  const auto step = GENERATE(1u, 3u, 10'000u);
  CAPTURE(step);
  for (const std::string_view begin :
       {"hello\r\n", "\r\n\x16\x03\x01", "\xff", " GET / HTTP/1.1", "GET\n", "GET /\r\n",
        "G\x01T / HTTP/1.1\r\n", "GET  HTTP/1.1\r\n", "GET / HTTP/1.x\r\n",
        "GET / HTTP/1.1 \r\n"}) {
    CAPTURE(begin);
    CHECK(read_all(begin, step) == std::vector<std::string>{"400"});
  }
  for (const std::string_view begin :
       {"hello", "hello\r", "M-SEARCH * HTTP/1.1\r\n", "GET /\xc3\xa4 HTTP/1.1\n",
        "OPTIONS * HTTP/1.0\r\nHo", "GET / HTTP/2.0\r\n"}) {
    CAPTURE(begin);
    CHECK(read_all(begin, step).empty());
  }
}

TEST_CASE("request reader: a body of no chunks, byte by byte", "[http]") {
  const std::string head = "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
  for (const std::string_view end : {"\r\n", "T: 1\r\n\r\n"}) {
    BodyBudget budget(1 << 20);
    RequestReader reader({}, budget);
    for (const char byte : head + std::string(end)) {
      REQUIRE(reader.advance() != State::kComplete);
      reader.space()[0] = byte;
      reader.committed(1);
    }
    REQUIRE(reader.advance() == State::kComplete);
    CHECK(reader.take().request.body.empty());
  }
}

TEST_CASE("request reader: a large claimed length takes memory only as its bytes come", "[http]") {
  BodyBudget budget(std::size_t{64} << 20);
  RequestLimits limits;
  limits.body_max_bytes = std::size_t{32} << 20;
  RequestReader reader(limits, budget);
  const std::size_t length = 3'000'000;
  const auto feed = [&](std::string_view bytes) {
    while (!bytes.empty()) {
      const auto space = reader.space();
      const std::size_t n = std::min(space.size(), bytes.size());
      std::copy_n(bytes.data(), n, space.data());
      bytes.remove_prefix(n);
      reader.committed(n);
      reader.advance();
    }
  };
  feed("POST /w HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(length) + "\r\n\r\nab");
  CHECK(budget.used_bytes() <= 256 << 10);
  std::string rest;
  for (std::size_t i = 2; i < length; ++i) rest += static_cast<char>('a' + i % 26);
  feed(std::string_view(rest).substr(0, 1'000'000));
  CHECK(budget.used_bytes() <= 2'200'000);
  feed(std::string_view(rest).substr(1'000'000));
  REQUIRE(reader.advance() == State::kComplete);
  const ReadRequest read = reader.take();
  CHECK(read.request.body.size() == length);
  CHECK(read.request.body.substr(2) == rest);
}

TEST_CASE("request reader: a chunk that claims too much is refused by its header", "[http]") {
  RequestLimits limits;
  limits.body_max_bytes = 100;
  const std::string head = "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string size : {"ffffffffffffffff", "65"}) {
    CHECK(read_all(head + size + "\r\n", 10'000, limits) == std::vector<std::string>{"413"});
  }
}

TEST_CASE("request reader: refusals", "[http]") {
  RequestLimits limits;
  limits.header_max_bytes = 500;
  limits.body_max_bytes = 100;
  const auto step = GENERATE(1u, 64u, 10'000u);
  const std::string long_header = "GET / HTTP/1.1\r\nHost: " + std::string(600, 'x') + "\r\n\r\n";
  CHECK(read_all(long_header, step, limits) == std::vector<std::string>{"431"});
  CHECK(read_all("GET /" + std::string(600, 'a'), step, limits) == std::vector<std::string>{"431"});
  CHECK(read_all("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n", step, limits) ==
        std::vector<std::string>{"413"});
  CHECK(read_all("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" +
                     std::string(101, 'x') + "\r\n0\r\n\r\n", step, limits) ==
        std::vector<std::string>{"413"});
  CHECK(read_all("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;" +
                     std::string(5000, 'x'), step, limits) == std::vector<std::string>{"400"});
  CHECK(read_all("GET relative HTTP/1.1\r\nHost: x\r\n\r\n", step, limits) ==
        std::vector<std::string>{"400"});
  CHECK(read_all("GET / HTTP/3.0\r\nHost: x\r\n\r\n", step, limits) ==
        std::vector<std::string>{"505"});
  CHECK(read_all("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", step, limits) ==
        std::vector<std::string>{"501"});
}

}  // namespace
}  // namespace varve::http
