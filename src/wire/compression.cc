// SPDX-License-Identifier: Apache-2.0
#include "wire/compression.h"

#include <fmt/format.h>
#include <snappy.h>

#include "wire/snappy_block.h"

namespace varve::wire {
namespace {

// The densest element of the format is a three-byte copy of 64 bytes, so nothing expands further.
constexpr std::size_t kExpansionMax = 22;

}  // namespace

Status snappy_decompress(std::string_view compressed, std::size_t max_bytes, std::string& out) {
  std::size_t size = 0;
  if (!snappy::GetUncompressedLength(compressed.data(), compressed.size(), &size)) {
    return Error(ErrorCode::kInvalidArgument, "snappy: corrupt input");
  }
  if (size > max_bytes) {
    return Error(ErrorCode::kLimitExceeded,
                 fmt::format("snappy: decoded block of {} bytes is too large, the limit is {}",
                             size, max_bytes));
  }
  if (size > compressed.size() * kExpansionMax) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("snappy: corrupt input: {} bytes claim to hold {}", compressed.size(),
                             size));
  }
  out.resize(size);
  // Behind the length, a varint whose last byte has no top bit.
  std::size_t length_bytes = 1;
  while (static_cast<signed char>(compressed[length_bytes - 1]) < 0) ++length_bytes;
  if (!snappy_undo(compressed.substr(length_bytes), out.data(), size)) {
    return Error(ErrorCode::kInvalidArgument, "snappy: corrupt input");
  }
  return {};
}

void snappy_compress(std::string_view plain, std::string& out) {
  out.resize(snappy::MaxCompressedLength(plain.size()));
  std::size_t size = 0;
  snappy::RawCompress(plain.data(), plain.size(), out.data(), &size);
  out.resize(size);
}

}  // namespace varve::wire
