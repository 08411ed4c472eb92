// SPDX-License-Identifier: Apache-2.0
#include "wire/symbol_table.h"

#include <fmt/format.h>
// Most symbols are so short that a call would cost as much as their hash.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <string>

#include "wire/protobuf_cursor.h"

namespace varve::wire {
namespace {

__extension__ using Product = unsigned __int128;

constexpr std::size_t kSecretBytes = 192;
constexpr std::size_t kRefsShownMax = 64;
constexpr std::uint64_t kTypeMix = 0xa0761d6478bd642f;
// More than a label may have; whoever adds up to more is refused anyway.
constexpr std::size_t kPairBytesMax = 0xffffffff;

// Drawn once: keys are compared with those of earlier requests of all threads.
const std::array<std::uint8_t, kSecretBytes>& secret() {
  static const auto drawn = [] {
    std::array<std::uint8_t, kSecretBytes> bytes{};
    std::random_device device;
    for (std::size_t i = 0; i < kSecretBytes; i += sizeof(unsigned)) {
      const unsigned word = device();
      std::memcpy(bytes.data() + i, &word, sizeof(word));
    }
    return bytes;
  }();
  return drawn;
}

std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  const Product product = Product{a} * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

// The next reference. Nearly all take one byte or two.
inline std::uint64_t next_ref(ProtobufCursor& cursor) {
  if (cursor.end - cursor.at >= 2) [[likely]] {
    const auto first = static_cast<unsigned char>(cursor.at[0]);
    const auto second = static_cast<unsigned char>(cursor.at[1]);
    if (first >= 0x80 && second < 0x80) {
      cursor.at += 2;
      return (first & 0x7fU) | static_cast<std::uint64_t>(second) << 7;
    }
  }
  return cursor.varint();
}

}  // namespace

void SymbolTable::add(std::string_view text) {
  if (name_ref_ == kNone && text == kMetricName) {
    name_ref_ = static_cast<std::uint32_t>(symbols_.size());
  }
  const XXH128_hash_t hash =
      XXH3_128bits_withSecret(text.data(), text.size(), secret().data(), kSecretBytes);
  Symbol& symbol = symbols_.emplace_back();
  symbol.low = hash.low64;
  symbol.high = hash.high64;
  symbol.text = text;
}

// A sum over the labels, of products of the hashes of their two strings: to somebody who does not
// know the hashes each product is a random number, and the names and values of two labels cannot be
// exchanged for each other, as name and value are mixed with different constants.
std::optional<SymbolTable::Read> SymbolTable::read(std::string_view refs) {
  constexpr std::uint64_t kNameMix = 0x9e3779b97f4a7c15, kValueMix = 0xd6e8feb86659fd93;
  Symbol* const symbols = symbols_.data();
  const std::uint64_t count = symbols_.size();
  const std::uint64_t metric_name = name_ref_;
  std::uint64_t low = 0, high = 0, metric = kNone;
  std::size_t text_bytes = 0;
  for (ProtobufCursor cursor(refs); !cursor.done();) {
    const std::uint64_t name_ref = next_ref(cursor);
    if (cursor.done()) return std::nullopt;
    const std::uint64_t value_ref = next_ref(cursor);
    if (name_ref >= count || value_ref >= count) return std::nullopt;
    Symbol& value = symbols[value_ref];
    if (value.pair_name != name_ref) {
      const Symbol& name = symbols[name_ref];
      value.pair_low = fold(name.low ^ kNameMix, value.high ^ kValueMix);
      value.pair_high = fold(name.high ^ kNameMix, value.low ^ kValueMix);
      value.pair_name = static_cast<std::uint32_t>(name_ref);
      value.pair_bytes = static_cast<std::uint32_t>(
          std::min<std::size_t>(name.text.size() + value.text.size(), kPairBytesMax));
    }
    low += value.pair_low;
    high += value.pair_high;
    text_bytes += value.pair_bytes;
    if (name_ref == metric_name) metric = value_ref;
  }
  return Read{{low, high}, static_cast<std::uint32_t>(metric), text_bytes};
}

SymbolKey SymbolTable::with_type_and_unit(SymbolKey key, std::int32_t type,
                                          std::uint32_t unit_ref) const {
  const Symbol& unit = symbols_[unit_ref];
  const std::uint64_t type_mix = (static_cast<std::uint64_t>(type) + 1) * kTypeMix;
  key.low += fold(unit.low ^ kTypeMix, unit.high ^ type_mix);
  key.high += fold(unit.high ^ kTypeMix, unit.low ^ type_mix);
  return key;
}

Status SymbolTable::labels(std::string_view refs, std::vector<LabelView>& out) const {
  std::size_t count = 0;
  for (ProtobufCursor cursor(refs); !cursor.done(); ++count) cursor.varint();
  if (count % 2 != 0) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("invalid labelRefs length {}", count));
  }
  for (ProtobufCursor cursor(refs); !cursor.done();) {
    const std::uint64_t name = cursor.varint();
    const std::uint64_t value = cursor.varint();
    if (!has(name) || !has(value)) {
      return Error(
          ErrorCode::kInvalidArgument,
          fmt::format("labelRefs {} (name) = {} (value) outside of symbols table (size {})", name,
                      value, symbols_.size()));
    }
    out.push_back({symbols_[name].text, symbols_[value].text});
  }
  return {};
}

std::string describe_refs(std::string_view refs) {
  std::string text = "[";
  std::size_t count = 0;
  for (ProtobufCursor cursor(refs); !cursor.done(); ++count) {
    if (count == kRefsShownMax) return text + " …]";
    if (count > 0) text += ' ';
    text += std::to_string(cursor.varint());
  }
  return text + ']';
}

}  // namespace varve::wire
