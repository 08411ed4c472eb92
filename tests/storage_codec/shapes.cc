// SPDX-License-Identifier: Apache-2.0
// Each shape is a small random process with the seed as its parameter.
#include "shapes.h"

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace varve::storage::codec {
namespace {

using Values = std::vector<double>;
using Random = std::mt19937_64;

// Integers of a random decimal length, so that small and large ones are equally likely.
std::int64_t any_length_int(Random& random) {
  const auto bits = random() % 53;
  const auto value = static_cast<std::int64_t>(random() & ((1ULL << bits) - 1 + (1ULL << bits)));
  return random() % 2 == 0 ? value : -value;
}

template <typename Step>
Values walk(std::uint64_t seed, std::size_t count, Step step) {
  Random random(seed);
  Values values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(step(random, i));
  return values;
}

Values steady_counter(std::uint64_t seed, std::size_t count) {
  double total = static_cast<double>(seed % 100'000);
  const auto rate = 20 + seed % 200;
  return walk(seed, count, [&](Random& random, std::size_t) {
    return total += static_cast<double>(rate + random() % 20);
  });
}

Values two_decimal_counter(std::uint64_t seed, std::size_t count) {
  std::int64_t total = static_cast<std::int64_t>(seed % 10'000'000);
  return walk(seed, count, [&](Random& random, std::size_t) {
    total += static_cast<std::int64_t>(random() % 30);
    return static_cast<double>(total) / 100;
  });
}

Values two_decimal_gauge(std::uint64_t seed, std::size_t count) {
  std::int64_t level = static_cast<std::int64_t>(seed % 500);
  return walk(seed, count, [&](Random& random, std::size_t) {
    level = std::abs(level + static_cast<std::int64_t>(random() % 21) - 10);
    return static_cast<double>(level) / 100;
  });
}

Values sparse_counter(std::uint64_t seed, std::size_t count) {
  double total = static_cast<double>(seed % 5'000);
  return walk(seed, count, [&](Random& random, std::size_t) {
    if (random() % 20 == 0) total += static_cast<double>(1 + random() % 3);
    return total;
  });
}

Values constant(std::uint64_t seed, std::size_t count) {
  return Values(count, static_cast<double>(seed % 7));
}

Values small_int_gauge(std::uint64_t seed, std::size_t count) {
  return walk(seed, count,
              [&](Random& random, std::size_t) { return static_cast<double>(random() % 12); });
}

Values byte_counter(std::uint64_t seed, std::size_t count) {
  double total = static_cast<double>(seed % 1'000'000'000);
  const double mean = std::exp2(static_cast<double>(10 + seed % 14));
  return walk(seed, count, [&](Random& random, std::size_t) {
    return total += std::floor(mean * (0.5 + static_cast<double>(random() % 1024) / 1024));
  });
}

Values page_gauge(std::uint64_t seed, std::size_t count) {
  double pages = static_cast<double>(100'000 + seed % 100'000);
  return walk(seed, count, [&](Random& random, std::size_t) {
    if (random() % 3 == 0) pages += static_cast<double>(random() % 200) - 100;
    return pages * 4096;
  });
}

Values random_float(std::uint64_t seed, std::size_t count) {
  return walk(seed, count, [&](Random& random, std::size_t) {
    return static_cast<double>(random() >> 11) * 0x1p-53;
  });
}

Values random_bits(std::uint64_t seed, std::size_t count) {
  return walk(seed, count,
              [](Random& random, std::size_t) { return std::bit_cast<double>(random()); });
}

Values any_decimal(std::uint64_t seed, std::size_t count) {
  const double power = std::pow(10.0, static_cast<double>(seed % 16));
  return walk(seed, count, [&](Random& random, std::size_t) {
    return static_cast<double>(any_length_int(random)) / power;
  });
}

Values narrow_decimal(std::uint64_t seed, std::size_t count) {
  const double power = std::pow(10.0, static_cast<double>(seed % 16));
  Random base_random(seed * 31);
  const std::int64_t base = any_length_int(base_random);
  const auto width = base_random() % 40;
  return walk(seed, count, [&](Random& random, std::size_t) {
    const auto offset = static_cast<std::int64_t>(random() & ((1ULL << width) - 1));
    return static_cast<double>(base + offset) / power;
  });
}

Values accelerating(std::uint64_t seed, std::size_t count) {
  std::int64_t speed = static_cast<std::int64_t>(seed % 1000);
  std::int64_t total = 0;
  return walk(seed, count, [&](Random& random, std::size_t) {
    speed += 1000 + static_cast<std::int64_t>(random() % 3);
    total += speed;
    return static_cast<double>(total) / (speed % 2 == 0 ? 1 : 10);
  });
}

double special(Random& random) {
  static constexpr std::array<std::uint64_t, 10> kBits = {kStaleNanBits,
                                                          kNormalNanBits,
                                                          0x8000000000000000,
                                                          0x7ff0000000000000,
                                                          0xfff0000000000000,
                                                          0x7ff8dead0000beef,
                                                          1,
                                                          0x000fffffffffffff,
                                                          0x7fefffffffffffff,
                                                          0x4340000000000000};
  return std::bit_cast<double>(kBits[random() % kBits.size()]);
}

Values with_specials(std::uint64_t seed, std::size_t count) {
  const auto rarity = 1 + seed % 50;
  double total = 0;
  return walk(seed, count, [&](Random& random, std::size_t) {
    return random() % rarity == 0 ? special(random) : total += static_cast<double>(random() % 9);
  });
}

Values stale_end(std::uint64_t seed, std::size_t count) {
  Values values = two_decimal_gauge(seed, count);
  values.back() = stale_marker();
  return values;
}

Values all_special(std::uint64_t seed, std::size_t count) {
  Random random(seed);
  return Values(count, special(random));
}

Values few_distinct(std::uint64_t seed, std::size_t count) {
  Random pick(seed);
  Values from;
  for (std::size_t i = 0; i < 2 + seed % 18; ++i) {
    from.push_back(static_cast<double>(any_length_int(pick)) / 1000);
  }
  return walk(seed, count,
              [&](Random& random, std::size_t) { return from[random() % from.size()]; });
}

Values steps_with_jumps(std::uint64_t seed, std::size_t count) {
  double total = static_cast<double>(seed % 100);
  return walk(seed, count, [&](Random& random, std::size_t) {
    return total += random() % 15 == 0 ? static_cast<double>(random() % 100) : 15;
  });
}

Values mixed_float(std::uint64_t seed, std::size_t count) {
  return walk(seed, count, [&](Random& random, std::size_t i) {
    return i % 20 == 7 ? static_cast<double>(random() >> 11) * 0x1p-53
                       : static_cast<double>(random() % 100) / 10;
  });
}

constexpr std::array kReal = {
    Shape{"steady_counter", steady_counter},   Shape{"two_decimal_gauge", two_decimal_gauge},
    Shape{"sparse_counter", sparse_counter},   Shape{"constant", constant},
    Shape{"small_int_gauge", small_int_gauge}, Shape{"byte_counter", byte_counter},
    Shape{"random_float", random_float}};
constexpr std::array kOdd = {Shape{"two_decimal_counter", two_decimal_counter},
                             Shape{"page_gauge", page_gauge},
                             Shape{"random_bits", random_bits},
                             Shape{"any_decimal", any_decimal},
                             Shape{"narrow_decimal", narrow_decimal},
                             Shape{"accelerating", accelerating},
                             Shape{"with_specials", with_specials},
                             Shape{"stale_end", stale_end},
                             Shape{"all_special", all_special},
                             Shape{"few_distinct", few_distinct},
                             Shape{"steps_with_jumps", steps_with_jumps},
                             Shape{"mixed_float", mixed_float}};

constexpr Timestamp kStart = 1'700'000'000'000;

}  // namespace

std::span<const Shape> real_shapes() { return kReal; }
std::span<const Shape> odd_shapes() { return kOdd; }

std::vector<Timestamp> steady_times(std::size_t count) {
  std::vector<Timestamp> times;
  for (std::size_t i = 0; i < count; ++i) {
    times.push_back(kStart + 15'000 * static_cast<Timestamp>(i));
  }
  return times;
}

std::vector<Timestamp> jittered_times(std::uint64_t seed, std::size_t count) {
  Random random(seed);
  std::vector<Timestamp> times = steady_times(count);
  for (Timestamp& time : times) time += static_cast<Timestamp>(random() % 7) - 3;
  return times;
}

std::vector<Timestamp> gapped_times(std::uint64_t seed, std::size_t count) {
  Random random(seed);
  std::vector<Timestamp> times;
  Timestamp time = kStart;
  for (std::size_t i = 0; i < count; ++i) {
    times.push_back(time);
    time += 15'000 * (random() % 30 == 0 ? 1 + static_cast<Timestamp>(random() % 9) : 1);
  }
  return times;
}

}  // namespace varve::storage::codec
