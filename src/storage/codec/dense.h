// SPDX-License-Identifier: Apache-2.0
// The values of a closed chunk: up to 128 doubles as a self-contained run of bytes, in whichever of
// a dozen encodings is smallest. Every bit pattern of a double survives. Decoders take hostile
// bytes: they never read or write outside what they are given. See FORMAT.md, "Value block".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "varve/result.h"

namespace varve::storage::codec {

inline constexpr std::size_t kDenseSamplesMax = 128;
// What encode_values() needs as room, for any input: RAW64 and a header.
inline constexpr std::size_t kDenseValuesBytesMax = kDenseSamplesMax * 8 + 16;

// What the last block of a series taught: the decimal exponent to try first. Any content is right,
// a fitting one is fast. Two equal inputs with different hints may give different bytes.
struct ValueHint {
  static constexpr std::uint8_t kNotDecimal = 0xff;
  std::uint8_t exponent = 0;
};

// Writes a block and returns its size. Precondition: 1 to kDenseSamplesMax values and
// kDenseValuesBytesMax bytes of room at `out`.
std::size_t encode_values(std::span<const double> values, ValueHint& hint, std::uint8_t* out);

// Reads a block of `count` values from the front of `bytes` (which may go on behind it) into
// out[0, count). Returns the bytes it took; kCorruption, with out undefined, if they are no block.
// Precondition: 1 <= count <= kDenseSamplesMax.
Result<std::size_t> decode_values(std::span<const std::uint8_t> bytes, std::size_t count,
                                  double* out);

// The encodings' names ("const", "delta", …) as benchmarks and debugging tools print them, for the
// first byte of a block.
const char* value_codec_name(std::uint8_t first_byte);

}  // namespace varve::storage::codec
