// SPDX-License-Identifier: Apache-2.0
// Little-endian numbers and LEB128 varints in the log's files. Writers have made room; the reader
// checks every step.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace varve::storage::wal {

static_assert(std::endian::native == std::endian::little, "the log is written as the memory is");

template <typename Number>
char* put(char* out, Number value) {
  std::memcpy(out, &value, sizeof value);
  return out + sizeof value;
}

template <typename Number>
Number get(const char* in) {
  Number value;
  std::memcpy(&value, in, sizeof value);
  return value;
}

inline std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
inline std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>((value >> 1) ^ (0 - (value & 1)));
}

// At most 10 bytes.
inline char* put_uvarint(char* out, std::uint64_t value) {
  while (value >= 0x80) {
    *out++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *out++ = static_cast<char>(value);
  return out;
}

// Reads 10 bytes at most, which must be there; past the number if there is none in them.
inline const char* get_uvarint(const char* in, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    const auto byte = static_cast<unsigned char>(*in++);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return in;
}

// Reads from the front. After the first step beyond the end everything reads as zero and empty, and
// ok() is false, so that callers check once per record.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  bool done() const { return rest_.empty(); }
  std::size_t left() const { return rest_.size(); }

  std::string_view take(std::uint64_t bytes) {
    if (bytes > rest_.size()) return fail();
    const std::string_view taken = rest_.substr(0, static_cast<std::size_t>(bytes));
    rest_.remove_prefix(static_cast<std::size_t>(bytes));
    return taken;
  }
  template <typename Number>
  Number fixed() {
    const std::string_view bytes = take(sizeof(Number));
    return ok_ ? get<Number>(bytes.data()) : Number{};
  }
  std::uint64_t uvarint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      if (rest_.empty()) break;
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    fail();
    return 0;
  }
  std::int64_t varint() { return unzigzag(uvarint()); }
  std::string_view string() { return take(uvarint()); }

 private:
  std::string_view fail() {
    ok_ = false;
    rest_ = {};
    return {};
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace varve::storage::wal
