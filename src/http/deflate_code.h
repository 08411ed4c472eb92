// SPDX-License-Identifier: Apache-2.0
// The prefix codes of a DEFLATE block (RFC 1951, 3.2.7): from how often each symbol is used to how
// many bits it takes, and to the block's head that says so. Knows no text.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace varve::http {

inline constexpr std::size_t kLiteralSymbols = 286;  // bytes, the end of the block, lengths
inline constexpr std::size_t kDistanceSymbols = 30;
inline constexpr std::size_t kEndOfBlock = 256;
inline constexpr std::size_t kLengthSymbolFirst = 257;
// DEFLATE allows 15. With less two literals go to the output at once, in 27 bits of a table's word.
inline constexpr unsigned kCodeBitsMax = 13;

// How often each symbol is used.
struct SymbolCounts {
  std::array<std::uint32_t, kLiteralSymbols> literals{};
  std::array<std::uint32_t, kDistanceSymbols> distances{};
};

// A symbol's bits, the first of them lowest.
struct Code {
  std::uint16_t bits = 0;
  std::uint16_t size = 0;
};

// Bits in the order of DEFLATE, to where there is room for all of them and eight bytes more.
class BitWriter {
 public:
  void begin(unsigned char* at) { at_ = at; }
  unsigned char* end() const { return at_; }
  // No more than 56 between two flushes.
  void put(std::uint64_t bits, unsigned size) {
    held_ |= bits << count_;
    count_ += size;
  }
  void put(const Code& code) { put(code.bits, code.size); }
  // Up to seven bits stay, also from one begin() to the next.
  void flush();
  // Zeros up to the next byte, and that one too.
  void finish();

 private:
  unsigned char* at_ = nullptr;
  std::uint64_t held_ = 0;
  unsigned count_ = 0;
};

inline void BitWriter::flush() {
  static_assert(std::endian::native == std::endian::little, "words are written as the memory is");
  std::memcpy(at_, &held_, sizeof held_);
  at_ += count_ / 8;
  held_ >>= count_ & ~7u;
  count_ &= 7;
}

class DeflateCode {
 public:
  // Symbols that are counted as 0 get no code; the end of the block always does.
  explicit DeflateCode(SymbolCounts counts);
  // No more than kHeadMaxBytes. `last` of the stream.
  void write_head(bool last, BitWriter& out) const;
  static constexpr std::size_t kHeadMaxBytes = 400;

  const Code& literal(std::size_t symbol) const { return literals_[symbol]; }
  const Code& distance(std::size_t symbol) const { return distances_[symbol]; }

 private:
  std::array<Code, kLiteralSymbols> literals_{};
  std::array<Code, kDistanceSymbols> distances_{};
};

}  // namespace varve::http
