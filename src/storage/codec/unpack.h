// SPDX-License-Identifier: Apache-2.0
// Bit-packed unsigned integers, least significant bit first, value i at bit i * width.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace varve::storage::codec {

// Wider values do not fit one unaligned 64-bit load.
inline constexpr unsigned kPackWidthMax = 57;
// What unpack() may read behind the packed bytes.
inline constexpr std::size_t kUnpackSlackBytes = 32;
// What unpack() may write behind out[count).
inline constexpr std::size_t kUnpackSlackValues = 8;

// The width that holds values up to `max`.
inline unsigned width_of(std::uint64_t max) { return static_cast<unsigned>(std::bit_width(max)); }
inline std::size_t packed_bytes(std::size_t count, unsigned width) {
  return (count * width + 7) / 8;
}

// Writes packed_bytes(count, width) bytes. Precondition: width <= kPackWidthMax, each value fits.
void pack(const std::uint64_t* values, std::size_t count, unsigned width, std::uint8_t* out);

// Precondition: width <= kPackWidthMax; kUnpackSlackBytes readable bytes behind the packed ones,
// and kUnpackSlackValues writable values behind out[count).
void unpack(const std::uint8_t* in, std::size_t count, unsigned width, std::uint64_t* out);

// What unpack() does, on any machine; the twin its vector form is tested against.
void unpack_plain(const std::uint8_t* in, std::size_t count, unsigned width, std::uint64_t* out);

}  // namespace varve::storage::codec
