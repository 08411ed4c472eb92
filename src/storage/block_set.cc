// SPDX-License-Identifier: Apache-2.0
#include "storage/block_set.h"

#include <utility>

namespace varve::storage {

Stretches BlockSet::lost_samples(Stretches given_up) const {
  for (const block::BlockMeta& meta : unreadable) {
    if (meta.resolution_ms == 0 && !meta.out_of_order) add_stretch(given_up, meta.range);
  }
  if (given_up.empty()) return given_up;
  Stretches there;
  for (const auto& block : blocks) {
    if (!block->meta().out_of_order) add_stretch(there, block->meta().range);
  }
  return without(given_up, there);
}

std::shared_ptr<const BlockSet> BlockSets::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

void BlockSets::publish(BlockSet next) {
  const std::lock_guard lock(mutex_);
  next.version = current_->version + 1;
  std::erase_if(older_, [](const auto& version) { return version.expired(); });
  older_.push_back(current_);
  current_ = std::make_shared<const BlockSet>(std::move(next));
}

bool BlockSets::drained() const {
  const std::lock_guard lock(mutex_);
  for (const auto& version : older_) {
    if (!version.expired()) return false;
  }
  return true;
}

}  // namespace varve::storage
