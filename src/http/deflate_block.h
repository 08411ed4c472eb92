// SPDX-License-Identifier: Apache-2.0
// One block of DEFLATE from a text and what somebody found out about it: which bytes have been
// there before, which go as they are. Makes the prefix codes and writes the bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "http/deflate_code.h"

namespace varve::http {

inline constexpr std::size_t kMatchMin = 3;
inline constexpr std::size_t kDistanceMax = 32768;

// The characters that numbers are made of, and a few besides: those whose last four bits are all
// different.
inline constexpr unsigned char kNumericFirst = '+';
inline constexpr unsigned char kNumericLast = '9';

// What comes next of a text: `length` bytes (kMatchMin or more) that stand `distance` (1 to
// kDistanceMax) before, or none if both are 0; then `literals` bytes as they are.
struct Token {
  std::uint32_t length;
  std::uint32_t literals;
  std::uint16_t distance;
  bool numeric;  // all literals are from kNumericFirst to kNumericLast
};

class TokenList {
 public:
  void clear() { tokens_.clear(); }
  void add(std::size_t distance, std::size_t length, std::size_t literals, bool numeric) {
    if (literals == 0 && length == 0) return;
    // A match that goes on is one.
    if (length > 0 && open_distance() == distance) {
      tokens_.back().length += static_cast<std::uint32_t>(length);
      tokens_.back().literals = static_cast<std::uint32_t>(literals);
      tokens_.back().numeric = numeric;
      return;
    }
    tokens_.push_back({static_cast<std::uint32_t>(length), static_cast<std::uint32_t>(literals),
                       static_cast<std::uint16_t>(distance), numeric});
  }
  // How far the match is away that ends where the text goes on; 0 behind literals.
  std::size_t open_distance() const {
    return tokens_.empty() || tokens_.back().literals > 0 ? 0 : tokens_.back().distance;
  }
  const std::vector<Token>& tokens() const { return tokens_; }

 private:
  std::vector<Token> tokens_;
};

// The most bytes that write_block() takes for tokens of a text of `text_bytes`.
std::size_t block_bound(std::size_t text_bytes);
// `text` is where the first token's bytes begin; eight bytes behind the last one's may be read.
void write_block(const TokenList& list, const char* text, bool last, BitWriter& out);

}  // namespace varve::http
