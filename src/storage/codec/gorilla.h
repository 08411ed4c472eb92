// SPDX-License-Identifier: Apache-2.0
// The codec of the open chunk: delta-of-delta timestamps and XORed values, bit for bit the data of
// a Prometheus XOR chunk, so that exporting one is a copy. The state that appending needs is a
// small plain struct which the head embeds in its hot series record; the bits go into words the
// head owns. See FORMAT.md, "XOR chunk".
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>
#include <vector>

#include "varve/result.h"
#include "varve/sample.h"

namespace varve::storage::codec {

// What one append can write at most: three whole words.
inline constexpr std::size_t kGorillaAppendWordsMax = 3;
// The count of an XOR chunk is 16 bits.
inline constexpr std::size_t kGorillaSamplesMax = 0xffff;

// The state of one open chunk. Value-initialised it is an empty chunk. Invariants:
// 1. words[0, word_count) of the chunk's buffer are final: appending writes only behind them. So
//    whoever has copied the state, and keeps the buffer alive, decodes without a lock.
// 2. The newest bit_count (0..63) bits are the low bits of `bits`, the ones above them are zero.
// 3. last_time and last_value are those of the newest sample; meaningless if count == 0.
struct GorillaState {
  Timestamp last_time = 0;
  double last_value = 0;
  std::uint64_t bits = 0;
  std::uint32_t last_delta = 0;  // milliseconds between the two newest samples
  std::uint16_t count = 0;       // samples
  std::uint16_t word_count = 0;  // whole words written
  std::uint8_t bit_count = 0;
  std::uint8_t leading = 0xff;   // zero bits before the value window; 0xff: there is none yet
  std::uint8_t trailing = 0;     // zero bits behind it
  std::uint8_t owner_byte = 0;   // not ours: for whoever embeds the state
  std::uint32_t owner_word = 0;  // likewise
};
static_assert(sizeof(GorillaState) == 40 && std::is_trivially_copyable_v<GorillaState>);

// Whether a sample at t can be appended: t does not precede the last sample, is at most 2^32 - 1 ms
// behind it, and count and word_count have room. If not, the chunk has to be closed first.
inline bool gorilla_accepts(const GorillaState& state, Timestamp t) {
  if (state.count == 0) return true;
  return t >= state.last_time &&
         static_cast<std::uint64_t>(t) - static_cast<std::uint64_t>(state.last_time) <=
             std::numeric_limits<std::uint32_t>::max() &&
         state.count < kGorillaSamplesMax && state.word_count <= 0xffff - kGorillaAppendWordsMax;
}

// Appends a sample. Writes the words that become whole (word_count counts them then) to `end`,
// which need not lie behind those before. Precondition: gorilla_accepts(), and end[0,
// kGorillaAppendWordsMax) are writable. Leaves the owner's fields alone.
void gorilla_append(GorillaState& state, std::uint64_t* end, Timestamp t, double value);

// Decodes all state.count samples into arrays of at least that size.
void gorilla_decode(const GorillaState& state, const std::uint64_t* words, Timestamp* times,
                    double* values);

// Whether state and words are what appending makes: as many samples as it says, in ascending order,
// the newest at last_time. For states that were read from a file; gorilla_decode() trusts its own.
bool gorilla_check(const GorillaState& state, const std::uint64_t* words);

// Bytes of the chunk as Prometheus stores it, with the 2 bytes of the count.
inline std::size_t gorilla_size_bytes(const GorillaState& state) {
  return 2 + state.word_count * std::size_t{8} + (state.bit_count + 7U) / 8;
}

// Appends the chunk to `out` in Prometheus's form (encoding 1, "XOR"): big-endian count, then bits.
void gorilla_to_xor_chunk(const GorillaState& state, const std::uint64_t* words,
                          std::vector<std::uint8_t>& out);

// Decodes an XOR chunk of unknown origin and appends its samples. kCorruption if the bytes end
// before the samples do; the vectors are then as they were.
Status decode_xor_chunk(std::span<const std::uint8_t> bytes, std::vector<Timestamp>& times,
                        std::vector<double>& values);

}  // namespace varve::storage::codec
