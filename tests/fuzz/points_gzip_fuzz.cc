// SPDX-License-Identifier: Apache-2.0
// Any text, in pieces of any size, comes back from what is made of it. The first byte says how
// large the pieces are; of the others those below 32 stand for what points are made of, so that
// there are some, and for repeating what there is.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/points_gzip.h"

namespace {

std::string text_of(const std::uint8_t* data, std::size_t size) {
  static constexpr std::array<const char*, 16> kParts{"\"],[",
                                                      "[[",
                                                      "]]},{\"metric\":{",
                                                      "\"values\":[[1763740800,\"",
                                                      "\"],[1763740815,\"",
                                                      "1763740830",
                                                      ",\"",
                                                      "0.30000000000000004",
                                                      "284.9973",
                                                      "0",
                                                      "NaN",
                                                      "12",
                                                      "1e-07",
                                                      ".781",
                                                      "-",
                                                      "\"],[1763740830,\"0"};
  constexpr std::size_t kTextMax = 128 << 10;
  std::string text;
  for (std::size_t i = 0; i < size && text.size() < kTextMax; ++i) {
    if (data[i] < 16) {
      text += kParts[data[i]];
    } else if (data[i] < 32) {
      const std::size_t back = std::size_t{1} << (data[i] - 12);
      text += text.substr(text.size() - std::min(text.size(), back));
    } else {
      text += static_cast<char>(data[i]);
    }
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace varve::http;
  if (size == 0) return 0;
  const std::size_t piece_bytes = std::size_t{1} << (data[0] % 18);
  const std::string text = text_of(data + 1, size - 1);
  std::string packed;
  const auto compressor = make_points_gzip();
  std::string_view rest = text;
  do {
    const std::string_view piece = rest.substr(0, piece_bytes);
    rest.remove_prefix(piece.size());
    compressor->write(piece, rest.empty(), packed);
  } while (!rest.empty());
  std::string back;
  VARVE_CHECK(gzip_decompress(packed, text.size() + 1, back).ok());
  VARVE_CHECK(back == text);
  return 0;
}
