// SPDX-License-Identifier: Apache-2.0
// Source of the format: google/snappy, format_description.txt. What an element is (a literal or one
// of two copies) and how long comes from a table by its tag: kinds and lengths alternate without
// any order, and to branch by them costs a misprediction each. So 64 bytes are copied whatever the
// length, from the input or from what has been written, and what does not fit that (long literals,
// copies that overlap themselves, the ends of the block) is done byte by byte elsewhere.
#include "wire/snappy_block.h"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace varve::wire {
namespace {

constexpr std::size_t kShortMax = 64;   // bytes of an element that the short way copies
constexpr std::uint8_t kNotShort = 255;  // a length that no offset of a literal or a copy passes

struct Element {
  std::uint8_t length = kNotShort;
  std::uint16_t offset = 0;       // the part of it that stands in the tag
  std::uint32_t offset_mask = 0;  // of what stands behind the tag
};

enum Kind : unsigned { kLiteral = 0, kCopy1 = 1, kCopy2 = 2, kCopy4 = 3 };

constexpr auto kElements = [] {
  std::array<Element, 256> elements{};
  for (unsigned tag = 0; tag < elements.size(); ++tag) {
    Element& element = elements[tag];
    const unsigned upper = tag >> 2;
    switch (tag & 3) {
      case kLiteral:
        if (upper >= 60) break;  // its length stands behind the tag
        element.length = static_cast<std::uint8_t>(upper + 1);
        element.offset = kShortMax;  // passes for a copy that does not overlap itself
        break;
      case kCopy1:
        element.length = static_cast<std::uint8_t>(4 + (upper & 7));
        element.offset = static_cast<std::uint16_t>(tag >> 5 << 8);
        element.offset_mask = 0xff;
        break;
      case kCopy2:
        element.length = static_cast<std::uint8_t>(upper + 1);
        element.offset_mask = 0xffff;
        break;
      default: break;  // more than 64 kB back: snappy writes none
    }
  }
  return elements;
}();

// 64 bytes in as few pieces as the registers of the machine allow; all are read before any is
// written. (Half of them first, and the rest if need be, would be a branch again.) No memcpy by way
// of an array: the compiler does go that way, over the stack.
template <typename Register>
struct [[gnu::packed, gnu::may_alias]] Piece {
  Register bytes;
};
struct Narrow {
  typedef long long Register __attribute__((vector_size(16)));
  [[gnu::always_inline]] static void copy_64(char* to, const char* from) {
    const auto* const in = reinterpret_cast<const Piece<Register>*>(from);
    auto* const out = reinterpret_cast<Piece<Register>*>(to);
    const Register a = in[0].bytes, b = in[1].bytes, c = in[2].bytes, d = in[3].bytes;
    out[0].bytes = a, out[1].bytes = b, out[2].bytes = c, out[3].bytes = d;
  }
};
struct Wide {
  typedef long long Register __attribute__((vector_size(32)));
  [[gnu::always_inline]] static void copy_64(char* to, const char* from) {
    const auto* const in = reinterpret_cast<const Piece<Register>*>(from);
    auto* const out = reinterpret_cast<Piece<Register>*>(to);
    const Register a = in[0].bytes, b = in[1].bytes;
    out[0].bytes = a, out[1].bytes = b;
  }
};

// The first if all bits of the mask are set, the second if none is.
[[gnu::always_inline]] inline const char* choose(std::size_t mask, const char* first,
                                                 const char* second) {
  return reinterpret_cast<const char*>((reinterpret_cast<std::uintptr_t>(first) & mask) |
                                       (reinterpret_cast<std::uintptr_t>(second) & ~mask));
}

struct Undoing {
  const char* in;
  const char* const in_end;
  char* const begin;
  char* out;
  char* const end;

  // The next element, whatever it is.
  bool element() {
    const auto tag = static_cast<unsigned char>(*in++);
    std::size_t length = std::size_t{tag} >> 2;
    if ((tag & 3) == kLiteral) {
      if (length >= 60) {
        const std::size_t bytes = length - 59;
        length = 0;
        if (!take(bytes, length)) return false;
      }
      ++length;
      if (length > left_in() || length > left_out()) return false;
      std::memcpy(out, in, length);
      in += length;
      out += length;
      return true;
    }
    std::size_t offset = 0;
    if ((tag & 3) == kCopy1) {
      if (!take(1, offset)) return false;
      offset |= std::size_t{tag} >> 5 << 8;
      length = 4 + (length & 7);
    } else {
      if (!take((tag & 3) == kCopy2 ? 2 : 4, offset)) return false;
      ++length;
    }
    if (offset == 0 || offset > static_cast<std::size_t>(out - begin) || length > left_out()) {
      return false;
    }
    // Of a copy that overlaps itself all is there by the time it is read.
    for (const char* from = out - offset; length > 0; --length) *out++ = *from++;
    return true;
  }

  std::size_t left_in() const { return static_cast<std::size_t>(in_end - in); }
  std::size_t left_out() const { return static_cast<std::size_t>(end - out); }

 private:
  // A little-endian number of 1 to 4 bytes.
  bool take(std::size_t bytes, std::size_t& number) {
    if (bytes > left_in()) return false;
    for (std::size_t i = 0; i < bytes; ++i) {
      number |= std::size_t{static_cast<unsigned char>(in[i])} << (8 * i);
    }
    in += bytes;
    return true;
  }
};

// Elements from at.in on, up to one that is not for the short way.
template <typename Registers>
[[gnu::always_inline]] inline void short_elements(Undoing& at) {
  // Places in registers: to the compiler, what is written could change them where they lie.
  const char* in = at.in + 1;  // behind the tag
  char* to = at.out;
  std::size_t tag = static_cast<unsigned char>(*at.in);
  while (at.in_end - in > static_cast<std::ptrdiff_t>(kShortMax) &&
         at.end - to >= static_cast<std::ptrdiff_t>(kShortMax)) {
    const Element element = kElements[tag];
    const std::size_t kind = tag & 3;
    // Both tags that can be next are read before it is known which of them it is: what the next
    // element waits for is one load, and not the table's as well.
    const char* const behind_literal = in + (tag >> 2) + 1;
    const char* const behind_copy = in + kind;
    const std::size_t tag_behind_literal = static_cast<unsigned char>(*behind_literal);
    const std::size_t tag_behind_copy = static_cast<unsigned char>(*behind_copy);
    // By a mask, as the compiler takes a condition here for one that can be foretold.
    const std::size_t literal = std::size_t{0} - static_cast<std::size_t>(kind == kLiteral);
    std::uint32_t number = 0;
    std::memcpy(&number, in, sizeof number);
    const std::size_t offset = element.offset + (number & element.offset_mask);
    // Also if the offset is 0, or the element not short.
    if (offset > static_cast<std::size_t>(to - at.begin) || offset < element.length) [[unlikely]] {
      break;
    }
    Registers::copy_64(to, choose(literal, in, to - offset));
    to += element.length;
    in = choose(literal, behind_literal, behind_copy) + 1;
    tag = (tag_behind_literal & literal) | (tag_behind_copy & ~literal);
  }
  at.in = in - 1;
  at.out = to;
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] void short_elements_wide(Undoing& at) { short_elements<Wide>(at); }
bool has_wide_registers() { return __builtin_cpu_supports("avx2") != 0; }
#else
void short_elements_wide(Undoing& at) { short_elements<Narrow>(at); }
bool has_wide_registers() { return false; }
#endif

}  // namespace

bool snappy_undo(std::string_view elements, char* out, std::size_t size) {
  static const bool wide = has_wide_registers();
  Undoing at{elements.data(), elements.data() + elements.size(), out, out, out + size};
  while (at.in != at.in_end) {
    if (wide) {
      short_elements_wide(at);
    } else {
      short_elements<Narrow>(at);
    }
    if (!at.element()) return false;
  }
  return at.out == at.end;
}

}  // namespace varve::wire
