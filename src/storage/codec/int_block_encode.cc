// SPDX-License-Identifier: Apache-2.0
// Integers are first made small: the first one and the common divisor of all differences to it are
// taken out. One pass measures what each encoding would cost, then the cheapest one writes.
#include <algorithm>
#include <bit>
#include <limits>

#include "base/check.h"
#include "storage/codec/int_block.h"

namespace varve::storage::codec {
namespace {

// What the encodings cost is measured on integers relative to the first one.
struct Measures {
  std::int64_t min = 0, max = 0;              // of the integers
  std::int64_t delta_min = 0, delta_max = 0;  // of their differences
  std::int64_t dod_min = 0, dod_max = 0;      // of the differences of the differences
  std::size_t changes = 0;                    // differences that are not zero
  std::size_t bends = 0;                      // differences of differences that are not zero
};

Measures measure(const std::int64_t* ints, std::size_t count) {
  Measures m;
  if (count < 2) return m;
  std::int64_t previous = ints[0];
  std::int64_t delta = ints[1] - previous;
  m.delta_min = m.delta_max = delta;
  m.dod_min = std::numeric_limits<std::int64_t>::max();
  m.dod_max = std::numeric_limits<std::int64_t>::min();
  std::size_t changes = delta != 0 ? 1 : 0;
  std::size_t bends = 0;
  previous = ints[1];
  std::int64_t low = std::min(ints[0], ints[1]);
  std::int64_t high = std::max(ints[0], ints[1]);
  for (std::size_t i = 2; i < count; ++i) {
    const std::int64_t now = ints[i];
    const std::int64_t next_delta = now - previous;
    const std::int64_t dod = next_delta - delta;
    low = std::min(low, now);
    high = std::max(high, now);
    m.delta_min = std::min(m.delta_min, next_delta);
    m.delta_max = std::max(m.delta_max, next_delta);
    m.dod_min = std::min(m.dod_min, dod);
    m.dod_max = std::max(m.dod_max, dod);
    changes += next_delta != 0 ? 1 : 0;
    bends += dod != 0 ? 1 : 0;
    delta = next_delta;
    previous = now;
  }
  if (count == 2) m.dod_min = m.dod_max = 0;
  m.min = low;
  m.max = high;
  m.changes = changes;
  m.bends = bends;
  return m;
}

unsigned range_width(std::int64_t min, std::int64_t max) {
  return width_of(static_cast<std::uint64_t>(max) - static_cast<std::uint64_t>(min));
}

// Euclid with remainders; differences that share nothing reach 1 within a few steps.
std::uint64_t common_divisor(const std::int64_t* ints, std::size_t count) {
  std::uint64_t divisor = 0;
  for (std::size_t i = 1; i < count; ++i) {
    const std::int64_t offset = ints[i] - ints[0];
    std::uint64_t rest = static_cast<std::uint64_t>(offset < 0 ? -offset : offset);
    if (divisor == 0) {
      divisor = rest;
      continue;
    }
    if (divisor == 1) return 1;
    rest %= divisor;
    while (rest != 0) {
      const std::uint64_t next = divisor % rest;
      divisor = rest;
      rest = next;
    }
  }
  return divisor;
}

// The difference that most steps have, if more than half of them do (Boyer and Moore).
std::int64_t majority_step(const std::int64_t* ints, std::size_t count) {
  std::int64_t candidate = 0;
  std::size_t votes = 0;
  for (std::size_t i = 1; i < count; ++i) {
    const std::int64_t delta = ints[i] - ints[i - 1];
    if (votes == 0) {
      candidate = delta;
      votes = 1;
    } else if (delta == candidate) {
      ++votes;
    } else {
      --votes;
    }
  }
  return candidate;
}

// Differences that are not `step`: their positions, and how far off they are.
struct Jumps {
  std::int64_t step = 0;
  std::size_t count = 0;
  std::int64_t min = 0;
  unsigned width = 0;
  std::array<std::uint64_t, kIntsMax> offsets;
  std::array<std::uint64_t, kIntsMax> positions;
};

void find_jumps(const std::int64_t* ints, std::size_t count, std::int64_t step, Jumps& jumps) {
  jumps.step = step;
  jumps.count = 0;
  std::int64_t min = std::numeric_limits<std::int64_t>::max();
  std::int64_t max = std::numeric_limits<std::int64_t>::min();
  for (std::size_t i = 1; i < count; ++i) {
    const std::int64_t off = ints[i] - ints[i - 1] - step;
    if (off == 0) continue;
    min = std::min(min, off);
    max = std::max(max, off);
    jumps.positions[jumps.count] = i - 1;
    jumps.offsets[jumps.count++] = static_cast<std::uint64_t>(off);
  }
  if (jumps.count == 0) min = max = 0;
  for (std::size_t i = 0; i < jumps.count; ++i) jumps.offsets[i] -= static_cast<std::uint64_t>(min);
  jumps.min = min;
  jumps.width = range_width(min, max);
}

std::size_t jump_place_bytes(std::size_t jumps, std::size_t count) {
  return jumps_listed(jumps, count) ? packed_bytes(jumps, kPositionBits) : (count - 1 + 7) / 8;
}

struct Dictionary {
  std::size_t size = 0;
  std::array<std::int64_t, kDictEntriesMax> entries;
  std::array<std::uint64_t, kIntsMax> codes;
  unsigned code_width() const { return width_of(size - 1); }
};

bool find_dictionary(const std::int64_t* ints, std::size_t count, Dictionary& dictionary) {
  dictionary.size = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t code = 0;
    while (code < dictionary.size && dictionary.entries[code] != ints[i]) ++code;
    if (code == dictionary.size) {
      if (code == kDictEntriesMax) return false;
      dictionary.entries[dictionary.size++] = ints[i];
    }
    dictionary.codes[i] = code;
  }
  return true;
}

std::uint8_t* put_packed(std::uint8_t* at, const std::uint64_t* values, std::size_t count,
                         unsigned width) {
  pack(values, count, width, at);
  return at + packed_bytes(count, width);
}

std::uint8_t* put_jumps(std::uint8_t* at, const Jumps& jumps, std::size_t count) {
  *at++ = static_cast<std::uint8_t>(jumps.count);
  at = write_varint(at, jumps.min);
  if (jumps_listed(jumps.count, count)) {
    at = put_packed(at, jumps.positions.data(), jumps.count, kPositionBits);
  } else {
    const std::size_t bytes = (count - 1 + 7) / 8;
    std::fill_n(at, bytes, std::uint8_t{0});
    for (std::size_t i = 0; i < jumps.count; ++i) {
      at[jumps.positions[i] / 8] |= static_cast<std::uint8_t>(1U << (jumps.positions[i] % 8));
    }
    at += bytes;
  }
  return put_packed(at, jumps.offsets.data(), jumps.count, jumps.width);
}

std::uint8_t* put_dictionary(std::uint8_t* at, const Dictionary& dictionary, std::size_t count,
                             std::int64_t min, unsigned width) {
  *at++ = static_cast<std::uint8_t>(dictionary.size);
  at = write_varint(at, min);
  std::array<std::uint64_t, kDictEntriesMax> entries;
  for (std::size_t i = 0; i < dictionary.size; ++i) {
    entries[i] = static_cast<std::uint64_t>(dictionary.entries[i] - min);
  }
  at = put_packed(at, entries.data(), dictionary.size, width);
  return put_packed(at, dictionary.codes.data(), count, dictionary.code_width());
}

// What packed differences to a straight line through both ends cost: wins for jittered times.
struct Residuals {
  std::int64_t step = 0;
  std::int64_t min = 0;
  unsigned width = 0;
};

Residuals find_residuals(const std::int64_t* ints, std::size_t count) {
  Residuals residuals;
  const auto last = static_cast<std::int64_t>(count) - 1;
  // ints[0] is 0. To the nearest, or jitter at the end would tilt the line.
  const std::int64_t half = ints[last] < 0 ? -(last / 2) : last / 2;
  residuals.step = last == 0 ? 0 : (ints[last] + half) / last;
  std::int64_t min = 0;
  std::int64_t max = 0;
  for (std::int64_t i = 0; i <= last; ++i) {
    const std::int64_t off = ints[i] - i * residuals.step;
    min = std::min(min, off);
    max = std::max(max, off);
  }
  residuals.min = min;
  residuals.width = range_width(min, max);
  return residuals;
}

std::size_t varint_bytes(std::int64_t value) {
  return (std::max(width_of(to_zigzag(value)), 1U) + 6) / 7;
}

}  // namespace

std::size_t encode_ints(std::span<const std::int64_t> given, IntKind kind, unsigned& exponent,
                        std::uint8_t* out) {
  VARVE_DCHECK(!given.empty() && given.size() <= kIntsMax);
  const std::size_t count = given.size();
  std::int64_t first = given[0];
  std::array<std::int64_t, kIntsMax> ints;

  std::uint64_t divisor = common_divisor(given.data(), count);
  if (divisor == 0) {
    for (; exponent > 0 && first % 10 == 0; --exponent) first /= 10;
    std::uint8_t* at = out;
    *at++ = static_cast<std::uint8_t>(static_cast<unsigned>(BlockCodec::kConst) | exponent << 4);
    *at++ = 0;
    return static_cast<std::size_t>(write_varint(at, first) - out);
  }
  if (divisor == 1) {
    for (std::size_t i = 0; i < count; ++i) ints[i] = given[i] - given[0];
  } else if (std::has_single_bit(divisor)) {
    const int shift = std::countr_zero(divisor);
    for (std::size_t i = 0; i < count; ++i) ints[i] = (given[i] - given[0]) >> shift;
  } else {
    const auto signed_divisor = static_cast<std::int64_t>(divisor);
    for (std::size_t i = 0; i < count; ++i) ints[i] = (given[i] - given[0]) / signed_divisor;
  }
  for (; exponent > 0 && divisor % 10 == 0 && first % 10 == 0; --exponent) {
    first /= 10;
    divisor /= 10;
  }

  const Measures m = measure(ints.data(), count);
  // The cheapest so far; ties go to the one that decodes faster, which is measured first.
  BlockCodec codec = BlockCodec::kRaw;
  std::size_t best = std::numeric_limits<std::size_t>::max();
  unsigned width = 0;
  const auto consider = [&](BlockCodec candidate, unsigned candidate_width, std::size_t cost) {
    if (candidate_width > kPackWidthMax || cost >= best) return;
    best = cost;
    codec = candidate;
    width = candidate_width;
  };
  const unsigned for_width = range_width(m.min, m.max);
  const unsigned delta_width = range_width(m.delta_min, m.delta_max);
  Jumps jumps;
  Dictionary dictionary;
  Residuals residuals;
  if (m.bends == 0) {
    consider(BlockCodec::kAffine, 0, 0);
  } else {
    consider(BlockCodec::kFor, for_width, varint_bytes(m.min) + packed_bytes(count, for_width));
    consider(BlockCodec::kDelta, delta_width,
             varint_bytes(m.delta_min) + packed_bytes(count - 1, delta_width));
    const unsigned dod_width = range_width(m.dod_min, m.dod_max);
    consider(BlockCodec::kDod, dod_width,
             varint_bytes(ints[1]) + varint_bytes(m.dod_min) + packed_bytes(count - 2, dod_width));
    const auto consider_jumps = [&](std::int64_t step, BlockCodec candidate) {
      find_jumps(ints.data(), count, step, jumps);
      consider(candidate, jumps.width,
               1 + varint_bytes(jumps.min) + (step != 0 ? varint_bytes(step) : 0) +
                   jump_place_bytes(jumps.count, count) + packed_bytes(jumps.count, jumps.width));
    };
    if (m.changes * 8 < count * 7) {
      consider_jumps(0, BlockCodec::kSparse);
    } else if (m.bends * 4 < count * 3) {
      consider_jumps(majority_step(ints.data(), count), BlockCodec::kSparseStep);
    }
    if (kind != IntKind::kValues) {
      residuals = find_residuals(ints.data(), count);
      consider(BlockCodec::kResidual, residuals.width,
               varint_bytes(residuals.step) + varint_bytes(residuals.min) +
                   packed_bytes(count, residuals.width));
    }
    if (kind != IntKind::kTimes && for_width > 2 && best * 8 > count * 2 &&
               find_dictionary(ints.data(), count, dictionary)) {
      consider(BlockCodec::kDict, for_width,
               1 + varint_bytes(m.min) + packed_bytes(dictionary.size, for_width) +
                   packed_bytes(count, dictionary.code_width()));
    }
  }

  std::uint8_t* at = out;
  *at++ = static_cast<std::uint8_t>(static_cast<unsigned>(codec) | exponent << 4);
  std::uint8_t& second = *at++;
  second = static_cast<std::uint8_t>(width);
  if (codec == BlockCodec::kAffine) {
    // The divisor is the step itself; stored as the step it needs no field of its own.
    at = write_varint(at, first);
    at = write_varint(at, count < 2 ? 0 : ints[1] * static_cast<std::int64_t>(divisor));
    return static_cast<std::size_t>(at - out);
  }
  at = write_varint(at, first);
  if (divisor != 1) {
    second |= kHasDivisor;
    at = write_uvarint(at, divisor);
  }
  IntBuffer packed;
  const auto offset = [](std::int64_t value, std::int64_t min) {
    return static_cast<std::uint64_t>(value - min);
  };
  switch (codec) {
    case BlockCodec::kFor:
      at = write_varint(at, m.min);
      for (std::size_t i = 0; i < count; ++i) packed[i] = offset(ints[i], m.min);
      at = put_packed(at, packed.data(), count, width);
      break;
    case BlockCodec::kDelta:
      at = write_varint(at, m.delta_min);
      for (std::size_t i = 1; i < count; ++i) {
        packed[i - 1] = offset(ints[i] - ints[i - 1], m.delta_min);
      }
      at = put_packed(at, packed.data(), count - 1, width);
      break;
    case BlockCodec::kDod:
      at = write_varint(at, ints[1]);
      at = write_varint(at, m.dod_min);
      for (std::size_t i = 2; i < count; ++i) {
        packed[i - 2] = offset(ints[i] - 2 * ints[i - 1] + ints[i - 2], m.dod_min);
      }
      at = put_packed(at, packed.data(), count - 2, width);
      break;
    case BlockCodec::kSparseStep:
      at = write_varint(at, jumps.step);
      at = put_jumps(at, jumps, count);
      break;
    case BlockCodec::kSparse:
      at = put_jumps(at, jumps, count);
      break;
    case BlockCodec::kResidual:
      at = write_varint(at, residuals.step);
      at = write_varint(at, residuals.min);
      for (std::size_t i = 0; i < count; ++i) {
        packed[i] = offset(ints[i] - static_cast<std::int64_t>(i) * residuals.step, residuals.min);
      }
      at = put_packed(at, packed.data(), count, width);
      break;
    case BlockCodec::kDict:
      at = put_dictionary(at, dictionary, count, m.min, width);
      break;
    default:
      VARVE_CHECK(false);  // ranges below 2^55 always have a candidate
  }
  return static_cast<std::size_t>(at - out);
}

}  // namespace varve::storage::codec
