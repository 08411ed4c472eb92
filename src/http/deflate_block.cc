// SPDX-License-Identifier: Apache-2.0
#include "http/deflate_block.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace varve::http {
namespace {

static_assert(std::endian::native == std::endian::little, "bytes are taken eight at a time");

constexpr std::size_t kMatchMax = 258;

struct LengthSymbols {
  std::array<std::uint8_t, kMatchMax + 1> symbol{};  // above kLengthSymbolFirst
  std::array<std::uint16_t, 29> first{};
  std::array<std::uint8_t, 29> extra_bits{};
};

// RFC 1951, 3.2.5.
constexpr LengthSymbols kLengths = [] {
  LengthSymbols table;
  std::size_t length = kMatchMin;
  for (std::size_t symbol = 0; symbol < 28; ++symbol) {
    const std::size_t extra = symbol < 8 ? 0 : (symbol - 4) / 4;
    table.first[symbol] = static_cast<std::uint16_t>(length);
    table.extra_bits[symbol] = static_cast<std::uint8_t>(extra);
    for (std::size_t i = 0; i < std::size_t{1} << extra && length <= kMatchMax; ++i) {
      table.symbol[length++] = static_cast<std::uint8_t>(symbol);
    }
  }
  table.symbol[kMatchMax] = 28;
  table.first[28] = kMatchMax;
  return table;
}();

struct DistanceSymbol {
  std::size_t symbol;
  unsigned extra_bits;
};

DistanceSymbol distance_symbol(std::size_t distance) {
  const auto before = static_cast<std::uint32_t>(distance - 1);
  if (before < 4) return {before, 0};
  const auto extra = static_cast<unsigned>(std::bit_width(before)) - 2;
  return {2 * extra + (before >> extra), extra};
}

// How much of a long match is one token: never so much that less than kMatchMin would be left.
std::size_t first_part(std::size_t length) {
  if (length <= kMatchMax) return length;
  return length - kMatchMax < kMatchMin ? length - kMatchMin : kMatchMax;
}

// The digits of a sample of the numeric runs stand for all: there are many, and they are alike.
SymbolCounts count_symbols(const TokenList& list, const char* text) {
  // The first ones all: a short answer has no others.
  constexpr std::size_t kAllCounted = 32;
  constexpr std::size_t kOneIn = 8;
  SymbolCounts counts;
  std::size_t numeric_runs = 0;
  for (const Token& token : list.tokens()) {
    for (std::size_t rest = token.length; rest > 0;) {
      const std::size_t part = first_part(rest);
      ++counts.literals[kLengthSymbolFirst + kLengths.symbol[part]];
      ++counts.distances[distance_symbol(token.distance).symbol];
      rest -= part;
    }
    text += token.length;
    std::uint32_t weight = 1;
    if (token.numeric && ++numeric_runs > kAllCounted) {
      weight = numeric_runs % kOneIn == 0 ? kOneIn : 0;
    }
    for (std::size_t i = 0; weight > 0 && i < token.literals; ++i) {
      counts.literals[static_cast<unsigned char>(text[i])] += weight;
    }
    text += token.literals;
  }
  // Who is not in the sample may be in the text.
  for (std::size_t symbol = kNumericFirst; symbol <= kNumericLast; ++symbol) {
    counts.literals[symbol] = std::max<std::uint32_t>(counts.literals[symbol], 1);
  }
  return counts;
}

// Codes of two characters by their last four bits, the first's lowest; 0xa stands for no character.
constexpr unsigned kNone = 0xa;
constexpr unsigned kPairSizeShift = 2 * kCodeBitsMax + 1;

// Writes the literals and matches of a block.
class BlockWriter {
 public:
  BlockWriter(const DeflateCode& code, const BitWriter& out) : code_(code), out_(out) {
    std::array<Code, 16> of;
    for (unsigned low = 0; low < 16; ++low) {
      if (low == kNone) continue;
      of[low] = code.literal(low < kNone ? low + '0' : low + ' ');
      short_ = short_ && of[low].size <= 7;
    }
    for (unsigned second = 0; second < 16; ++second) {
      for (unsigned first = 0; first < 16; ++first) {
        pairs_[second << 4 | first] =
            of[first].bits | std::uint32_t{of[second].bits} << of[first].size |
            (std::uint32_t{of[first].size} + of[second].size) << kPairSizeShift;
      }
    }
  }

  const BitWriter& out() const { return out_; }

  void numeric(const char* at, std::size_t count) {
    for (; count >= 8; at += 8, count -= 8) eight(load(at) & kLowHalves);
    // What follows the last character is blotted out rather than counted: how many there are can
    // not be foretold.
    if (count == 0) return;
    const std::uint64_t there = (std::uint64_t{1} << (8 * count)) - 1;
    const std::uint64_t halves = (load(at) & kLowHalves & there) | (kNones & ~there);
    if (count > 4) {
      eight(halves);
    } else {
      const std::uint64_t pairs = halves | halves >> 4;
      two(pairs & 0xff, pairs >> 16 & 0xff);
      out_.flush();
    }
  }

  void plain(const char* at, std::size_t count) {
    for (; count > 0; ++at, --count) {
      out_.put(code_.literal(static_cast<unsigned char>(*at)));
      out_.flush();
    }
  }

  void match(std::size_t distance, std::size_t length) {
    const std::size_t length_symbol = kLengths.symbol[length];
    const Code& length_code = code_.literal(kLengthSymbolFirst + length_symbol);
    const auto [symbol, extra_bits] = distance_symbol(distance);
    const Code& distance_code = code_.distance(symbol);
    // 13 + 5 + 13 + 13 bits at most.
    out_.put(length_code);
    out_.put(length - kLengths.first[length_symbol], kLengths.extra_bits[length_symbol]);
    out_.put(distance_code);
    out_.put((distance - 1) & ((std::size_t{1} << extra_bits) - 1), extra_bits);
    out_.flush();
  }

 private:
  static constexpr std::uint64_t kLowHalves = 0x0f0f0f0f0f0f0f0f;
  static constexpr std::uint64_t kNones = kNone * (kLowHalves / 15);

  static std::uint64_t load(const char* at) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    return word;
  }

  // Eight characters' last four bits.
  void eight(std::uint64_t halves) {
    const std::uint64_t pairs = halves | halves >> 4;
    two(pairs & 0xff, pairs >> 16 & 0xff);
    if (!short_) out_.flush();
    two(pairs >> 32 & 0xff, pairs >> 48 & 0xff);
    out_.flush();
  }

  void two(std::uint64_t first, std::uint64_t second) {
    constexpr std::uint32_t kBits = (std::uint32_t{1} << kPairSizeShift) - 1;
    const std::uint32_t a = pairs_[first];
    const std::uint32_t b = pairs_[second];
    const unsigned a_size = a >> kPairSizeShift;
    out_.put((a & kBits) | std::uint64_t{b & kBits} << a_size, a_size + (b >> kPairSizeShift));
  }

  const DeflateCode& code_;
  BitWriter out_;      // its own, that the compiler may keep it in registers
  bool short_ = true;  // eight characters take no more than 56 bits
  std::array<std::uint32_t, 256> pairs_;
};

}  // namespace

std::size_t block_bound(std::size_t text_bytes) {
  // A literal's 13 bits, three bytes' or more 44; whole words are written at the end.
  return DeflateCode::kHeadMaxBytes + 2 * text_bytes + 16;
}

void write_block(const TokenList& list, const char* text, bool last, BitWriter& out) {
  const DeflateCode code(count_symbols(list, text));
  code.write_head(last, out);
  BlockWriter writer(code, out);
  for (const Token& token : list.tokens()) {
    for (std::size_t rest = token.length; rest > 0;) {
      const std::size_t part = first_part(rest);
      writer.match(token.distance, part);
      rest -= part;
    }
    text += token.length;
    if (token.numeric) {
      writer.numeric(text, token.literals);
    } else {
      writer.plain(text, token.literals);
    }
    text += token.literals;
  }
  out = writer.out();
  out.put(code.literal(kEndOfBlock));
  out.flush();
}

}  // namespace varve::http
