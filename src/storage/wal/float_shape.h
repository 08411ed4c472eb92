// SPDX-License-Identifier: Apache-2.0
// How many bytes of a value's XOR a float sample keeps. Between successive values mostly the middle
// of the eight bytes changes: the top (sign, exponent) stays, and integers leave the bottom zero. A
// five-bit shape names which bytes are kept; 30 of the 36 possible windows have one, the others
// are written as the next wider.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace varve::storage::wal {

inline constexpr std::uint8_t kShapeZero = 0;  // the XOR is zero: no bytes
inline constexpr std::uint8_t kShapeRaw = 1;   // not an XOR: the value's own 8 bytes

struct ShapeTables {
  std::array<std::uint8_t, 32> kept{};     // bytes that follow
  std::array<std::uint8_t, 32> dropped{};  // zero bytes below them
  std::array<std::uint8_t, 64> code{};     // by [dropped * 8 + kept - 1]
};

constexpr ShapeTables make_shape_tables() {
  ShapeTables tables;
  tables.kept[kShapeRaw] = 8;
  const auto wider = [](unsigned& kept, unsigned& dropped) {
    if (kept == 1 && dropped == 0) kept = 2;
    if (kept == 1 && dropped == 7) kept = 2, dropped = 6;
    if (kept == 6 && dropped == 1) kept = 7, dropped = 0;
    if (kept + dropped == 8 && kept >= 5) kept = 8, dropped = 0;
  };
  std::uint8_t next = 2;
  for (unsigned kept = 1; kept <= 8; ++kept) {
    for (unsigned dropped = 0; dropped + kept <= 8; ++dropped) {
      unsigned wide_kept = kept;
      unsigned wide_dropped = dropped;
      wider(wide_kept, wide_dropped);
      if (wide_kept != kept) continue;
      tables.kept[next] = static_cast<std::uint8_t>(kept);
      tables.dropped[next] = static_cast<std::uint8_t>(dropped);
      tables.code[dropped * 8 + kept - 1] = next++;
    }
  }
  for (unsigned kept = 1; kept <= 8; ++kept) {
    for (unsigned dropped = 0; dropped + kept <= 8; ++dropped) {
      unsigned wide_kept = kept;
      unsigned wide_dropped = dropped;
      wider(wide_kept, wide_dropped);
      tables.code[dropped * 8 + kept - 1] = tables.code[wide_dropped * 8 + wide_kept - 1];
    }
  }
  return tables;
}
inline constexpr ShapeTables kShapes = make_shape_tables();
static_assert(kShapes.kept[31] == 8 && kShapes.dropped[31] == 0, "30 windows fill the table");

// The shape of an XOR that is not zero.
inline std::uint8_t shape_of(std::uint64_t difference) {
  const auto dropped = static_cast<unsigned>(std::countr_zero(difference)) / 8;
  const auto above = static_cast<unsigned>(std::countl_zero(difference)) / 8;
  return kShapes.code[dropped * 8 + (7 - dropped - above)];
}

}  // namespace varve::storage::wal
