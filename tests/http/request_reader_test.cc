// SPDX-License-Identifier: Apache-2.0
#include "http/request_reader.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <vector>

namespace varve::http {
namespace {

using State = RequestReader::State;

// Feeds the bytes in cuts of `step`, and lists what came out: "METHOD path?query body" or the status.
std::vector<std::string> read_all(std::string_view bytes, std::size_t step, RequestLimits limits = {}) {
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
      "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;e=f\r\nde\r\n0\r\nT: 1\r\n\r\n"
      "GET http://host:1/abs?q HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
      "GET / HTTP/1.0\r\n\r\n";
  const auto step = GENERATE(1u, 2u, 3u, 7u, 50u, 10'000u);
  CAPTURE(step);
  CHECK(read_all(bytes, step) == std::vector<std::string>{"GET /a?b=c ", "POST /p? hello world",
                                                          "POST /c? abcde", "GET /abs?q  close",
                                                          "GET /?  close"});
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
  CHECK(read_all("GET relative HTTP/1.1\r\nHost: x\r\n\r\n", step, limits) == std::vector<std::string>{"400"});
  CHECK(read_all("GET / HTTP/3.0\r\nHost: x\r\n\r\n", step, limits) == std::vector<std::string>{"505"});
  CHECK(read_all("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", step, limits) ==
        std::vector<std::string>{"501"});
}

}  // namespace
}  // namespace varve::http
