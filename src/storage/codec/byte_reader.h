// SPDX-License-Identifier: Apache-2.0
// Reads and writes the small parts of block headers: LEB128 and zigzag integers. The reader is for
// hostile bytes: after a read beyond the end it is failed, and stays so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace varve::storage::codec {

inline constexpr std::size_t kVarintBytesMax = 10;

inline std::uint64_t to_zigzag(std::int64_t value) {
  return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
}
inline std::uint64_t from_zigzag(std::uint64_t raw) { return raw >> 1 ^ (~(raw & 1) + 1); }

inline std::uint8_t* write_uvarint(std::uint8_t* at, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<std::uint8_t>(value | 0x80);
  *at++ = static_cast<std::uint8_t>(value);
  return at;
}
inline std::uint8_t* write_varint(std::uint8_t* at, std::int64_t value) {
  return write_uvarint(at, to_zigzag(value));
}

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::uint8_t> bytes)
      : begin_(bytes.data()), at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  std::uint8_t byte() {
    if (at_ == end_) return fail();
    return *at_++;
  }
  std::uint64_t uvarint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at_ == end_) return fail();
      const std::uint8_t part = *at_++;
      value |= static_cast<std::uint64_t>(part & 0x7f) << shift;
      if (part < 0x80) return value;
    }
    return fail();
  }
  // Two's complement in an unsigned, so that sums of hostile numbers wrap.
  std::uint64_t varint() { return from_zigzag(uvarint()); }
  std::uint64_t word() {
    std::uint64_t value = 0;
    if (const std::uint8_t* from = take(8)) std::memcpy(&value, from, 8);
    return value;
  }
  // The next `size` bytes, or nullptr if there are fewer.
  const std::uint8_t* take(std::size_t size) {
    if (size > left()) {
      fail();
      return nullptr;
    }
    at_ += size;
    return at_ - size;
  }

  void mark_failed() { fail(); }
  bool failed() const { return failed_; }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  std::size_t taken() const { return static_cast<std::size_t>(at_ - begin_); }

 private:
  std::uint8_t fail() {
    failed_ = true;
    at_ = end_;
    return 0;
  }
  const std::uint8_t* begin_;
  const std::uint8_t* at_;
  const std::uint8_t* end_;
  bool failed_ = false;
};

}  // namespace varve::storage::codec
