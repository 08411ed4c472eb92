// SPDX-License-Identifier: Apache-2.0
// Any bytes on a connection, in cuts that the first byte chooses: the same requests as uncut. (A
// header that is broken and not complete may be refused sooner in one of the two.)
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/request_reader.h"

namespace {

std::string read_all(std::string_view bytes, std::size_t step) {
  using namespace varve::http;
  BodyBudget budget(1 << 16);
  RequestReader reader({.header_max_bytes = 1024, .body_max_bytes = 4096}, budget);
  std::string out;
  while (!bytes.empty()) {
    const auto space = reader.space();
    const std::size_t n = std::min({step, space.size(), bytes.size()});
    VARVE_CHECK(n > 0);
    std::copy_n(bytes.data(), n, space.data());
    bytes.remove_prefix(n);
    reader.committed(n);
    for (;;) {
      const auto state = reader.advance();
      if (state == RequestReader::State::kRefused) return out;
      if (state != RequestReader::State::kComplete) break;
      const ReadRequest read = reader.take();
      out += read.request.method + ' ' + read.request.path + '?' + read.request.query + ' ' +
             read.request.body + '\n';
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.empty()) return 0;
  const std::size_t step = static_cast<unsigned char>(bytes[0]) % 16 + 1;
  VARVE_CHECK(read_all(bytes, step) == read_all(bytes, bytes.size()));
  return 0;
}
