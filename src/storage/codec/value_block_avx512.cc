// SPDX-License-Identifier: Apache-2.0
// Loads are masked to the bytes that are there and stores to the values that are wanted, so that
// nothing is read or written outside, and no block needs slack behind it.
#include "storage/codec/value_block_avx512.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "storage/codec/decimal.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace varve::storage::codec {

#ifdef __x86_64__
namespace {

#define VARVE_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vbmi")))
#define VARVE_AVX512_INLINE __attribute__((always_inline)) VARVE_AVX512 inline

constexpr std::size_t kLanes = 8;

// Eight values of one width begin on a byte and fill `width` of them: which bytes each lane of
// eight takes, and how far its value stands from their first bit.
struct UnpackTables {
  alignas(64) std::array<std::array<std::uint8_t, 64>, kPackWidthMax + 1> bytes{};
  alignas(64) std::array<std::array<std::uint64_t, kLanes>, kPackWidthMax + 1> shifts{};
};
constexpr UnpackTables make_unpack_tables() {
  UnpackTables tables;
  for (unsigned width = 0; width <= kPackWidthMax; ++width) {
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      for (unsigned byte = 0; byte < 8; ++byte) {
        tables.bytes[width][lane * 8 + byte] =
            static_cast<std::uint8_t>((lane * width / 8 + byte) % 64);
      }
      tables.shifts[width][lane] = lane * width % 8;
    }
  }
  return tables;
}
constexpr UnpackTables kTables = make_unpack_tables();

// Takes packed values, eight at a time; what stands behind the last one means nothing.
class Unpacker {
 public:
  // False if the reader has not so many.
  VARVE_AVX512_INLINE bool open(ByteReader& reader, std::size_t count, unsigned width) {
    left_ = packed_bytes(count, width);
    at_ = reader.take(left_);
    width_ = width;
    bytes_ = _mm512_load_si512(kTables.bytes[width].data());
    shifts_ = _mm512_load_si512(kTables.shifts[width].data());
    mask_ = _mm512_set1_epi64(static_cast<long long>((std::uint64_t{1} << width) - 1));
    return at_ != nullptr;
  }
  VARVE_AVX512_INLINE __m512i next() {
    const std::size_t size = std::min<std::size_t>(left_, width_);
    const __m512i packed = _mm512_maskz_loadu_epi8((std::uint64_t{1} << size) - 1, at_);
    at_ += size;
    left_ -= size;
    return _mm512_and_si512(_mm512_srlv_epi64(_mm512_permutexvar_epi8(bytes_, packed), shifts_),
                            mask_);
  }

 private:
  const std::uint8_t* at_ = nullptr;
  std::size_t left_ = 0;
  unsigned width_ = 0;
  __m512i bytes_, shifts_, mask_;
};

VARVE_AVX512_INLINE __m512i broadcast(std::uint64_t value) {
  return _mm512_set1_epi64(static_cast<long long>(value));
}
// Lane i becomes the sum of the lanes up to i.
VARVE_AVX512_INLINE __m512i sums(__m512i x) {
  const __m512i zero = _mm512_setzero_si512();
  x = _mm512_add_epi64(x, _mm512_alignr_epi64(x, zero, 7));
  x = _mm512_add_epi64(x, _mm512_alignr_epi64(x, zero, 6));
  return _mm512_add_epi64(x, _mm512_alignr_epi64(x, zero, 4));
}
VARVE_AVX512_INLINE __m512i last_lane(__m512i x) {
  return _mm512_permutexvar_epi64(_mm512_set1_epi64(7), x);
}

// Running sums over one group of eight after the other. Only one addition waits for the group
// before.
class RunningSum {
 public:
  VARVE_AVX512_INLINE explicit RunningSum(std::uint64_t start) : carry_(broadcast(start)) {}
  VARVE_AVX512_INLINE __m512i add(__m512i x) {
    const __m512i inside = sums(x);
    const __m512i result = _mm512_add_epi64(carry_, inside);
    carry_ = _mm512_add_epi64(carry_, last_lane(inside));
    return result;
  }

 private:
  __m512i carry_;
};

// Where values go: first + divisor * x, over a power of ten. Without a divisor `first` is for the
// caller to start from.
template <bool kScaled>
class Sink {
 public:
  VARVE_AVX512_INLINE Sink(std::uint64_t first, std::uint64_t divisor, unsigned exponent,
                           std::size_t count, double* out)
      : first_(broadcast(first)),
        divisor_(broadcast(divisor)),
        power_(_mm512_set1_pd(kPowersOfTen[exponent])),
        divides_(exponent != 0),
        count_(count),
        out_(out) {}

  // Values i to i + 7; those from `count` on are left out.
  VARVE_AVX512_INLINE void put(std::size_t i, __m512i x) const {
    const std::size_t left = count_ - i;
    put_masked(i, x, left >= kLanes ? __mmask8{0xff} : static_cast<__mmask8>((1U << left) - 1));
  }
  VARVE_AVX512_INLINE void put_one(std::size_t i, std::uint64_t x) const {
    put_masked(i, broadcast(x), 1);
  }

 private:
  VARVE_AVX512_INLINE void put_masked(std::size_t i, __m512i x, __mmask8 wanted) const {
    if (kScaled) x = _mm512_add_epi64(first_, _mm512_mullo_epi64(x, divisor_));
    __m512d value = _mm512_cvtepi64_pd(x);
    if (divides_) value = _mm512_div_pd(value, power_);
    _mm512_mask_storeu_pd(out_ + i, wanted, value);
  }

  __m512i first_, divisor_;
  __m512d power_;
  bool divides_;
  std::size_t count_;
  double* out_;
};

VARVE_AVX512_INLINE __m512i multiples(std::uint64_t step) {
  return _mm512_mullo_epi64(_mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0), broadcast(step));
}

// The steps at which a sparse block jumps, as bits.
using Marks = std::array<std::uint64_t, 2>;

VARVE_AVX512 bool take_places(ByteReader& reader, std::size_t jumps, std::size_t count,
                              Marks& marks) {
  marks = {};
  if (jumps_listed(jumps, count)) {
    Unpacker places;
    if (!places.open(reader, jumps, kPositionBits)) return false;
    std::size_t from = 0;
    for (std::size_t begin = 0; begin < jumps; begin += kLanes) {
      alignas(64) std::array<std::uint64_t, kLanes> eight;
      _mm512_store_si512(eight.data(), places.next());
      for (std::size_t i = 0; i < std::min(kLanes, jumps - begin); ++i) {
        const std::size_t place = eight[i];
        if (place < from || place + 1 >= count) return false;
        marks[place / 64] |= std::uint64_t{1} << (place % 64);
        from = place + 1;
      }
    }
    return true;
  }
  const std::size_t map_bytes = (count - 1 + 7) / 8;
  const std::uint8_t* map = reader.take(map_bytes);
  if (map == nullptr) return false;
  std::memcpy(marks.data(), map, map_bytes);
  if (count - 1 < 64) {
    marks[0] &= (std::uint64_t{1} << (count - 1)) - 1;
  } else if (count - 1 < 128) {
    marks[1] &= (std::uint64_t{1} << (count - 1 - 64)) - 1;
  }
  return static_cast<std::size_t>(std::popcount(marks[0]) + std::popcount(marks[1])) == jumps;
}

template <bool kScaled>
VARVE_AVX512 bool take_jumps(ByteReader& reader, std::uint64_t start, std::uint64_t step,
                             unsigned width, std::size_t count, const Sink<kScaled>& sink) {
  const std::size_t jumps = reader.byte();
  const __m512i min = broadcast(reader.varint());
  if (reader.failed() || jumps >= count) return false;
  Marks marks;
  Unpacker packed;
  if (!take_places(reader, jumps, count, marks) || !packed.open(reader, jumps, width)) return false;
  alignas(64) std::array<std::uint64_t, kIntsMax + kLanes> offsets;
  for (std::size_t i = 0; i < jumps; i += kLanes) {
    _mm512_store_si512(offsets.data() + i, _mm512_add_epi64(min, packed.next()));
  }
  sink.put_one(0, start);
  RunningSum sum(start);
  const __m512i steps = broadcast(step);
  std::size_t next = 0;
  for (std::size_t i = 0; i + 1 < count; i += kLanes) {
    const auto jumping = static_cast<__mmask8>(marks[i / 64] >> (i % 64));
    // Lanes that do not jump are masked away, among them what lies behind the last jump.
    const __m512i offset =
        _mm512_maskz_expand_epi64(jumping, _mm512_loadu_si512(offsets.data() + next));
    next += static_cast<std::size_t>(std::popcount(static_cast<unsigned>(jumping)));
    sink.put(i + 1, sum.add(_mm512_add_epi64(steps, offset)));
  }
  return true;
}

template <bool kScaled>
VARVE_AVX512 bool take_dictionary(ByteReader& reader, std::uint64_t start, unsigned width,
                                  std::size_t count, const Sink<kScaled>& sink) {
  const std::size_t size = reader.byte();
  const __m512i min = broadcast(reader.varint() + start);
  if (reader.failed() || size < 2 || size > kDictEntriesMax) return false;
  Unpacker entries, codes;
  if (!entries.open(reader, size, width) || !codes.open(reader, count, width_of(size - 1))) {
    return false;
  }
  // No entries stand behind the last one, whatever bits pad it.
  const std::uint32_t there = (1U << size) - 1;
  const __m512i low = _mm512_maskz_mov_epi64(static_cast<__mmask8>(there), entries.next());
  const __m512i high = _mm512_maskz_mov_epi64(static_cast<__mmask8>(there >> 8), entries.next());
  for (std::size_t i = 0; i < count; i += kLanes) {
    sink.put(i, _mm512_add_epi64(min, _mm512_permutex2var_epi64(low, codes.next(), high)));
  }
  return true;
}

template <bool kScaled>
VARVE_AVX512 bool decode(ByteReader& reader, BlockCodec codec, unsigned width, std::size_t count,
                         std::uint64_t first, std::uint64_t divisor, unsigned exponent,
                         double* out) {
  const Sink<kScaled> sink(first, divisor, exponent, count, out);
  const std::uint64_t start = kScaled ? 0 : first;
  Unpacker packed;
  switch (codec) {
    case BlockCodec::kAffine: {
      // The step is what it is: a divisor would be of the differences.
      const std::uint64_t step = reader.varint();
      if (reader.failed()) return false;
      const Sink<false> plain(first, 1, exponent, count, out);
      for (std::size_t i = 0; i < count; i += kLanes) {
        plain.put(i, _mm512_add_epi64(broadcast(first + i * step), multiples(step)));
      }
      return true;
    }
    case BlockCodec::kFor: {
      const __m512i min = broadcast(reader.varint() + start);
      if (!packed.open(reader, count, width)) return false;
      for (std::size_t i = 0; i < count; i += kLanes) {
        sink.put(i, _mm512_add_epi64(min, packed.next()));
      }
      return true;
    }
    case BlockCodec::kDelta: {
      const __m512i min = broadcast(reader.varint());
      if (!packed.open(reader, count - 1, width)) return false;
      sink.put_one(0, start);
      RunningSum sum(start);
      for (std::size_t i = 1; i < count; i += kLanes) {
        sink.put(i, sum.add(_mm512_add_epi64(min, packed.next())));
      }
      return true;
    }
    case BlockCodec::kDod: {
      const std::uint64_t delta = reader.varint();
      const __m512i min = broadcast(reader.varint());
      if (count < 2 || !packed.open(reader, count - 2, width)) return false;
      sink.put_one(0, start);
      sink.put_one(1, start + delta);
      RunningSum step(delta);
      RunningSum sum(start + delta);
      for (std::size_t i = 2; i < count; i += kLanes) {
        sink.put(i, sum.add(step.add(_mm512_add_epi64(min, packed.next()))));
      }
      return true;
    }
    case BlockCodec::kSparse:
      return take_jumps(reader, start, 0, width, count, sink);
    case BlockCodec::kSparseStep: {
      const std::uint64_t step = reader.varint();
      return take_jumps(reader, start, step, width, count, sink);
    }
    case BlockCodec::kResidual: {
      const std::uint64_t step = reader.varint();
      const std::uint64_t min = reader.varint() + start;
      if (!packed.open(reader, count, width)) return false;
      for (std::size_t i = 0; i < count; i += kLanes) {
        const __m512i line = _mm512_add_epi64(broadcast(min + i * step), multiples(step));
        sink.put(i, _mm512_add_epi64(line, packed.next()));
      }
      return true;
    }
    case BlockCodec::kDict:
      return take_dictionary(reader, start, width, count, sink);
    default:
      return false;
  }
}

const bool kHaveBlocks =
    __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
    __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vbmi") != 0;

}  // namespace

bool have_avx512_blocks() { return kHaveBlocks; }

bool decode_decimals_avx512(ByteReader& reader, BlockCodec codec, std::uint8_t second_byte,
                            std::size_t count, unsigned exponent, double* out) {
  VARVE_DCHECK(count >= 1 && count <= kIntsMax);
  const unsigned width = second_byte & kWidthMask;
  if (width > kPackWidthMax) return false;
  const std::uint64_t first = reader.varint();
  const std::uint64_t divisor = (second_byte & kHasDivisor) != 0 ? reader.uvarint() : 1;
  const bool decoded =
      divisor == 1 ? decode<false>(reader, codec, width, count, first, 1, exponent, out)
                   : decode<true>(reader, codec, width, count, first, divisor, exponent, out);
  return decoded && !reader.failed();
}

#else

bool have_avx512_blocks() { return false; }

bool decode_decimals_avx512(ByteReader&, BlockCodec, std::uint8_t, std::size_t, unsigned, double*) {
  return false;
}

#endif

}  // namespace varve::storage::codec
