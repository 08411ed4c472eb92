// SPDX-License-Identifier: Apache-2.0
// Between text, as files give it, and the bytes and varints the codecs work on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "storage/codec/byte_reader.h"

namespace varve::storage::block {

inline std::span<const std::uint8_t> unsigned_bytes(std::string_view bytes) {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

inline void append_uvarint(std::string& out, std::uint64_t value) {
  std::uint8_t bytes[codec::kVarintBytesMax];
  const std::uint8_t* end = codec::write_uvarint(bytes, value);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(end - bytes));
}

// A reader's next string: its length, then its bytes. Empty, and the reader failed, if it is cut.
inline std::string_view take_string(codec::ByteReader& reader) {
  const std::uint64_t size = reader.uvarint();
  if (size > reader.left()) {
    reader.mark_failed();
    return {};
  }
  const std::uint8_t* from = reader.take(static_cast<std::size_t>(size));
  return {reinterpret_cast<const char*>(from), static_cast<std::size_t>(size)};
}

}  // namespace varve::storage::block
