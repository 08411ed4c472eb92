// SPDX-License-Identifier: Apache-2.0
// Arrays of numbers in groups of 128, each in the integer codec that makes it smallest; and columns
// of ids over ordinals, which are such an array or the runs of equal ids, whichever is smaller. See
// FORMAT.md, "Packed array" and "Id column".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "storage/block/format.h"
#include "storage/block/paged_file.h"
#include "varve/result.h"

namespace varve::storage::block {

// Values below 2^63, in any order; ascending and repeating ones become small.
class PackedWriter {
 public:
  // Numbers are read a group at a time: those asked for one by one stand in smaller ones.
  explicit PackedWriter(std::size_t group_size = kGroupSize) : full_(group_size) {}

  void push(std::uint64_t value) {
    group_[group_size_++] = static_cast<std::int64_t>(value);
    if (group_size_ == full_) close_group();
  }
  // Appends the array to `out`, and is empty again. At most 4 GiB.
  void finish(std::string& out);
  void reset();

 private:
  void close_group();
  const std::size_t full_;
  std::array<std::int64_t, kGroupSize> group_;
  std::size_t group_size_ = 0;
  std::string blocks_;
  std::vector<std::uint32_t> starts_;  // of the groups but the first
};

// One group of an array, decoded.
struct PackedGroup {
  std::array<std::int64_t, kGroupSize> values;
  std::size_t size = 0;
};

// A view of an array in a file; a value.
class PackedArray {
 public:
  PackedArray() = default;
  // `extent` is all of the array.
  PackedArray(Extent extent, std::uint64_t count, std::size_t group_size = kGroupSize)
      : extent_(extent), count_(count), group_size_(group_size) {}

  std::uint64_t size() const { return count_; }
  std::uint64_t groups() const { return (count_ + group_size_ - 1) / group_size_; }
  // Precondition: group < groups().
  Status group(std::uint64_t group, PackedGroup& out) const;
  // Precondition: i < size().
  Result<std::uint64_t> get(std::uint64_t i) const;
  // The values i and i + 1, as the bounds of a part of something that has `limit` bytes;
  // kCorruption if they descend or pass the limit. Precondition: i + 1 < size().
  struct Bounds {
    std::uint64_t begin = 0, end = 0;
  };
  Result<Bounds> bounds(std::uint64_t i, std::uint64_t limit) const;
  const Extent& extent() const { return extent_; }

 private:
  Extent extent_;
  std::uint64_t count_ = 0;
  std::size_t group_size_ = kGroupSize;
};

// Appends the column of these ids.
void write_id_column(std::span<const std::uint32_t> ids, std::string& out);

// A view of a column of ids; a value. Ids above `id_max` are kCorruption.
class IdColumn {
 public:
  IdColumn() = default;
  static Result<IdColumn> open(Extent extent, std::uint32_t count, std::uint32_t id_max);

  // Of one ordinal, below the count.
  Result<std::uint32_t> get(std::uint32_t ordinal) const;
  // Of ascending ordinals below the count.
  Status gather(std::span<const std::uint32_t> ordinals, std::span<std::uint32_t> out) const;
  // All, as runs [begin, end) of an id, which cover all ordinals in order.
  using VisitRun = std::function<void(std::uint32_t begin, std::uint32_t end, std::uint32_t id)>;
  Status visit(const VisitRun& run) const;

 private:
  class Runs;
  std::uint32_t count_ = 0;
  std::uint32_t id_max_ = 0;
  IdColumnKind kind_ = IdColumnKind::kPacked;
  PackedArray values_;  // of the ordinals, or of the runs
  PackedArray starts_;  // of the runs
};

}  // namespace varve::storage::block
