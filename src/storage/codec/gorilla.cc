// SPDX-License-Identifier: Apache-2.0
// The XOR chunk. The stream is written in whole words whose bytes are the chunk's bytes.
#include "storage/codec/gorilla.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "storage/codec/bits.h"
#include "storage/codec/xor_value.h"

namespace varve::storage::codec {
namespace {

template <typename Sink>
void put_uvarint(Sink& sink, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) sink.put((value & 0x7f) | 0x80, 8);
  sink.put(value, 8);
}

std::uint64_t zigzag(std::int64_t value) {
  return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
}

// Ranges of n bits are -(2^(n-1) - 1) .. 2^(n-1).
bool fits(std::int64_t value, unsigned bits) {
  return -(std::int64_t{1} << (bits - 1)) < value && value <= std::int64_t{1} << (bits - 1);
}

template <typename Sink>
void put_delta_of_delta(Sink& sink, std::int64_t value) {
  const auto raw = static_cast<std::uint64_t>(value);
  if (value == 0) {
    sink.put(0, 1);
  } else if (fits(value, 14)) {
    sink.put(0b10ULL << 14 | (raw & low_bits(14)), 16);
  } else if (fits(value, 17)) {
    sink.put(0b110ULL << 17 | (raw & low_bits(17)), 20);
  } else if (fits(value, 20)) {
    sink.put(0b1110ULL << 20 | (raw & low_bits(20)), 24);
  } else {
    sink.put(0b1111, 4);
    sink.put(raw, 64);
  }
}

std::uint64_t take_delta_of_delta(BitSource& source) {
  const std::uint64_t window = source.window();
  if (window >> 63 == 0) {
    source.skip(1);
    return 0;
  }
  const unsigned ones = static_cast<unsigned>(std::countl_one(window >> 60 << 60));
  if (ones == 4) {
    source.skip(4);
    return source.take(64);
  }
  const unsigned bits = ones == 1 ? 14 : ones == 2 ? 17 : 20;
  source.skip(ones + 1);
  const std::uint64_t raw = source.take(bits);
  return raw > std::uint64_t{1} << (bits - 1) ? raw - (std::uint64_t{1} << bits) : raw;
}

bool take_uvarint(BitSource& source, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const std::uint64_t byte = source.take(8);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

// How many of the next `left` samples are as the one before: the same delta and the same value, two
// zero bits each. 0 where it is only a few, which are not worth it. Series that never change are a
// third of all.
std::size_t run_ahead(const BitSource& source, std::size_t left) {
  constexpr unsigned kBitsMin = 8;
  constexpr unsigned kBitsKnown = 56;  // of what window() gives, in whole samples
  const std::uint64_t bits = source.window();
  if (bits >> (64 - kBitsMin) != 0) return 0;
  const auto zeros = std::min(kBitsKnown, static_cast<unsigned>(std::countl_zero(bits)));
  return std::min<std::size_t>(left, zeros / 2);
}

// Arithmetic on times is unsigned, so that hostile deltas wrap instead of overflowing. By value:
// the source then lives in registers.
bool decode(BitSource source, std::size_t count, Timestamp* times, double* values) {
  if (count == 0) return true;
  std::uint64_t raw = 0;
  if (!take_uvarint(source, raw)) return false;
  std::uint64_t time = (raw >> 1) ^ (~(raw & 1) + 1);
  std::uint64_t bits = source.take(64);
  if (source.overrun()) return false;
  times[0] = static_cast<Timestamp>(time);
  std::memcpy(&values[0], &bits, 8);
  std::uint64_t delta = 0;
  std::uint8_t leading = 0xff;
  std::uint8_t trailing = 0;
  for (std::size_t i = 1; i < count; ++i) {
    if (i == 1) {
      if (!take_uvarint(source, delta)) return false;
    } else {
      delta += take_delta_of_delta(source);
    }
    time += delta;
    std::uint64_t xored = 0;
    if (!take_xor(source, xored, leading, trailing)) return false;
    bits ^= xored;
    times[i] = static_cast<Timestamp>(time);
    std::memcpy(&values[i], &bits, 8);
    if (source.overrun()) return false;
    if (xored != 0) continue;
    // Where a value stayed, more of them may. Not looked for before: series whose values change
    // would pay for it.
    const std::size_t run = run_ahead(source, count - i - 1);
    for (std::size_t k = 1; k <= run; ++k) {
      time += delta;
      times[i + k] = static_cast<Timestamp>(time);
      std::memcpy(&values[i + k], &bits, 8);
    }
    source.skip(static_cast<unsigned>(2 * run));
    i += run;
  }
  return !source.overrun();
}

}  // namespace

void gorilla_append(GorillaState& state, std::uint64_t* end, Timestamp t, double value) {
  VARVE_DCHECK(gorilla_accepts(state, t));
  auto* const begin = reinterpret_cast<std::uint8_t*>(end);
  BitSink sink(begin, state.bits, state.bit_count);
  const auto bits = std::bit_cast<std::uint64_t>(value);
  if (state.count == 0) {
    put_uvarint(sink, zigzag(t));
    sink.put(bits, 64);
  } else {
    // Fits by gorilla_accepts().
    const auto delta = static_cast<std::uint32_t>(static_cast<std::uint64_t>(t) -
                                                  static_cast<std::uint64_t>(state.last_time));
    if (state.count == 1) {
      put_uvarint(sink, delta);
    } else {
      put_delta_of_delta(sink, std::int64_t{delta} - std::int64_t{state.last_delta});
    }
    put_xor(sink, bits ^ std::bit_cast<std::uint64_t>(state.last_value), state.leading,
            state.trailing);
    state.last_delta = delta;
  }
  state.last_time = t;
  state.last_value = value;
  state.bits = sink.pending();
  state.bit_count = static_cast<std::uint8_t>(sink.pending_count());
  state.word_count = static_cast<std::uint16_t>(state.word_count +
                                                static_cast<std::size_t>(sink.at() - begin) / 8);
  ++state.count;
}

namespace {

bool decode_state(const GorillaState& state, const std::uint64_t* words, Timestamp* times,
                  double* values) {
  // The words and the pending bits, side by side. Chunks of the head's usual size fit the stack.
  constexpr std::size_t kStackWords = 320;
  constexpr std::size_t kMoreWords = 1 + kBitSlackBytes / 8;
  std::array<std::uint64_t, kStackWords + kMoreWords> near;
  std::vector<std::uint64_t> far;
  std::uint64_t* stream = near.data();
  const std::size_t count = state.word_count;
  if (count > kStackWords) {
    far.resize(count + kMoreWords);
    stream = far.data();
  }
  if (count > 0) std::memcpy(stream, words, count * 8);
  std::fill_n(stream + count, kMoreWords, std::uint64_t{0});
  if (state.bit_count > 0) stream[count] = __builtin_bswap64(state.bits << (64U - state.bit_count));
  const BitSource source(reinterpret_cast<const std::uint8_t*>(stream), (count + 1) * 8);
  return decode(source, state.count, times, values);
}

}  // namespace

void gorilla_decode(const GorillaState& state, const std::uint64_t* words, Timestamp* times,
                    double* values) {
  const bool whole = decode_state(state, words, times, values);
  VARVE_CHECK(whole);
}

bool gorilla_check(const GorillaState& state, const std::uint64_t* words) {
  constexpr std::size_t kSamplesMax = 1024;  // more than any head closes a chunk at
  if (state.count == 0) return state.word_count == 0 && state.bit_count == 0;
  if (state.bit_count > 63 || state.count > kSamplesMax) return false;
  if (state.leading != 0xff && state.leading + state.trailing > 63) return false;
  if (state.bit_count < 63 && state.bits >> state.bit_count != 0) return false;
  std::array<Timestamp, kSamplesMax> times;
  std::array<double, kSamplesMax> values;
  if (!decode_state(state, words, times.data(), values.data())) return false;
  for (std::size_t i = 1; i < state.count; ++i) {
    if (times[i] <= times[i - 1]) return false;
  }
  const std::size_t newest = state.count - 1U;
  return times[newest] == state.last_time &&
         std::bit_cast<std::uint64_t>(values[newest]) ==
             std::bit_cast<std::uint64_t>(state.last_value) &&
         (state.count == 1 || static_cast<std::uint64_t>(times[newest] - times[newest - 1]) ==
                                  state.last_delta);
}

void gorilla_to_xor_chunk(const GorillaState& state, const std::uint64_t* words,
                          std::vector<std::uint8_t>& out) {
  const std::size_t begin = out.size();
  out.resize(begin + gorilla_size_bytes(state));
  std::uint8_t* at = out.data() + begin;
  *at++ = static_cast<std::uint8_t>(state.count >> 8);
  *at++ = static_cast<std::uint8_t>(state.count);
  if (state.word_count > 0) std::memcpy(at, words, state.word_count * std::size_t{8});
  BitSink(at + state.word_count * std::size_t{8}, state.bits, state.bit_count).finish();
}

Status decode_xor_chunk(std::span<const std::uint8_t> bytes, std::vector<Timestamp>& times,
                        std::vector<double>& values) {
  if (bytes.size() < 2) return Error(ErrorCode::kCorruption, "XOR chunk: no sample count");
  const std::size_t count = static_cast<std::size_t>(bytes[0]) << 8 | bytes[1];
  // A sample has two bits at least, so a lying count cannot make us reserve much.
  if (count > (bytes.size() - 2) * 4) {
    return Error(ErrorCode::kCorruption, "XOR chunk: more samples than bits");
  }
  const std::size_t begin = times.size();
  VARVE_CHECK(values.size() == begin);
  times.resize(begin + count);
  values.resize(begin + count);
  std::vector<std::uint8_t> stream(bytes.begin() + 2, bytes.end());
  stream.resize(stream.size() + kBitSlackBytes);
  const BitSource source(stream.data(), bytes.size() - 2);
  if (!decode(source, count, times.data() + begin, values.data() + begin)) {
    times.resize(begin);
    values.resize(begin);
    return Error(ErrorCode::kCorruption, "XOR chunk: the bits end before the samples do");
  }
  return {};
}

}  // namespace varve::storage::codec
