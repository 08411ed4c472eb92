// SPDX-License-Identifier: Apache-2.0
// What a bucket's numbers are expected to be, given others of it and the bucket before: the same
// for who writes a chunk and who reads it, to the last bit, on any machine. Integers are in two's
// complement and wrap, whatever comes from outside.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "storage/codec/int_block.h"

namespace varve::storage::codec {

// The first byte of a chunk: low 4 bits the decimal places, and these.
inline constexpr std::uint8_t kFormExponent = 0x0f;
inline constexpr std::uint8_t kFormOrdered = 0x10;
inline constexpr std::uint8_t kFormOrderedSums = 0x20;
inline constexpr std::uint8_t kFormOrderedResets = 0x40;
inline constexpr std::uint8_t kFormBits = 0x7f;

// The first byte of a column of numbers.
inline constexpr std::uint8_t kMethodPlain = 0;  // a value block
inline constexpr std::uint8_t kMethodOwn = 1;    // the integers themselves
// Of first: less the last value before; that and a step towards last; last.
inline constexpr std::uint8_t kFirstAfterLast = 2;
inline constexpr std::uint8_t kFirstOnTheWay = 3;
inline constexpr std::uint8_t kFirstFromLast = 4;
// Of min and max: how far below, above first and last.
inline constexpr std::uint8_t kBeyondEnds = 2;
// Of sums: less count times the middle of first and last; of min and max; of all four; times max.
// Of the values before resets the number of resets is the count.
inline constexpr std::uint8_t kSumOfEnds = 2;
inline constexpr std::uint8_t kSumOfExtremes = 3;
inline constexpr std::uint8_t kSumOfAll = 4;
inline constexpr std::uint8_t kSumOfMax = 5;
inline constexpr std::uint8_t kSumMethods[] = {kSumOfEnds, kSumOfExtremes, kSumOfAll, kSumOfMax};
inline constexpr bool wants_ends(std::uint8_t method) {
  return method == kSumOfEnds || method == kSumOfAll;
}
inline constexpr bool wants_extremes(std::uint8_t method) { return method != kSumOfEnds; }

// Doubles as integers in the same order; -0 is below 0, NaNs are outside of all else.
inline std::uint64_t ordered_bits(double value) {
  const auto bits = std::bit_cast<std::int64_t>(value);
  return static_cast<std::uint64_t>(bits ^
                                    ((bits >> 63) & std::numeric_limits<std::int64_t>::max()));
}
inline double from_ordered_bits(std::uint64_t ordered) {
  const auto bits = static_cast<std::int64_t>(ordered);
  return std::bit_cast<double>(bits ^ ((bits >> 63) & std::numeric_limits<std::int64_t>::max()));
}

__extension__ using Wide = __int128;

inline std::int64_t as_signed(std::uint64_t value) { return static_cast<std::int64_t>(value); }
inline std::uint64_t lower_of(std::uint64_t a, std::uint64_t b) {
  return as_signed(a) < as_signed(b) ? a : b;
}
inline std::uint64_t higher_of(std::uint64_t a, std::uint64_t b) {
  return as_signed(a) < as_signed(b) ? b : a;
}

// A count as a factor; what cannot be one is 0.
inline std::uint64_t whole(double count) {
  return count >= 0 && count < 0x1p53 ? static_cast<std::uint64_t>(count) : 0;
}

// The numbers of a chunk that others follow from; as many as `counts`.
struct KnownInts {
  std::span<const double> counts;
  const std::uint64_t* firsts = nullptr;
  const std::uint64_t* lasts = nullptr;
  const std::uint64_t* mins = nullptr;
  const std::uint64_t* maxs = nullptr;
};

inline void expect_firsts(std::uint8_t method, const KnownInts& known, std::uint64_t* out) {
  const std::size_t size = known.counts.size();
  const std::uint64_t* lasts = known.lasts;
  out[0] = lasts[0];
  if (method == kFirstFromLast) {
    for (std::size_t i = 1; i < size; ++i) out[i] = lasts[i];
    return;
  }
  if (method == kFirstAfterLast) {
    for (std::size_t i = 1; i < size; ++i) out[i] = lasts[i - 1];
    return;
  }
  // (last - before) / count to the nearest, by a reciprocal: counts hardly ever change.
  double count = 0;
  std::int64_t share = 0;  // 2^62 / count
  for (std::size_t i = 1; i < size; ++i) {
    if (known.counts[i] != count) {
      count = known.counts[i];
      const std::uint64_t divisor = whole(count);
      share = std::int64_t{1} << 62;
      if (divisor > 1) share /= static_cast<std::int64_t>(divisor);
    }
    const std::int64_t rise = as_signed(lasts[i] - lasts[i - 1]);
    const Wide step = (static_cast<Wide>(rise) * share + (std::int64_t{1} << 61)) >> 62;
    out[i] = lasts[i - 1] + static_cast<std::uint64_t>(step);
  }
}

inline void expect_sums(std::uint8_t method, const KnownInts& known, std::uint64_t* out) {
  const std::size_t size = known.counts.size();
  const auto put = [&](std::size_t i, std::uint64_t values, int shift) {
    out[i] = static_cast<std::uint64_t>(as_signed(whole(known.counts[i]) * values) >> shift);
  };
  if (method == kSumOfEnds) {
    for (std::size_t i = 0; i < size; ++i) put(i, known.firsts[i] + known.lasts[i], 1);
  } else if (method == kSumOfExtremes) {
    for (std::size_t i = 0; i < size; ++i) put(i, known.mins[i] + known.maxs[i], 1);
  } else if (method == kSumOfMax) {
    for (std::size_t i = 0; i < size; ++i) put(i, known.maxs[i], 0);
  } else {
    for (std::size_t i = 0; i < size; ++i) {
      put(i, known.firsts[i] + known.lasts[i] + known.mins[i] + known.maxs[i], 2);
    }
  }
}

// The same as doubles, for sums that are no decimals; all arrays are values then.
struct KnownValues {
  std::span<const double> counts;
  const double* firsts = nullptr;
  const double* lasts = nullptr;
  const double* mins = nullptr;
  const double* maxs = nullptr;
};

inline void expect_sums(std::uint8_t method, const KnownValues& known, std::uint64_t* out) {
  for (std::size_t i = 0; i < known.counts.size(); ++i) {
    double middle = 0;
    if (method == kSumOfEnds) {
      middle = (known.firsts[i] + known.lasts[i]) * 0.5;
    } else if (method == kSumOfExtremes) {
      middle = (known.mins[i] + known.maxs[i]) * 0.5;
    } else if (method == kSumOfMax) {
      middle = known.maxs[i];
    } else {
      middle = (known.firsts[i] + known.lasts[i] + (known.mins[i] + known.maxs[i])) * 0.25;
    }
    const double sum = known.counts[i] * middle;
    out[i] = ordered_bits(sum == sum ? sum : 0);  // which NaN comes of it is anybody's guess
  }
}

}  // namespace varve::storage::codec
