// SPDX-License-Identifier: Apache-2.0
// Any bytes as a compressed body: never more than the bound comes out.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "http/content_coding.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace varve::http;
  constexpr std::size_t kMaxBytes = 1 << 16;
  for (const ContentCoding coding : {ContentCoding::kGzip, ContentCoding::kZstd}) {
    std::string out;
    const auto status =
        decompress(coding, {reinterpret_cast<const char*>(data), size}, kMaxBytes, out);
    VARVE_CHECK(out.size() <= kMaxBytes);
    VARVE_CHECK(status.ok() || out.empty());
  }
  return 0;
}
