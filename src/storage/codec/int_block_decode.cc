// SPDX-License-Identifier: Apache-2.0
// The reading side of integer blocks. All arithmetic is unsigned: what hostile bytes add up to
// wraps.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "storage/codec/int_block.h"

namespace varve::storage::codec {
namespace {

// Unpacks `count` values of `width` from the reader. Where too few bytes follow for the loads of
// unpack(), the packed ones are copied to where enough do.
bool take_packed(ByteReader& reader, std::size_t count, unsigned width, std::uint64_t* out) {
  const std::size_t size = packed_bytes(count, width);
  const std::uint8_t* from = reader.take(size);
  if (from == nullptr) return false;
  if (reader.left() >= kUnpackSlackBytes) {
    unpack(from, count, width, out);
    return true;
  }
  std::array<std::uint8_t, kIntsMax * 8 + kUnpackSlackBytes> copy;
  std::memcpy(copy.data(), from, size);
  std::fill_n(copy.data() + size, kUnpackSlackBytes, std::uint8_t{0});
  unpack(copy.data(), count, width, out);
  return true;
}

// out[0] = start, out[i] = out[i-1] + step + in[i-1].
void sum_up(std::uint64_t start, std::uint64_t step, const std::uint64_t* in, std::size_t count,
            std::uint64_t* out) {
  std::uint64_t sum = start;
  out[0] = sum;
  for (std::size_t i = 1; i < count; ++i) out[i] = sum += step + in[i - 1];
}

bool take_jumps(ByteReader& reader, std::uint64_t step, unsigned width, std::size_t count,
                IntBuffer& out) {
  const std::size_t jumps = reader.byte();
  const std::uint64_t min = reader.varint();
  if (reader.failed() || jumps >= count) return false;
  IntBuffer offsets;
  if (jumps_listed(jumps, count)) {
    IntBuffer positions;
    if (!take_packed(reader, jumps, kPositionBits, positions.data()) ||
        !take_packed(reader, jumps, width, offsets.data())) {
      return false;
    }
    std::uint64_t value = 0;
    std::size_t i = 0;
    for (std::size_t jump = 0; jump < jumps; ++jump) {
      const std::size_t position = positions[jump];
      if (position < i || position + 1 >= count) return false;
      for (; i <= position; ++i, value += step) out[i] = value;
      value += min + offsets[jump];
    }
    for (; i < count; ++i, value += step) out[i] = value;
    return true;
  }
  const std::size_t map_bytes = (count - 1 + 7) / 8;
  const std::uint8_t* map = reader.take(map_bytes);
  if (map == nullptr) return false;
  std::array<std::uint64_t, 2> marks{};
  std::memcpy(marks.data(), map, map_bytes);
  if (count - 1 < 64) {
    marks[0] &= (std::uint64_t{1} << (count - 1)) - 1;
  } else if (count - 1 < 128) {
    marks[1] &= (std::uint64_t{1} << (count - 1 - 64)) - 1;
  }
  if (static_cast<std::size_t>(std::popcount(marks[0]) + std::popcount(marks[1])) != jumps ||
      !take_packed(reader, jumps, width, offsets.data())) {
    return false;
  }
  std::uint64_t value = 0;
  std::size_t next = 0;
  out[0] = 0;
  // Without branches: whether a step jumps is not predictable.
  for (std::size_t i = 0; i + 1 < count; ++i) {
    const std::uint64_t jumped = marks[i / 64] >> (i % 64) & 1;
    value += step + ((min + offsets[next]) & (~jumped + 1));
    next += jumped;
    out[i + 1] = value;
  }
  return true;
}

bool take_dictionary(ByteReader& reader, unsigned width, std::size_t count, IntBuffer& out) {
  const std::size_t size = reader.byte();
  const std::uint64_t min = reader.varint();
  if (reader.failed() || size < 2 || size > kDictEntriesMax) return false;
  std::array<std::uint64_t, kDictEntriesMax + kUnpackSlackValues> entries;
  IntBuffer codes;
  if (!take_packed(reader, size, width, entries.data()) ||
      !take_packed(reader, count, width_of(size - 1), codes.data())) {
    return false;
  }
  for (std::size_t i = size; i < kDictEntriesMax; ++i) entries[i] = 0;
  for (std::size_t i = 0; i < count; ++i) out[i] = min + entries[codes[i] % kDictEntriesMax];
  return true;
}

}  // namespace

bool decode_ints(ByteReader& reader, BlockCodec codec, std::uint8_t second_byte, std::size_t count,
                 IntBuffer& out) {
  VARVE_DCHECK(count >= 1 && count <= kIntsMax);
  const unsigned width = second_byte & kWidthMask;
  if (width > kPackWidthMax) return false;
  const std::uint64_t first = reader.varint();
  const std::uint64_t divisor = (second_byte & kHasDivisor) != 0 ? reader.uvarint() : 1;
  IntBuffer packed;
  switch (codec) {
    case BlockCodec::kConst:
      if (reader.failed()) return false;
      std::fill_n(out.data(), count, first);
      return true;
    case BlockCodec::kAffine: {
      const std::uint64_t step = reader.varint();
      if (reader.failed()) return false;
      for (std::size_t i = 0; i < count; ++i) out[i] = first + i * step;
      return true;
    }
    case BlockCodec::kFor: {
      const std::uint64_t min = reader.varint();
      if (!take_packed(reader, count, width, out.data())) return false;
      for (std::size_t i = 0; i < count; ++i) out[i] += min;
      break;
    }
    case BlockCodec::kDelta: {
      const std::uint64_t min = reader.varint();
      if (!take_packed(reader, count - 1, width, packed.data())) return false;
      if (divisor == 1) {  // the most common block of all: nothing left to do
        sum_up(first, min, packed.data(), count, out.data());
        return !reader.failed();
      }
      sum_up(0, min, packed.data(), count, out.data());
      break;
    }
    case BlockCodec::kDod: {
      const std::uint64_t delta = reader.varint();
      const std::uint64_t min = reader.varint();
      if (count < 2 || !take_packed(reader, count - 2, width, packed.data())) return false;
      std::uint64_t step = delta;
      std::uint64_t sum = 0;
      out[0] = 0;
      out[1] = sum = delta;
      for (std::size_t i = 2; i < count; ++i) out[i] = sum += step += min + packed[i - 2];
      break;
    }
    case BlockCodec::kSparse:
      if (!take_jumps(reader, 0, width, count, out)) return false;
      break;
    case BlockCodec::kSparseStep: {
      const std::uint64_t step = reader.varint();
      if (!take_jumps(reader, step, width, count, out)) return false;
      break;
    }
    case BlockCodec::kResidual: {
      const std::uint64_t step = reader.varint();
      const std::uint64_t min = reader.varint();
      if (!take_packed(reader, count, width, out.data())) return false;
      for (std::size_t i = 0; i < count; ++i) out[i] += min + i * step;
      break;
    }
    case BlockCodec::kDict:
      if (!take_dictionary(reader, width, count, out)) return false;
      break;
    default:
      return false;
  }
  if (reader.failed()) return false;
  if (divisor == 1) {
    for (std::size_t i = 0; i < count; ++i) out[i] += first;
  } else {
    for (std::size_t i = 0; i < count; ++i) out[i] = first + divisor * out[i];
  }
  return true;
}

}  // namespace varve::storage::codec
