// SPDX-License-Identifier: Apache-2.0
#include "http/deflate_code.h"

#include <algorithm>
#include <span>

#include "base/check.h"

namespace varve::http {
namespace {

constexpr std::size_t kSizeSymbols = 19;  // of the code that the codes' sizes are written in
constexpr unsigned kSizeBitsMax = 7;
constexpr std::array<std::uint8_t, kSizeSymbols> kSizeOrder{16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                            11, 4,  12, 3, 13, 2, 14, 1, 15};

// A code of one symbol would leave half of its space unused, which not all decoders like.
void use_two_at_least(std::span<std::uint32_t> counts) {
  auto used = std::count_if(counts.begin(), counts.end(), [](auto count) { return count != 0; });
  for (std::size_t symbol = 0; used < 2; ++symbol) {
    if (counts[symbol] != 0) continue;
    counts[symbol] = 1;
    ++used;
  }
}

// How many bits each of the `weights`, in ascending order, takes: Huffman's way with two queues,
// the leaves and the pairs made so far, whose weights ascend too. Replaces weights by depths.
void depths_of(std::span<std::uint64_t> weights) {
  const std::size_t count = weights.size();
  std::array<std::uint64_t, kLiteralSymbols> pairs;
  std::array<std::uint16_t, kLiteralSymbols> parent_of_leaf;
  std::array<std::uint16_t, kLiteralSymbols> parent_of_pair;
  std::size_t leaf = 0;
  std::size_t pair = 0;
  for (std::size_t made = 0; made + 1 < count; ++made) {
    std::uint64_t weight = 0;
    for (int child = 0; child < 2; ++child) {
      if (leaf < count && (pair == made || weights[leaf] <= pairs[pair])) {
        weight += weights[leaf];
        parent_of_leaf[leaf++] = static_cast<std::uint16_t>(made);
      } else {
        weight += pairs[pair];
        parent_of_pair[pair++] = static_cast<std::uint16_t>(made);
      }
    }
    pairs[made] = weight;
  }
  std::array<std::uint16_t, kLiteralSymbols> depth_of_pair;
  depth_of_pair[count - 2] = 0;
  for (std::size_t i = count - 2; i-- > 0;) {
    depth_of_pair[i] = static_cast<std::uint16_t>(depth_of_pair[parent_of_pair[i]] + 1);
  }
  for (std::size_t i = 0; i < count; ++i) weights[i] = depth_of_pair[parent_of_leaf[i]] + 1u;
}

// Codes of at most `bits_max` for the symbols used, of which there are two or more. What is deeper
// than that is put at that depth, which takes more space than there is; then one of them at a time
// becomes the brother of a leaf further up, which goes down for that, until all have room.
void make_codes(std::span<const std::uint32_t> counts, unsigned bits_max, std::span<Code> codes) {
  constexpr unsigned kSymbolBits = 9;
  std::array<std::uint64_t, kLiteralSymbols> order;
  std::size_t used = 0;
  for (std::size_t symbol = 0; symbol < counts.size(); ++symbol) {
    codes[symbol] = {};
    if (counts[symbol] != 0) order[used++] = std::uint64_t{counts[symbol]} << kSymbolBits | symbol;
  }
  VARVE_CHECK(used >= 2);
  std::sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(used));
  std::array<std::uint64_t, kLiteralSymbols> depths;
  for (std::size_t i = 0; i < used; ++i) depths[i] = order[i] >> kSymbolBits;
  depths_of({depths.data(), used});

  std::array<std::uint32_t, 16> of_size{};
  std::uint32_t space = 0;  // taken, of 1 << bits_max
  for (std::size_t i = 0; i < used; ++i) {
    const auto size = static_cast<unsigned>(std::min<std::uint64_t>(depths[i], bits_max));
    ++of_size[size];
    space += 1u << (bits_max - size);
  }
  while (space > 1u << bits_max) {
    unsigned size = bits_max - 1;
    while (of_size[size] == 0) --size;
    --of_size[size];
    of_size[size + 1] += 2;
    --of_size[bits_max];
    --space;
  }

  std::array<std::uint32_t, 16> next{};
  for (unsigned size = 1; size < bits_max; ++size) {
    next[size + 1] = (next[size] + of_size[size]) << 1;
  }
  std::size_t rarest = 0;
  for (unsigned size = bits_max; size > 0; --size) {
    for (std::uint32_t i = 0; i < of_size[size]; ++i) {
      constexpr std::uint64_t kSymbolMask = (1u << kSymbolBits) - 1;
      codes[order[rarest++] & kSymbolMask].size = static_cast<std::uint16_t>(size);
    }
  }
  for (Code& code : codes) {
    if (code.size == 0) continue;
    std::uint32_t bits = next[code.size]++;
    std::uint32_t reversed = 0;
    for (unsigned i = 0; i < code.size; ++i, bits >>= 1) reversed = reversed << 1 | (bits & 1);
    code.bits = static_cast<std::uint16_t>(reversed);
  }
}

// The sizes of the codes, runs of the same one together.
struct SizeStep {
  std::uint8_t symbol;
  std::uint8_t repeats;  // behind symbols 16 to 18: how many more than the least
};

constexpr std::size_t kSizesMax = kLiteralSymbols + kDistanceSymbols;

std::size_t size_steps(std::span<const std::uint8_t> sizes,
                       std::array<SizeStep, kSizesMax>& steps) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < sizes.size();) {
    const std::uint8_t size = sizes[i];
    std::size_t run = 1;
    while (i + run < sizes.size() && sizes[i + run] == size) ++run;
    i += run;
    if (size != 0) {
      steps[count++] = {size, 0};
      --run;
    }
    while (run >= 3) {
      const std::size_t part = std::min<std::size_t>(run, size != 0 ? 6 : 138);
      const bool many = size == 0 && part > 10;
      steps[count++] = {static_cast<std::uint8_t>(size != 0 ? 16
                                                  : many    ? 18
                                                            : 17),
                        static_cast<std::uint8_t>(part - (many ? 11 : 3))};
      run -= part;
    }
    for (; run > 0; --run) steps[count++] = {size, 0};
  }
  return count;
}

}  // namespace

void BitWriter::finish() {
  count_ = (count_ + 7) & ~7u;
  flush();
}

DeflateCode::DeflateCode(SymbolCounts counts) {
  counts.literals[kEndOfBlock] = 1;
  use_two_at_least(counts.literals);
  use_two_at_least(counts.distances);
  make_codes(counts.literals, kCodeBitsMax, literals_);
  make_codes(counts.distances, kCodeBitsMax, distances_);
}

void DeflateCode::write_head(bool last, BitWriter& out) const {
  std::size_t literals = kLiteralSymbols;
  while (literals_[literals - 1].size == 0) --literals;
  literals = std::max<std::size_t>(literals, 257);
  std::size_t distances = kDistanceSymbols;
  while (distances_[distances - 1].size == 0) --distances;
  std::array<std::uint8_t, kSizesMax> sizes;
  std::size_t count = 0;
  for (std::size_t i = 0; i < literals; ++i) {
    sizes[count++] = static_cast<std::uint8_t>(literals_[i].size);
  }
  for (std::size_t i = 0; i < distances; ++i) {
    sizes[count++] = static_cast<std::uint8_t>(distances_[i].size);
  }

  std::array<SizeStep, kSizesMax> steps;
  const std::size_t step_count = size_steps({sizes.data(), count}, steps);
  std::array<std::uint32_t, kSizeSymbols> step_counts{};
  for (std::size_t i = 0; i < step_count; ++i) ++step_counts[steps[i].symbol];
  use_two_at_least(step_counts);
  std::array<Code, kSizeSymbols> codes;
  make_codes(step_counts, kSizeBitsMax, codes);
  std::size_t written = kSizeSymbols;
  while (written > 4 && codes[kSizeOrder[written - 1]].size == 0) --written;

  out.put(last ? 1 : 0, 1);
  out.put(2, 2);  // with codes of its own
  out.put(literals - 257, 5);
  out.put(distances - 1, 5);
  out.put(written - 4, 4);
  out.flush();
  for (std::size_t i = 0; i < written; ++i) {
    out.put(codes[kSizeOrder[i]].size, 3);
    out.flush();
  }
  for (std::size_t i = 0; i < step_count; ++i) {
    const SizeStep& step = steps[i];
    out.put(codes[step.symbol]);
    if (step.symbol >= 16) out.put(step.repeats, step.symbol == 16 ? 2 : step.symbol == 17 ? 3 : 7);
    out.flush();
  }
}

}  // namespace varve::http
