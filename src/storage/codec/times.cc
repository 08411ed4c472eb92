// SPDX-License-Identifier: Apache-2.0
// Time blocks: an integer block without exponent or exceptions, or raw where times are too far
// apart.
#include "storage/codec/times.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "storage/codec/int_block.h"

namespace varve::storage::codec {
namespace {

// encode_ints() takes less.
constexpr std::uint64_t kRangeLimit = std::uint64_t{1} << 55;

bool decode(ByteReader& reader, std::size_t count, Timestamp* out) {
  const std::uint8_t first = reader.byte();
  if (first >> 4 != 0) return false;  // times have no decimal places
  const auto codec = static_cast<BlockCodec>(first);
  if (codec == BlockCodec::kRaw) {
    const std::uint8_t* from = reader.take(count * 8);
    if (from == nullptr) return false;
    std::memcpy(out, from, count * 8);
    return true;
  }
  const std::uint8_t second = reader.byte();
  if ((second & kHasExceptions) != 0) return false;
  IntBuffer ints;
  if (!decode_ints(reader, codec, second, count, ints)) return false;
  std::memcpy(out, ints.data(), count * 8);
  return true;
}

}  // namespace

std::size_t encode_times(std::span<const Timestamp> times, std::uint8_t* out) {
  VARVE_CHECK(!times.empty() && times.size() <= kTimesMax);
  const auto [low, high] = std::minmax_element(times.begin(), times.end());
  const std::uint64_t range = static_cast<std::uint64_t>(*high) - static_cast<std::uint64_t>(*low);
  std::uint8_t block[kIntBlockBytesMax];
  std::size_t size = 1 + times.size_bytes();
  if (range < kRangeLimit) {
    unsigned exponent = 0;
    size = encode_ints(times, IntKind::kTimes, exponent, block);
  }
  if (size >= 1 + times.size_bytes()) {
    out[0] = static_cast<std::uint8_t>(BlockCodec::kRaw);
    std::memcpy(out + 1, times.data(), times.size_bytes());
    return 1 + times.size_bytes();
  }
  std::memcpy(out, block, size);
  return size;
}

Result<std::size_t> decode_times(std::span<const std::uint8_t> bytes, std::size_t count,
                                 Timestamp* out) {
  VARVE_CHECK(count >= 1 && count <= kTimesMax);
  ByteReader reader(bytes);
  if (!decode(reader, count, out) || reader.failed()) {
    return Error(ErrorCode::kCorruption, "time block: malformed");
  }
  return reader.taken();
}

std::uint64_t hash_times(std::span<const Timestamp> times) {
  return XXH3_64bits_withSeed(times.data(), times.size_bytes(), times.size());
}

}  // namespace varve::storage::codec
