// SPDX-License-Identifier: Apache-2.0
// Any bytes as a snappy block: never more memory than the bound, and what the library makes of
// them.
#include <snappy.h>

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
  std::size_t claimed = 0;
  const auto* const bytes = reinterpret_cast<const char*>(data);
  if (snappy::GetUncompressedLength(bytes, size, &claimed) && claimed <= kMaxBytes &&
      claimed <= size * 22) {
    std::string twin(claimed, '\0');
    VARVE_CHECK(snappy::RawUncompress(bytes, size, twin.data()) == status.ok());
    if (status.ok()) VARVE_CHECK(twin == out);
  }
  if (!status.ok()) return 0;
  std::string again, plain;
  varve::wire::snappy_compress(out, again);
  VARVE_CHECK(varve::wire::snappy_decompress(again, kMaxBytes, plain).ok());
  VARVE_CHECK(plain == out);
  return 0;
}
