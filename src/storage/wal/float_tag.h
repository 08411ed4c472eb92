// SPDX-License-Identifier: Apache-2.0
// The tag byte of a float sample and the flags of a histogram.
#pragma once

#include <cstdint>

namespace varve::storage::wal {

inline constexpr std::uint8_t kShapeMask = 0x1f;  // bits 0-4: float_shape.h
inline constexpr std::uint8_t kSameTime = 0x20;   // bit 5: the time of the sample before
// Bits 6-7: the distance of the id from the sample's before (0 before the first), modulo 2^32.
inline constexpr std::uint8_t kIdMask = 0xc0;
inline constexpr std::uint8_t kIdSame = 0x00;    // 0
inline constexpr std::uint8_t kIdNext = 0x40;    // 1
inline constexpr std::uint8_t kIdByte = 0x80;    // one byte: distance - 2
inline constexpr std::uint8_t kIdVarint = 0xc0;  // LEB128: the distance
inline constexpr std::uint32_t kIdByteBase = 2;

// Histogram flags; bits 0-1 are the counter reset hint.
inline constexpr std::uint8_t kHistogramInteger = 4;      // the sample is an integer histogram
inline constexpr std::uint8_t kHistogramLate = 16;        // it was taken out of order
inline constexpr std::uint8_t kHistogramWholeCounts = 8;  // counts are varint deltas, not doubles

}  // namespace varve::storage::wal
