// SPDX-License-Identifier: Apache-2.0
// Gathers the labels of series as they come, in bounded memory, and writes what an index says about
// them: dictionaries, columns, postings, and the sets of names ("shapes"). See FORMAT.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/block/interner.h"
#include "storage/block/layout.h"
#include "storage/block/paged_file.h"
#include "varve/labels.h"
#include "varve/result.h"

namespace varve::storage::block {

// A number per series, in the order of series, most of them like the one before: compressed as it
// grows. Numbers that nobody gave are 0.
class IdLog {
 public:
  // Ordinals ascend.
  void put(std::uint32_t ordinal, std::uint32_t id) {
    if (ordinal > size_) pad(ordinal);
    push(id);
  }
  // Pads to `count`, and gives them all back. Once.
  std::vector<std::uint32_t> take(std::uint32_t count);

 private:
  void push(std::uint32_t id) {
    ++size_;
    if (staged_ == 0 && id == tail_id_ && tail_count_ > 0) {
      ++tail_count_;
      return;
    }
    push_slow(id);
  }
  void push_slow(std::uint32_t id);
  void pad(std::uint32_t count);
  void close_tail();

  std::string bytes_;  // closed pieces: runs and packed groups
  std::uint32_t size_ = 0;
  std::uint32_t tail_id_ = 0;  // the open run at the end, if tail_count_ > 0
  std::uint32_t tail_count_ = 0;
  std::unique_ptr<std::int64_t[]> group_;  // the open group; there is one or an open run
  std::uint32_t staged_ = 0;
};

// Not thread-safe.
class LabelTable {
 public:
  // Of the series with this ordinal: each one more than the one before, from 0 on.
  void add(std::uint32_t ordinal, const Labels& labels);
  // Appends the parts and sections to the file and says in `layout` where they are. Once.
  Status finish(std::uint32_t series, PagedWriter& file, Layout& layout);

 private:
  struct Column {
    std::string name;
    Interner values;
    std::uint32_t last_id = 0;  // 0: none yet; else 1 + the id in values
    std::string_view last_value;
    std::uint32_t series = 0;
    IdLog ids;
  };
  std::uint32_t column_of(std::string_view name, std::size_t position);
  Status write_column(Column& column, std::uint32_t series, PagedWriter& file,
                      std::string& records);
  Status write_shapes(std::span<const std::uint32_t> ranks, std::uint32_t series, PagedWriter& file,
                      Layout& layout);

  Interner names_;  // ids are those of columns_
  std::vector<std::unique_ptr<Column>> columns_;
  Interner shapes_;  // column numbers, as bytes
  IdLog shape_of_series_;
  std::vector<std::uint32_t> shape_;  // of the newest series
  std::vector<std::uint32_t> next_shape_;
  std::uint32_t shape_id_ = 0;
};

}  // namespace varve::storage::block
