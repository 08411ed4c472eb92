// SPDX-License-Identifier: Apache-2.0
// Sorted, unique strings, front-coded in groups of 16, of which the first is stored whole: a string
// is found by binary search over those. Ids count from 1; 0 means "none". See FORMAT.md,
// "Dictionary".
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "storage/block/packed.h"
#include "storage/block/paged_file.h"
#include "varve/result.h"

namespace varve::storage::block {

// Not thread-safe.
class DictionaryWriter {
 public:
  // Precondition: above the one before.
  void push(std::string_view value);
  // Gives what was pushed, and appends where its groups start; then it is empty again.
  void finish(std::string& strings, std::string& starts);

 private:
  std::string strings_;
  PackedWriter starts_;
  std::string last_;
  std::size_t count_ = 0;
};

// A view of a dictionary in a file; a value.
class Dictionary {
 public:
  Dictionary() = default;
  Dictionary(Extent strings, Extent starts, std::uint32_t count)
      : strings_(strings),
        starts_(starts, (count + kDictionaryGroup - 1) / kDictionaryGroup),
        count_(count) {}

  std::uint32_t size() const { return count_; }
  // 0 if it is not there.
  Result<std::uint32_t> find(std::string_view value) const;
  // The smallest id whose string is not below `value`; size() + 1 if there is none.
  Result<std::uint32_t> lower_bound(std::string_view value) const;
  // Appends the string. Precondition: 1 <= id <= size().
  Status append(std::uint32_t id, std::string& out) const;
  // The strings of ids [first, last), in order; views live until the next one. False from `see`
  // ends it.
  using See = std::function<bool(std::uint32_t id, std::string_view value)>;
  Status visit(std::uint32_t first, std::uint32_t last, const See& see) const;
  // The strings of ascending, unique ids.
  Status visit(std::span<const std::uint32_t> ids, const See& see) const;

 private:
  class Cursor;
  Extent strings_;
  PackedArray starts_;
  std::uint32_t count_ = 0;
};

}  // namespace varve::storage::block
