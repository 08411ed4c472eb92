// SPDX-License-Identifier: Apache-2.0
// Bit strings, most significant bit first, as bytes: the order of Prometheus's chunks. Word-wise.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace varve::storage::codec {

static_assert(std::endian::native == std::endian::little,
              "the formats of this folder are read and written by plain loads and stores");

inline constexpr std::uint64_t low_bits(unsigned count) {
  return count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

// Collects bits in a word and hands whole words, as the bytes of the stream, to memory that the
// caller guarantees.
class BitSink {
 public:
  // Goes on where `pending` (its low pending_count bits) stands; words go to `at` on.
  BitSink(std::uint8_t* at, std::uint64_t pending, unsigned pending_count)
      : at_(at), bits_(pending), count_(pending_count) {}

  // Precondition: count <= 64, no bits of `bits` above it.
  void put(std::uint64_t bits, unsigned count) {
    const unsigned room = 64 - count_;
    if (count < room) {
      bits_ = bits_ << count | bits;
      count_ += count;
      return;
    }
    const unsigned left = count - room;
    // room is 64 only if nothing is pending, and then count is 64.
    const std::uint64_t word = (room == 64 ? 0 : bits_ << room) | bits >> left;
    const std::uint64_t stored = __builtin_bswap64(word);
    std::memcpy(at_, &stored, 8);
    at_ += 8;
    bits_ = bits & low_bits(left);
    count_ = left;
  }
  // Writes what is pending, padded with zero bits to a byte; the end of what was written.
  std::uint8_t* finish() {
    for (; count_ > 0; count_ -= count_ < 8 ? count_ : 8) {
      *at_++ =
          static_cast<std::uint8_t>(count_ >= 8 ? bits_ >> (count_ - 8) : bits_ << (8 - count_));
    }
    return at_;
  }

  std::uint8_t* at() const { return at_; }
  std::uint64_t pending() const { return bits_; }
  unsigned pending_count() const { return count_; }

 private:
  std::uint8_t* at_;
  std::uint64_t bits_;
  unsigned count_;
};

// What must be readable, and zero, behind the bytes of a BitSource.
inline constexpr std::size_t kBitSlackBytes = 40;

// Takes bits from bytes by position, one unaligned load each. Bits behind the end are zeros;
// whoever reads checks overrun() at least every 240 bits, and ends there.
class BitSource {
 public:
  // The bytes are followed by kBitSlackBytes zeros.
  BitSource(const std::uint8_t* bytes, std::size_t size) : bytes_(bytes), end_(size * 8) {}

  // The next 57 bits or more, leftmost.
  std::uint64_t window() const {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes_ + at_ / 8, 8);
    return __builtin_bswap64(word) << (at_ % 8);
  }
  void skip(unsigned count) { at_ += count; }
  // Precondition: 1 <= count <= 64.
  std::uint64_t take(unsigned count) {
    std::uint64_t bits = window();
    if (count > 57) {
      // The rest of the 64 is in the ninth byte.
      bits |= std::uint64_t{bytes_[at_ / 8 + 8]} << (at_ % 8) >> 8;
    }
    at_ += count;
    return bits >> (64 - count);
  }
  bool overrun() const { return at_ > end_; }
  std::size_t taken_bytes() const { return (at_ + 7) / 8; }

 private:
  const std::uint8_t* bytes_;
  std::size_t end_;  // in bits, like at_
  std::size_t at_ = 0;
};

}  // namespace varve::storage::codec
