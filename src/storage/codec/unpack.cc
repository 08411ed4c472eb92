// SPDX-License-Identifier: Apache-2.0
// Eight values of one width always begin on a byte. So the vector form needs one byte shuffle and
// one set of shifts per width, the same for every group of eight.
#include "storage/codec/unpack.h"

#include <cstring>

#include "storage/codec/bits.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace varve::storage::codec {

void pack(const std::uint64_t* values, std::size_t count, unsigned width, std::uint8_t* out) {
  if (width == 0) return;
  std::uint64_t pending = 0;
  unsigned pending_count = 0;
  for (std::size_t i = 0; i < count; ++i) {
    pending |= values[i] << pending_count;
    pending_count += width;
    if (pending_count >= 64) {
      std::memcpy(out, &pending, 8);
      out += 8;
      pending_count -= 64;
      // width > pending_count here, so the shift is in 1..57 and right even if nothing is left.
      pending = pending_count == 0 ? 0 : values[i] >> (width - pending_count);
    }
  }
  for (; pending_count > 0; pending_count -= pending_count < 8 ? pending_count : 8) {
    *out++ = static_cast<std::uint8_t>(pending);
    pending >>= 8;
  }
}

void unpack_plain(const std::uint8_t* in, std::size_t count, unsigned width, std::uint64_t* out) {
  const std::uint64_t mask = low_bits(width);
  std::size_t bit = 0;
  for (std::size_t i = 0; i < count; ++i, bit += width) {
    std::uint64_t word = 0;
    std::memcpy(&word, in + bit / 8, 8);
    out[i] = word >> (bit % 8) & mask;
  }
}

#ifdef __x86_64__
namespace {

// The widest values of which eight lie in four-byte windows.
constexpr unsigned kVectorWidthMax = 25;

__attribute__((target("avx2"))) void unpack_avx2(const std::uint8_t* in, std::size_t count,
                                                 unsigned width, std::uint64_t* out) {
  // The low four values come from a load at the group's start, the high four from one where their
  // first bit is.
  alignas(32) std::uint8_t shuffle[32];
  alignas(32) std::uint32_t shifts[8];
  const unsigned high_byte = 4 * width / 8;
  for (unsigned lane = 0; lane < 8; ++lane) {
    const unsigned bit = lane * width - (lane < 4 ? 0 : high_byte * 8);
    for (unsigned byte = 0; byte < 4; ++byte) {
      shuffle[lane * 4 + byte] = static_cast<std::uint8_t>(bit / 8 + byte);
    }
    shifts[lane] = bit % 8;
  }
  const __m256i bytes_of = _mm256_load_si256(reinterpret_cast<const __m256i*>(shuffle));
  const __m256i shift_by = _mm256_load_si256(reinterpret_cast<const __m256i*>(shifts));
  const __m256i mask = _mm256_set1_epi32(static_cast<int>(low_bits(width)));
  for (std::size_t i = 0; i < count; i += 8, in += width, out += 8) {
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in));
    const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + high_byte));
    const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
    const __m256i values =
        _mm256_and_si256(_mm256_srlv_epi32(_mm256_shuffle_epi8(both, bytes_of), shift_by), mask);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out),
                        _mm256_cvtepu32_epi64(_mm256_castsi256_si128(values)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 4),
                        _mm256_cvtepu32_epi64(_mm256_extracti128_si256(values, 1)));
  }
}

const bool kHaveAvx2 = __builtin_cpu_supports("avx2") != 0;

}  // namespace
#endif

void unpack(const std::uint8_t* in, std::size_t count, unsigned width, std::uint64_t* out) {
#ifdef __x86_64__
  if (kHaveAvx2 && width <= kVectorWidthMax) {
    unpack_avx2(in, count, width, out);
    return;
  }
#endif
  unpack_plain(in, count, width, out);
}

}  // namespace varve::storage::codec
