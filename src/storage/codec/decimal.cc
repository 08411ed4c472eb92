// SPDX-License-Identifier: Apache-2.0
// Scaling by powers of ten, each step verified by its inverse, so that no rounding can slip
// through.
#include "storage/codec/decimal.h"

#include <bit>
#include <cmath>

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace varve::storage::codec {
namespace {

// Integers from here on are not all doubles.
constexpr double kIntLimit = 9007199254740992.0;  // 2^53

// The nearest integer. Precondition: |value| < 2^53.
std::int64_t nearest(double value) {
#ifdef __x86_64__
  return _mm_cvtsd_si64(_mm_set_sd(value));
#else
  return std::llrint(value);
#endif
}

bool same_bits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

// Whether value is an integer over 10^exponent. Also refuses what has no integer: NaN, Inf, -0.
bool as_decimal(double value, unsigned exponent, std::int64_t& integer) {
  const double power = kPowersOfTen[exponent];
  const double scaled = value * power;
  if (!(std::fabs(scaled) < kIntLimit)) return false;
  integer = nearest(scaled);
  return same_bits(static_cast<double>(integer) / power, value);
}

bool raise_exponent(Decimals& out, std::size_t count, unsigned exponent) {
  const auto factor = static_cast<std::int64_t>(kPowersOfTen[exponent - out.exponent]);
  const std::int64_t limit = static_cast<std::int64_t>(kIntLimit) / factor;
  for (std::size_t i = 0; i < count; ++i) {
    if (out.ints[i] >= limit || out.ints[i] <= -limit) return false;
  }
  for (std::size_t i = 0; i < count; ++i) out.ints[i] *= factor;
  out.exponent = exponent;
  return true;
}

}  // namespace

bool is_decimal(double value) {
  std::int64_t integer = 0;
  for (unsigned exponent = 0; exponent <= kExponentMax; ++exponent) {
    if (as_decimal(value, exponent, integer)) return true;
  }
  return false;
}

bool find_decimals(std::span<const double> values, unsigned exponent_hint, Decimals& out) {
  out.exponent = exponent_hint;
  out.exception_count = 0;
  const std::size_t odd_max = 1 + values.size() / 16;
  std::size_t odd = 0;
  std::int64_t last = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double value = values[i];
    if (as_decimal(value, out.exponent, out.ints[i])) [[likely]] {
      continue;
    }
    last = i == 0 ? 0 : out.ints[i - 1];
    out.ints[i] = last;
    bool found = false;
    if (std::isfinite(value) && value != 0) {
      for (unsigned exponent = out.exponent + 1; exponent <= kExponentMax && !found; ++exponent) {
        std::int64_t integer = 0;
        if (!as_decimal(value, exponent, integer)) continue;
        if (!raise_exponent(out, i, exponent)) break;
        out.ints[i] = integer;
        found = true;
      }
      // A large first value under a hint that is too high for it: start again from no decimals.
      if (!found && i == 0 && exponent_hint > 0) return find_decimals(values, 0, out);
      if (!found && ++odd > odd_max) return false;
    }
    if (!found) out.exceptions[out.exception_count++] = static_cast<std::uint8_t>(i);
  }
  // Exceptions at the start have no neighbour before them.
  std::size_t lead = 0;
  while (lead < out.exception_count && out.exceptions[lead] == lead) ++lead;
  if (lead == values.size()) return false;
  for (std::size_t i = 0; i < lead; ++i) out.ints[i] = out.ints[lead];
  return true;
}

void from_decimals_plain(const std::uint64_t* ints, std::size_t count, unsigned exponent,
                         double* out) {
  const double power = kPowersOfTen[exponent];
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = static_cast<double>(static_cast<std::int64_t>(ints[i])) / power;
  }
}

#ifdef __x86_64__
namespace {

// AVX2 has no conversion of 64-bit integers. The two halves are put into the mantissas of 2^52 and
// of 3 * 2^83 and these constants subtracted: every step but the last sum is exact, so the result
// is rounded once, like the scalar conversion's.
__attribute__((target("avx2"))) inline __m256d to_double(__m256i value) {
  const __m256i low_magic = _mm256_set1_epi64x(0x4330000000000000);   // 2^52
  const __m256i high_magic = _mm256_set1_epi64x(0x4530000080000000);  // 2^84 + 2^63
  const __m256d both_magic =
      _mm256_castsi256_pd(_mm256_set1_epi64x(0x4530000080100000));  // 2^84 + 2^63 + 2^52
  const __m256i low = _mm256_blend_epi32(low_magic, value, 0b01010101);
  const __m256i high = _mm256_xor_si256(_mm256_srli_epi64(value, 32), high_magic);
  return _mm256_add_pd(_mm256_sub_pd(_mm256_castsi256_pd(high), both_magic),
                       _mm256_castsi256_pd(low));
}

__attribute__((target("avx2"))) void from_decimals_avx2(const std::uint64_t* ints,
                                                        std::size_t count, unsigned exponent,
                                                        double* out) {
  if (exponent == 0) {
    for (std::size_t i = 0; i < count; i += 4) {
      const __m256i four = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ints + i));
      _mm256_storeu_pd(out + i, to_double(four));
    }
    return;
  }
  const __m256d power = _mm256_set1_pd(kPowersOfTen[exponent]);
  for (std::size_t i = 0; i < count; i += 4) {
    const __m256i four = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ints + i));
    _mm256_storeu_pd(out + i, _mm256_div_pd(to_double(four), power));
  }
}

const bool kHaveAvx2 = __builtin_cpu_supports("avx2") != 0;

}  // namespace
#endif

void from_decimals(const std::uint64_t* ints, std::size_t count, unsigned exponent, double* out) {
#ifdef __x86_64__
  if (kHaveAvx2) {
    const std::size_t fours = count & ~std::size_t{3};
    from_decimals_avx2(ints, fours, exponent, out);
    from_decimals_plain(ints + fours, count - fours, exponent, out + fours);
    return;
  }
#endif
  from_decimals_plain(ints, count, exponent, out);
}

}  // namespace varve::storage::codec
