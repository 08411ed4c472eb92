// SPDX-License-Identifier: Apache-2.0
// How one double follows another in an XOR chunk, shared by the open chunk's codec and the XOR
// value block. `Sink` has put(bits, count) with count <= 64; `Source` is a BitSource or alike.
// Format after prometheus tsdb/docs/format/chunks.md.
#pragma once

#include <bit>
#include <cstdint>

namespace varve::storage::codec {

// 0: same value; 10: the meaningful bits lie in the window of the last value that set one;
// 11: a new window, 5 bits of leading zeros and 6 bits of length (0 means 64).
template <typename Sink>
inline void put_xor(Sink& sink, std::uint64_t xored, std::uint8_t& leading,
                    std::uint8_t& trailing) {
  if (xored == 0) {
    sink.put(0, 1);
    return;
  }
  unsigned zeros_before = static_cast<unsigned>(std::countl_zero(xored));
  const unsigned zeros_behind = static_cast<unsigned>(std::countr_zero(xored));
  if (zeros_before > 31) zeros_before = 31;  // what 5 bits hold
  if (leading != 0xff && zeros_before >= leading && zeros_behind >= trailing) {
    const unsigned length = 64U - leading - trailing;
    // A much narrower window pays for its 11 bits at once and saves them on later values too.
    if (length - (64 - zeros_before - zeros_behind) <= 11) {
      sink.put(0b10, 2);
      sink.put(xored >> trailing, length);
      return;
    }
  }
  leading = static_cast<std::uint8_t>(zeros_before);
  trailing = static_cast<std::uint8_t>(zeros_behind);
  const unsigned length = 64 - zeros_before - zeros_behind;
  sink.put(0b11ULL << 11 | std::uint64_t{zeros_before} << 6 | (length & 63), 13);
  sink.put(xored >> zeros_behind, length);
}

// The value to XOR with the previous one. False if the window is impossible (hostile bytes).
template <typename Source>
inline bool take_xor(Source& source, std::uint64_t& xored, std::uint8_t& leading,
                     std::uint8_t& trailing) {
  const std::uint64_t bits = source.window();
  if (bits >> 63 == 0) {
    source.skip(1);
    xored = 0;
    return true;
  }
  if ((bits >> 62 & 1) != 0) {
    source.skip(13);
    leading = static_cast<std::uint8_t>(bits >> 57 & 31);
    const unsigned stored_length = static_cast<unsigned>(bits >> 51 & 63);
    const unsigned length = stored_length == 0 ? 64 : stored_length;
    if (leading + length > 64) return false;
    trailing = static_cast<std::uint8_t>(64 - leading - length);
  } else {
    source.skip(2);
    if (leading == 0xff) return false;
  }
  xored = source.take(64U - leading - trailing) << trailing;
  return true;
}

}  // namespace varve::storage::codec
