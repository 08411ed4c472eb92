// SPDX-License-Identifier: Apache-2.0
// The strings of one remote write 2 request, which its series name by number. Each is hashed once
// when it is added; the key of a series is made of the hashes of its labels' strings, so that the
// same labels have the same key in every request, wherever their strings stand in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "varve/labels.h"
#include "varve/result.h"

namespace varve::wire {

// 128 bits that stand for a set of labels as long as the process lives. The hash of each string is
// keyed with a secret of the process, so nobody can make labels that collide.
struct SymbolKey {
  std::uint64_t low = 0, high = 0;

  std::string_view bytes() const {
    return {reinterpret_cast<const char*>(this), sizeof(SymbolKey)};
  }
};

// For one thread. The texts are borrowed.
class SymbolTable {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  void clear() {
    symbols_.clear();
    name_ref_ = kNone;
  }
  void add(std::string_view text);
  std::size_t size() const { return symbols_.size(); }
  std::size_t memory_bytes() const { return symbols_.capacity() * kSymbolBytes; }
  bool has(std::uint64_t ref) const { return ref < symbols_.size(); }
  // Precondition of both: has(ref).
  std::string_view text(std::uint32_t ref) const { return symbols_[ref].text; }
  std::uint64_t hash(std::uint32_t ref) const { return symbols_[ref].low; }
  // Memory that a symbol takes beside its text.
  static constexpr std::size_t kSymbolBytes = 64;

  // What a walk over the references of a series' labels yields.
  struct Read {
    SymbolKey key;                     // whatever the order of the labels
    std::uint32_t metric_ref = kNone;  // the value of __name__
    std::size_t text_bytes = 0;        // of names and values together
  };
  // `refs` is the packed field: varints, name and value in turn. nullopt: an odd number, or one
  // that no symbol has; labels() says which. Broken varints throw as ProtobufCursor does.
  std::optional<Read> read(std::string_view refs);
  // The key of the labels that `key` stands for with a type and a unit beside them.
  SymbolKey with_type_and_unit(SymbolKey key, std::int32_t type, std::uint32_t unit_ref) const;
  // Appends the labels. kInvalidArgument in Prometheus's words.
  Status labels(std::string_view refs, std::vector<LabelView>& out) const;

 private:
  // Most labels of a request are in many of its series, so a value remembers what it and the name
  // before it came to.
  struct alignas(64) Symbol {
    std::uint64_t low = 0, high = 0;
    std::string_view text;
    std::uint64_t pair_low = 0, pair_high = 0;
    std::uint32_t pair_name = kNone;
    std::uint32_t pair_bytes = 0;
  };
  static_assert(sizeof(Symbol) == kSymbolBytes);

  std::vector<Symbol> symbols_;
  std::uint32_t name_ref_ = kNone;  // the first symbol that is "__name__"
};

// As Prometheus prints them: "[1 2 3]"; only the first of very many.
std::string describe_refs(std::string_view refs);

}  // namespace varve::wire
