// SPDX-License-Identifier: Apache-2.0
// Values as real series have them, from a seed; for the codec's tests and benchmarks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "varve/sample.h"

namespace varve::storage::codec {

struct Shape {
  std::string_view name;
  std::vector<double> (*make)(std::uint64_t seed, std::size_t count);
};

// steady_counter, two_decimal_gauge, sparse_counter, constant, small_int_gauge, byte_counter,
// random_float: what a fleet of exporters sends.
std::span<const Shape> real_shapes();
// What tests add: specials, random bits, decimals of every exponent, stale ends, tiny ranges.
std::span<const Shape> odd_shapes();

// Times of scrapes every 15 s: exact, jittered by milliseconds, with scrapes missing.
std::vector<Timestamp> steady_times(std::size_t count);
std::vector<Timestamp> jittered_times(std::uint64_t seed, std::size_t count);
std::vector<Timestamp> gapped_times(std::uint64_t seed, std::size_t count);

}  // namespace varve::storage::codec
