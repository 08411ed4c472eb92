// SPDX-License-Identifier: Apache-2.0
// Value blocks: decimals go through the integer block, what is left over through XOR or as it is.
#include "storage/codec/dense.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>

#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "base/check.h"
#include "storage/codec/bits.h"
#include "storage/codec/decimal.h"
#include "storage/codec/int_block.h"
#include "storage/codec/value_block_avx512.h"
#include "storage/codec/xor_value.h"

namespace varve::storage::codec {
namespace {

// The exceptions that occur in practice have a number instead of their bits.
enum class Special : std::uint8_t {
  kBits = 0,
  kStale,
  kNegativeZero,
  kPositiveInf,
  kNegativeInf,
  kNan
};
constexpr std::array<std::uint64_t, 6> kSpecialBits = {0,  // kBits: 8 bytes follow
                                                       0x7ff0000000000002ULL,   // kStale
                                                       0x8000000000000000ULL,   // kNegativeZero
                                                       0x7ff0000000000000ULL,   // kPositiveInf
                                                       0xfff0000000000000ULL,   // kNegativeInf
                                                       0x7ff8000000000001ULL};  // kNan

// XOR is tried where the integers need more than this per value; smooth decimals never do.
constexpr std::size_t kXorTryBits = 36;
constexpr std::size_t kXorBytesMax = 1 + kDenseSamplesMax * 77 / 8 + 16;

constexpr std::size_t kDecimalBytesMax = kIntBlockBytesMax + 1 + kDenseSamplesMax * 10;

std::uint64_t bits_of(double value) { return std::bit_cast<std::uint64_t>(value); }

std::uint8_t* put_exceptions(std::span<const double> values, const Decimals& decimals,
                             std::uint8_t* at) {
  *at++ = static_cast<std::uint8_t>(decimals.exception_count);
  for (std::size_t i = 0; i < decimals.exception_count; ++i) {
    const std::uint8_t position = decimals.exceptions[i];
    const std::uint64_t bits = bits_of(values[position]);
    const auto known = std::find(kSpecialBits.begin() + 1, kSpecialBits.end(), bits);
    *at++ = position;
    *at++ = known == kSpecialBits.end() ? std::uint8_t{0}
                                        : static_cast<std::uint8_t>(known - kSpecialBits.begin());
    if (known == kSpecialBits.end()) {
      std::memcpy(at, &bits, 8);
      at += 8;
    }
  }
  return at;
}

std::size_t encode_decimals(std::span<const double> values, Decimals& decimals, std::uint8_t* out) {
  const std::size_t size =
      encode_ints({decimals.ints.data(), values.size()}, IntKind::kValues, decimals.exponent, out);
  if (decimals.exception_count == 0) return size;
  out[1] |= kHasExceptions;
  return static_cast<std::size_t>(put_exceptions(values, decimals, out + size) - out);
}

std::size_t encode_xor(std::span<const double> values, std::uint8_t* out) {
  out[0] = static_cast<std::uint8_t>(BlockCodec::kXor);
  BitSink sink(out + 1, 0, 0);
  std::uint64_t previous = bits_of(values[0]);
  sink.put(previous, 64);
  std::uint8_t leading = 0xff;
  std::uint8_t trailing = 0;
  for (const double value : values.subspan(1)) {
    const std::uint64_t bits = bits_of(value);
    put_xor(sink, bits ^ previous, leading, trailing);
    previous = bits;
  }
  return static_cast<std::size_t>(sink.finish() - out);
}

std::size_t encode_raw(std::span<const double> values, std::uint8_t* out) {
  out[0] = static_cast<std::uint8_t>(BlockCodec::kRaw);
  std::memcpy(out + 1, values.data(), values.size_bytes());
  return 1 + values.size_bytes();
}

bool all_equal(std::span<const double> values) {
  // Not std::equal: NaNs are equal here if their bits are.
  return std::memcmp(values.data(), values.data() + 1, (values.size() - 1) * 8) == 0;
}

bool looks_decimal(std::span<const double> values) {
  return is_decimal(values.front()) || is_decimal(values[values.size() / 2]) ||
         is_decimal(values.back());
}

// A third of all series never change: two at a time.
void fill(double value, std::size_t count, double* out) {
  std::size_t i = 0;
#ifdef __x86_64__
  const __m128d two = _mm_set1_pd(value);
  for (; i + 8 <= count; i += 8) {
    for (std::size_t k = 0; k < 8; k += 2) _mm_storeu_pd(out + i + k, two);
  }
#endif
  for (; i < count; ++i) out[i] = value;
}

bool decode_xor(ByteReader& reader, std::span<const std::uint8_t> bytes, std::size_t count,
                double* out) {
  std::array<std::uint8_t, kXorBytesMax + kBitSlackBytes> copy;
  const std::size_t size = std::min(bytes.size(), kXorBytesMax);
  if (size > 0) std::memcpy(copy.data(), bytes.data(), size);
  std::fill_n(copy.data() + size, kBitSlackBytes, std::uint8_t{0});
  BitSource source(copy.data(), size);
  std::uint64_t bits = source.take(64);
  std::memcpy(out, &bits, 8);
  std::uint8_t leading = 0xff;
  std::uint8_t trailing = 0;
  for (std::size_t i = 1; i < count; ++i) {
    std::uint64_t xored = 0;
    if (!take_xor(source, xored, leading, trailing) || source.overrun()) return false;
    bits ^= xored;
    std::memcpy(out + i, &bits, 8);
  }
  return !source.overrun() && reader.take(source.taken_bytes()) != nullptr;
}

bool take_exceptions(ByteReader& reader, std::size_t count, double* out) {
  const std::size_t exceptions = reader.byte();
  if (exceptions > count) return false;
  for (std::size_t i = 0; i < exceptions; ++i) {
    const std::size_t position = reader.byte();
    const std::size_t special = reader.byte();
    if (reader.failed() || position >= count || special >= kSpecialBits.size()) return false;
    const std::uint64_t bits = special == 0 ? reader.word() : kSpecialBits[special];
    std::memcpy(out + position, &bits, 8);
  }
  return true;
}

bool decode(ByteReader& reader, std::span<const std::uint8_t> bytes, std::size_t count,
            double* out) {
  const std::uint8_t first = reader.byte();
  const auto codec = static_cast<BlockCodec>(first & 0x0f);
  if (codec >= BlockCodec::kRaw && first >> 4 != 0) return false;
  switch (codec) {
    case BlockCodec::kRaw: {
      const std::uint8_t* from = reader.take(count * 8);
      if (from == nullptr) return false;
      std::memcpy(out, from, count * 8);
      return true;
    }
    case BlockCodec::kConstBits: {
      fill(std::bit_cast<double>(reader.word()), count, out);
      return true;
    }
    case BlockCodec::kXor:
      return decode_xor(reader, bytes.subspan(reader.taken()), count, out);
    default:
      break;
  }
  const std::uint8_t second = reader.byte();
  if (codec == BlockCodec::kConst) {
    // One division instead of one for each.
    const std::uint64_t value = reader.varint();
    if ((second & ~kHasExceptions) != 0) return false;
    double decimal = 0;
    from_decimals_plain(&value, 1, first >> 4, &decimal);
    fill(decimal, count, out);
  } else if (have_avx512_blocks()) {
    if (!decode_decimals_avx512(reader, codec, second, count, first >> 4, out)) return false;
  } else {
    IntBuffer ints;
    if (!decode_ints(reader, codec, second, count, ints)) return false;
    from_decimals(ints.data(), count, first >> 4, out);
  }
  return (second & kHasExceptions) == 0 || take_exceptions(reader, count, out);
}

}  // namespace

std::size_t encode_values(std::span<const double> values, ValueHint& hint, std::uint8_t* out) {
  VARVE_CHECK(!values.empty() && values.size() <= kDenseSamplesMax);
  std::array<std::uint8_t, std::max(kDecimalBytesMax, kXorBytesMax)> block;
  std::size_t size = std::numeric_limits<std::size_t>::max();
  const bool given_up = hint.exponent > kExponentMax;
  if (!given_up || looks_decimal(values)) {
    Decimals decimals;
    if (find_decimals(values, given_up ? 0U : hint.exponent, decimals)) {
      size = encode_decimals(values, decimals, block.data());
      hint.exponent = static_cast<std::uint8_t>(decimals.exponent);
      if (size * 8 <= values.size() * kXorTryBits) {
        std::memcpy(out, block.data(), size);
        return size;
      }
    } else {
      hint.exponent = ValueHint::kNotDecimal;
    }
  }
  if (all_equal(values) && size > 9) {
    const std::uint64_t bits = bits_of(values[0]);
    out[0] = static_cast<std::uint8_t>(BlockCodec::kConstBits);
    std::memcpy(out + 1, &bits, 8);
    return 9;
  }
  // The smallest of what is left; `block` holds the decimals if there are any.
  std::array<std::uint8_t, kXorBytesMax> xored;
  const std::size_t xor_size = encode_xor(values, xored.data());
  const std::size_t raw_size = 1 + values.size_bytes();
  // A raw block decodes so much faster that XOR must save an eighth.
  if (std::min(size, xor_size) >= raw_size - raw_size / 8) return encode_raw(values, out);
  if (size <= xor_size) {
    std::memcpy(out, block.data(), size);
    return size;
  }
  std::memcpy(out, xored.data(), xor_size);
  return xor_size;
}

Result<std::size_t> decode_values(std::span<const std::uint8_t> bytes, std::size_t count,
                                  double* out) {
  VARVE_CHECK(count >= 1 && count <= kDenseSamplesMax);
  ByteReader reader(bytes);
  if (!decode(reader, bytes, count, out) || reader.failed()) {
    return Error(ErrorCode::kCorruption, "value block: malformed");
  }
  return reader.taken();
}

const char* value_codec_name(std::uint8_t first_byte) {
  switch (static_cast<BlockCodec>(first_byte & 0x0f)) {
    case BlockCodec::kConst:
      return "const";
    case BlockCodec::kAffine:
      return "affine";
    case BlockCodec::kFor:
      return "for";
    case BlockCodec::kDelta:
      return "delta";
    case BlockCodec::kDod:
      return "dod";
    case BlockCodec::kSparse:
      return "sparse";
    case BlockCodec::kSparseStep:
      return "sparse_step";
    case BlockCodec::kResidual:
      return "residual";
    case BlockCodec::kDict:
      return "dict";
    case BlockCodec::kRaw:
      return "raw";
    case BlockCodec::kConstBits:
      return "const_bits";
    case BlockCodec::kXor:
      return "xor";
  }
  return "unknown";
}

}  // namespace varve::storage::codec
