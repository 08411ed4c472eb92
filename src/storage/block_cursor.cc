// SPDX-License-Identifier: Apache-2.0
#include "storage/block_cursor.h"

#include <algorithm>

#include "base/try.h"

namespace varve::storage {

Status BlockCursor::advance() {
  ++ordinal_;
  labels_.reset();
  if (done() || ordinal_ % kForgetEvery == 0) forget_passed();
  return !done() && ordinal_ == batch_begin_ + hashes_.size() ? load() : Status();
}

void BlockCursor::forget_passed() {
  if (passed_ == nullptr) return;
  if (passed_->forget(forgotten_, ordinal_, done() ? 0 : kForgetBytes)) forgotten_ = ordinal_;
}

Result<const Labels*> BlockCursor::labels() {
  if (!labels_) {
    VARVE_TRY_ASSIGN(labels_, block_->labels(ordinal_));
  }
  return &*labels_;
}

Status BlockCursor::load() {
  batch_begin_ = ordinal_;
  const std::size_t count = std::min(kBatch, block_->series_count() - ordinal_);
  ordinals_.resize(count);
  hashes_.resize(count);
  for (std::size_t i = 0; i < count; ++i) ordinals_[i] = static_cast<std::uint32_t>(ordinal_ + i);
  return block_->hashes(ordinals_, hashes_);
}

Result<BlockCursor*> smallest_series(std::vector<BlockCursor>& cursors) {
  BlockCursor* best = nullptr;
  for (BlockCursor& cursor : cursors) {
    if (cursor.done()) continue;
    if (best == nullptr) {
      best = &cursor;
      continue;
    }
    if (cursor.hash() == best->hash()) continue;
    VARVE_TRY_ASSIGN(const Labels* ours, cursor.labels());
    VARVE_TRY_ASSIGN(const Labels* theirs, best->labels());
    if (*ours < *theirs) best = &cursor;
  }
  return best;
}

}  // namespace varve::storage
