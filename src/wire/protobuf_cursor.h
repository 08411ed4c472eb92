// SPDX-License-Identifier: Apache-2.0
// The walk over protobuf bytes that ingest pays for with every sample, by hand; what is rarer uses
// protozero's reader. Broken bytes throw protozero's exceptions: call it where those are caught.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <protozero/exception.hpp>
#include <protozero/varint.hpp>
#include <string_view>

namespace varve::wire {

// A tag as it stands before a field.
constexpr std::uint64_t varint_tag(std::uint64_t field) { return field << 3; }
constexpr std::uint64_t fixed64_tag(std::uint64_t field) { return field << 3 | 1; }
constexpr std::uint64_t bytes_tag(std::uint64_t field) { return field << 3 | 2; }

// A bounded place in a message.
struct ProtobufCursor {
  const char* at;
  const char* end;

  explicit ProtobufCursor(std::string_view message)
      : at(message.data()), end(at + message.size()) {}
  bool done() const { return at == end; }
  // A copy of the place is what a call gets the address of, so that the place itself can stay in a
  // register.
  std::uint64_t varint() {
    if (at != end && static_cast<signed char>(*at) >= 0) return static_cast<unsigned char>(*at++);
    // Times take six bytes: all at once instead of one after the other.
    if (end - at >= 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, at, sizeof word);
      const std::uint64_t ends = ~word & 0x8080808080808080;
      if (ends != 0) {
        const auto last = static_cast<unsigned>(std::countr_zero(ends));  // its top bit
        at += last / 8 + 1;
        word &= ~std::uint64_t{0} >> (63 - last);
        word = (word & 0x007f007f007f007f) | (word & 0x7f007f007f007f00) >> 1;
        word = (word & 0x00003fff00003fff) | (word & 0x3fff00003fff0000) >> 2;
        return (word & 0x000000000fffffff) | (word & 0x0fffffff00000000) >> 4;
      }
    }
    const char* place = at;
    const std::uint64_t value = protozero::decode_varint(&place, end);
    at = place;
    return value;
  }
  std::string_view bytes() { return take(varint()); }
  // Passes over fields with this one-byte tag whose lengths take one byte, as many as stand here.
  void skip_short_fields(char tag) {
    while (end - at >= 2 && at[0] == tag) {
      const auto length = static_cast<signed char>(at[1]);
      if (length < 0 || end - at - 2 < length) return;
      at += 2 + length;
    }
  }
  std::string_view take(std::uint64_t length) {
    if (length > static_cast<std::uint64_t>(end - at)) throw_end();
    const std::string_view view(at, static_cast<std::size_t>(length));
    at += length;
    return view;
  }
  // Passes over the value of a field that nobody wants.
  void skip(std::uint64_t tag) {
    if (tag >> 3 == 0 || tag >> 32 != 0) throw_tag();
    switch (tag & 7) {
      case 0: varint(); break;
      case 1: take(8); break;
      case 2: bytes(); break;
      case 5: take(4); break;
      default: throw_type();
    }
  }
  // Out of line, so that the compiler keeps the hot loops small.
  [[gnu::cold, noreturn]] static void throw_end();
  [[gnu::cold, noreturn]] static void throw_tag();
  [[gnu::cold, noreturn]] static void throw_type();
};

}  // namespace varve::wire
