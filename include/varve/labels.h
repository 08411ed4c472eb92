// SPDX-License-Identifier: Apache-2.0
// Labels: the identity of a series, a set of name/value pairs sorted by name.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace varve {

inline constexpr std::string_view kMetricName = "__name__";

// One label, borrowed from the Labels (or buffer) it was read from.
struct LabelView {
  std::string_view name;
  std::string_view value;
  friend bool operator==(const LabelView&, const LabelView&) = default;
};

// An immutable label set in one buffer: for each label, in byte order of the names, the LEB128
// length of the name, the name, the LEB128 length of the value, the value. Invariants: names are
// unique, values are not empty (an empty value means an absent label). Equal sets have equal bytes,
// so bytes() is what is hashed, interned and logged. A value type; copies cost one allocation.
class Labels {
 public:
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = LabelView;
    using difference_type = std::ptrdiff_t;
    using pointer = const LabelView*;
    using reference = const LabelView&;

    Iterator() = default;
    explicit Iterator(const char* at, const char* end) : at_(at), end_(end) { read(); }
    const LabelView& operator*() const { return current_; }
    const LabelView* operator->() const { return &current_; }
    Iterator& operator++() {
      at_ = next_;
      read();
      return *this;
    }
    Iterator operator++(int) {
      Iterator old = *this;
      ++*this;
      return old;
    }
    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    void read();
    const char* at_ = nullptr;
    const char* next_ = nullptr;
    const char* end_ = nullptr;
    LabelView current_;
  };

  Labels() = default;
  // Sorts; drops labels with an empty value; of two labels with one name the later wins.
  Labels(std::initializer_list<LabelView> labels);
  explicit Labels(std::span<const LabelView> labels);

  // Adopts bytes that already have the form above (from bytes(), or checked by valid_bytes()).
  static Labels from_bytes(std::string bytes);
  // Whether bytes, of unknown origin, keep every invariant of this class.
  static bool valid_bytes(std::string_view bytes);

  Iterator begin() const { return Iterator(bytes_.data(), bytes_.data() + bytes_.size()); }
  Iterator end() const {
    return Iterator(bytes_.data() + bytes_.size(), bytes_.data() + bytes_.size());
  }
  std::size_t size() const;
  bool empty() const { return bytes_.empty(); }

  // The value of a label, or "" if it is absent. The view lives as long as this object.
  std::string_view get(std::string_view name) const;
  bool has(std::string_view name) const { return !get(name).empty(); }

  std::string_view bytes() const { return bytes_; }
  // XXH3-64 of bytes(), unseeded; for hash tables in memory, not for disk.
  std::uint64_t hash() const;

  // As PromQL prints it: `name{a="b"}`.
  std::string to_string() const;

  friend bool operator==(const Labels&, const Labels&) = default;
  // Prometheus's order: pairwise by name, then value, byte-wise; the shorter set first on a tie.
  std::strong_ordering operator<=>(const Labels& other) const;

 private:
  std::string bytes_;
};

// Makes a label set by changes to another one. Reusable: reset() keeps the buffers.
class LabelsBuilder {
 public:
  LabelsBuilder() = default;
  explicit LabelsBuilder(const Labels& base) { reset(base); }

  void reset() { labels_.clear(); }
  void reset(const Labels& base);
  // An empty value removes the label.
  LabelsBuilder& set(std::string_view name, std::string_view value);
  LabelsBuilder& remove(std::string_view name);
  // The current value, "" if absent; valid until the next change.
  std::string_view get(std::string_view name) const;
  std::span<const std::pair<std::string, std::string>> current() const { return labels_; }
  Labels build() const;

 private:
  std::vector<std::pair<std::string, std::string>> labels_;  // sorted by name, unique
};

}  // namespace varve

template <>
struct std::hash<varve::Labels> {
  std::size_t operator()(const varve::Labels& labels) const noexcept {
    return static_cast<std::size_t>(labels.hash());
  }
};
