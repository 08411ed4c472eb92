// SPDX-License-Identifier: Apache-2.0
// Up to 128 integers in the smallest of several encodings: what value blocks (after decimal
// scaling) and time blocks share. See FORMAT.md, "Integer block".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "storage/codec/byte_reader.h"
#include "storage/codec/unpack.h"

namespace varve::storage::codec {

inline constexpr std::size_t kIntsMax = 128;

// The low four bits of a block's first byte. The last group is for values only.
enum class BlockCodec : std::uint8_t {
  kConst = 0,
  kAffine = 1,
  kFor = 2,
  kDelta = 3,
  kDod = 4,
  kSparse = 5,
  kSparseStep = 6,
  kResidual = 7,
  kDict = 8,
  kRaw = 9,
  kConstBits = 10,
  kXor = 11,
};

inline constexpr std::uint8_t kWidthMask = 0x3f;
inline constexpr std::uint8_t kHasExceptions = 0x40;  // value blocks only
inline constexpr std::uint8_t kHasDivisor = 0x80;

inline constexpr std::size_t kDictEntriesMax = 16;
// A position in a block.
inline constexpr unsigned kPositionBits = 7;
// Few jumps of a sparse block are listed, many are marked in a bitmap of all steps.
inline constexpr bool jumps_listed(std::size_t jumps, std::size_t count) {
  return jumps * kPositionBits < count - 1;
}

// Room for the integers of a block and for what unpacking may write behind them.
using IntBuffer = std::array<std::uint64_t, kIntsMax + kUnpackSlackValues>;

// An integer block never exceeds this.
inline constexpr std::size_t kIntBlockBytesMax = 2 + 4 * kVarintBytesMax + 16 + kIntsMax * 8;

// What is tried: times have no dictionary, values no line through both ends, residuals everything.
enum class IntKind : std::uint8_t { kValues, kTimes, kResiduals };

// Writes the block. Precondition: 1..128 ints whose largest and smallest are less than 2^55 apart.
// `exponent` goes into the first byte's high bits; it is lowered, and the ints taken for so many
// tenths, where all of them end in zeros.
std::size_t encode_ints(std::span<const std::int64_t> ints, IntKind kind, unsigned& exponent,
                        std::uint8_t* out);

// Reads what follows the first two bytes of a block. False if they are not an integer block. The
// reader is then failed or not.
bool decode_ints(ByteReader& reader, BlockCodec codec, std::uint8_t second_byte, std::size_t count,
                 IntBuffer& out);

}  // namespace varve::storage::codec
