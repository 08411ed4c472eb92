// SPDX-License-Identifier: Apache-2.0
// The timestamps of a closed chunk: up to 128 of them, not descending, as a self-contained run of
// bytes. All series of one scrape have equal columns, so a column also has a hash by which they are
// shared. See FORMAT.md, "Time block".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "varve/result.h"
#include "varve/sample.h"

namespace varve::storage::codec {

inline constexpr std::size_t kTimesMax = 128;
// What encode_times() needs as room, for any input.
inline constexpr std::size_t kTimesBytesMax = kTimesMax * 8 + 16;

// Writes a block and returns its size: about 10 bytes if the times are evenly spaced. Any int64s in
// any order survive; ascending ones become small. Precondition: 1 to kTimesMax times and
// kTimesBytesMax bytes of room.
std::size_t encode_times(std::span<const Timestamp> times, std::uint8_t* out);

// Reads a block of `count` times from the front of `bytes` into out[0, count). Returns the bytes it
// took; kCorruption, with out undefined, if they are no block. Precondition: 1 <= count <=
// kTimesMax.
Result<std::size_t> decode_times(std::span<const std::uint8_t> bytes, std::size_t count,
                                 Timestamp* out);

// XXH3-64 of count and times. Columns with equal hashes are not yet equal: compare before sharing.
std::uint64_t hash_times(std::span<const Timestamp> times);

}  // namespace varve::storage::codec
