// SPDX-License-Identifier: Apache-2.0
// Bit strings, most significant bit first, as bytes: the order of Prometheus's chunks. Word-wise.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

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
      *at_++ = static_cast<std::uint8_t>(count_ >= 8 ? bits_ >> (count_ - 8) : bits_ << (8 - count_));
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

// Takes bits from bytes. Reading past the end gives zeros and is seen by overrun().
class BitSource {
 public:
  explicit BitSource(std::span<const std::uint8_t> bytes)
      : at_(bytes.data()), end_(bytes.data() + bytes.size()), bits_total_(bytes.size() * 8) {
    word_ = next_word();
    ahead_ = next_word();
  }

  // Precondition: 1 <= count <= 64.
  std::uint64_t take(unsigned count) {
    const std::uint64_t window = word_ << used_ | ahead_ >> 1 >> (63 - used_);
    taken_ += count;
    used_ += count;
    if (used_ >= 64) {
      used_ -= 64;
      word_ = ahead_;
      ahead_ = next_word();
    }
    return window >> (64 - count);
  }
  bool overrun() const { return taken_ > bits_total_; }
  std::size_t taken_bytes() const { return (taken_ + 7) / 8; }

 private:
  std::uint64_t next_word() {
    std::uint64_t word = 0;
    if (end_ - at_ >= 8) [[likely]] {
      std::memcpy(&word, at_, 8);
      at_ += 8;
    } else if (at_ != end_) {
      std::memcpy(&word, at_, static_cast<std::size_t>(end_ - at_));
      at_ = end_;
    }
    return __builtin_bswap64(word);
  }

  const std::uint8_t* at_;
  const std::uint8_t* end_;
  std::size_t bits_total_;
  std::size_t taken_ = 0;
  std::uint64_t word_ = 0;
  std::uint64_t ahead_ = 0;
  unsigned used_ = 0;  // bits of word_ that are gone
};

}  // namespace varve::storage::codec
