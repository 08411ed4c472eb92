// SPDX-License-Identifier: Apache-2.0
// Walks several blocks at once, series by series in the order of their labels, in memory that does
// not grow with them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "storage/block/block.h"
#include "storage/block/passed.h"
#include "varve/result.h"

namespace varve::storage {

// One block and where the walk stands in it. Not thread-safe.
class BlockCursor {
 public:
  explicit BlockCursor(std::shared_ptr<block::Block> block)
      : block_(std::move(block)),
        passed_(dynamic_cast<const block::Passed*>(block_.get())),
        tombstones_(block_->tombstones()) {}

  Status start() { return load(); }
  bool done() const { return ordinal_ == block_->series_count(); }
  Status advance();
  // Nothing more is wanted of the block.
  void stop() { ordinal_ = static_cast<std::uint32_t>(block_->series_count()); }

  // Of the series at hand. Precondition: !done(). Labels are read once.
  std::uint32_t ordinal() const { return ordinal_; }
  const index::SeriesHash& hash() const { return hashes_[ordinal_ - batch_begin_]; }
  Result<const Labels*> labels();

  const std::shared_ptr<block::Block>& block() const { return block_; }
  const block::Tombstones& tombstones() const { return *tombstones_; }

 private:
  static constexpr std::size_t kBatch = 1024;
  static constexpr std::uint32_t kForgetEvery = 16;
  static constexpr std::uint64_t kForgetBytes = 2 << 20;

  Status load();
  // A walk through a block would else have all of it in memory in the end.
  void forget_passed();

  std::shared_ptr<block::Block> block_;
  const block::Passed* passed_;  // the block; null if there is nothing to forget
  std::shared_ptr<const block::Tombstones> tombstones_;
  std::uint32_t ordinal_ = 0;
  std::uint32_t batch_begin_ = 0;
  std::uint32_t forgotten_ = 0;  // the series before this one
  block::Ordinals ordinals_;
  std::vector<index::SeriesHash> hashes_;
  std::optional<Labels> labels_;
};

// The cursor whose labels are smallest, null if all are done. Labels are compared only where hashes
// differ.
Result<BlockCursor*> smallest_series(std::vector<BlockCursor>& cursors);

}  // namespace varve::storage
