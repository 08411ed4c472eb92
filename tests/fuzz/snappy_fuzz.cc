// SPDX-License-Identifier: Apache-2.0
// Any bytes as a snappy block: never more memory than the bound.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "wire/compression.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kMaxBytes = 1 << 16;
  std::string out;
  const auto status =
      varve::wire::snappy_decompress({reinterpret_cast<const char*>(data), size}, kMaxBytes, out);
  VARVE_CHECK(out.size() <= kMaxBytes);
  if (!status.ok()) return 0;
  std::string again, plain;
  varve::wire::snappy_compress(out, again);
  VARVE_CHECK(varve::wire::snappy_decompress(again, kMaxBytes, plain).ok());
  VARVE_CHECK(plain == out);
  return 0;
}
