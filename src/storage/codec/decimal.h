// SPDX-License-Identifier: Apache-2.0
// Doubles that were written as short decimals, turned into integers and back, bit for bit. Division
// int / 10^e is correctly rounded, so it gives exactly the double nearest to the decimal: what the
// exporter's text was parsed to.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "storage/codec/int_block.h"

namespace varve::storage::codec {

inline constexpr unsigned kExponentMax = 15;

inline constexpr std::array<double, kExponentMax + 1> kPowersOfTen = {
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

struct Decimals {
  unsigned exponent = 0;  // values[i] == ints[i] / 10^exponent, bit for bit, but for the exceptions
  std::array<std::int64_t, kIntsMax> ints;  // of an exception: its neighbour's
  std::size_t exception_count = 0;
  std::array<std::uint8_t, kIntsMax> exceptions;  // positions, ascending
};

// Looks for the smallest exponent from `exponent_hint` on. False if too many values are no decimals
// with less than 2^53 as integer for this to pay.
bool find_decimals(std::span<const double> values, unsigned exponent_hint, Decimals& out);

// Whether a value is a decimal that find_decimals() takes: certain for integers below 2^50; of
// those up to 2^53, some are missed, because scaling rounds.
bool is_decimal(double value);

// out[i] = ints[i] / 10^exponent, ints in two's complement.
void from_decimals(const std::uint64_t* ints, std::size_t count, unsigned exponent, double* out);
// What from_decimals() does, on any machine; the twin its vector form is tested against.
void from_decimals_plain(const std::uint64_t* ints, std::size_t count, unsigned exponent,
                         double* out);

}  // namespace varve::storage::codec
