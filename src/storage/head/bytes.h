// SPDX-License-Identifier: Apache-2.0
// Numbers in the head's snapshots: little-endian, LEB128 and zigzag. Writers append to a string,
// the reader checks every step.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace varve::storage::head {

static_assert(std::endian::native == std::endian::little, "snapshots are written as the memory is");

template <typename Number>
void put_fixed(std::string& out, Number value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}
inline void put_uvarint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}
// The distance of two times, modulo 2^64.
inline void put_delta(std::string& out, std::int64_t value, std::int64_t before) {
  const auto delta = static_cast<std::int64_t>(static_cast<std::uint64_t>(value) -
                                               static_cast<std::uint64_t>(before));
  put_uvarint(out,
              (static_cast<std::uint64_t>(delta) << 1) ^ static_cast<std::uint64_t>(delta >> 63));
}
inline void put_string(std::string& out, std::string_view text) {
  put_uvarint(out, text.size());
  out.append(text);
}

// After the first step beyond the end everything reads as zero, and ok() is false.
class ImageReader {
 public:
  explicit ImageReader(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  bool done() const { return rest_.empty(); }
  std::size_t left() const { return rest_.size(); }
  void fail() {
    ok_ = false;
    rest_ = {};
  }

  std::string_view take(std::uint64_t bytes) {
    if (bytes > rest_.size()) {
      fail();
      return {};
    }
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }
  template <typename Number>
  Number fixed() {
    Number value{};
    const std::string_view bytes = take(sizeof value);
    if (ok_) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  std::uint64_t uvarint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 70 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    fail();
    return 0;
  }
  std::int64_t delta(std::int64_t before) {
    const std::uint64_t zigzag = uvarint();
    return static_cast<std::int64_t>(((zigzag >> 1) ^ (~(zigzag & 1) + 1)) +
                                     static_cast<std::uint64_t>(before));
  }
  std::string_view string() { return take(uvarint()); }
  // A count of things that take at least `bytes_each`, so that a lie cannot reserve memory.
  std::size_t count(std::size_t bytes_each) {
    const std::uint64_t value = uvarint();
    if (value > rest_.size() / bytes_each) {
      fail();
      return 0;
    }
    return value;
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace varve::storage::head
