// SPDX-License-Identifier: Apache-2.0
#include "storage/retention.h"

#include <algorithm>
#include <utility>

#include "base/try.h"

namespace varve::storage {

std::vector<std::string> expired_blocks(std::span<const KeptBlock> blocks,
                                        Timestamp oldest_kept_ms) {
  std::vector<std::string> expired;
  for (const KeptBlock& block : blocks) {
    if (block.meta.range.max_ms < oldest_kept_ms) expired.push_back(block.meta.ulid);
  }
  return expired;
}

std::vector<std::string> excess_blocks(std::span<const KeptBlock> blocks, std::uint64_t other_bytes,
                                       std::uint64_t bytes_max) {
  std::vector<std::string> excess;
  if (bytes_max == 0) return excess;
  std::uint64_t total = other_bytes;
  std::vector<const KeptBlock*> oldest_first;
  for (const KeptBlock& block : blocks) {
    total += block.bytes;
    oldest_first.push_back(&block);
  }
  std::sort(oldest_first.begin(), oldest_first.end(), [](const KeptBlock* a, const KeptBlock* b) {
    return std::pair(a->meta.range.max_ms, a->meta.ulid) <
           std::pair(b->meta.range.max_ms, b->meta.ulid);
  });
  for (const KeptBlock* block : oldest_first) {
    if (total <= bytes_max) break;
    total -= block->bytes;
    excess.push_back(block->meta.ulid);
  }
  return excess;
}

Timestamp oldest_kept_ms(const Limits& limits, const base::Clock& clock, const head::Head& head,
                         const BlockStore& blocks) {
  const std::int64_t retention_ms = limits.retention_ms.load(std::memory_order_relaxed);
  if (retention_ms <= 0) return TimeRange::all().min_ms;
  Timestamp newest = head.max_time_ms();
  if (newest == TimeRange::all().min_ms) {
    for (const auto& block : blocks.current()->blocks) {
      newest = std::max(newest, block->meta().range.max_ms);
    }
  }
  if (newest == TimeRange::all().min_ms) return newest;
  Timestamp oldest = 0;
  const bool overflow =
      __builtin_sub_overflow(std::min(newest, clock.now_ms()), retention_ms, &oldest);
  return overflow ? TimeRange::all().min_ms : oldest;
}

Retention::Retention(const Engine& engine)
    : engine_(engine),
      time_retentions_(engine.metrics.counter(
          "prometheus_tsdb_time_retentions_total",
          "The number of times that blocks were deleted because the maximum time limit was "
          "exceeded.")),
      size_retentions_(engine.metrics.counter(
          "prometheus_tsdb_size_retentions_total",
          "The number of times that blocks were deleted because the maximum number of bytes was "
          "exceeded.")) {}

Result<std::uint64_t> Retention::other_bytes() const {
  VARVE_TRY_ASSIGN(const std::uint64_t snapshots,
                   files_bytes(engine_.files, engine_.directory.snap));
  return engine_.wal.size_bytes() + engine_.head.spill().size_bytes() + snapshots;
}

Status Retention::run() {
  const Timestamp oldest_ms =
      oldest_kept_ms(engine_.limits, engine_.clock, engine_.head, engine_.blocks);
  if (oldest_ms != TimeRange::all().min_ms) engine_.head.expire(oldest_ms);

  std::vector<KeptBlock> blocks;
  const std::shared_ptr<const BlockSet> set = engine_.blocks.current();
  for (const auto& block : set->blocks) {
    blocks.push_back({block->meta(), engine_.blocks.bytes_of(*block)});
  }
  BlockChange change;
  change.removed = expired_blocks(blocks, oldest_ms);
  std::erase_if(blocks, [&change](const KeptBlock& block) {
    return std::find(change.removed.begin(), change.removed.end(), block.meta.ulid) !=
           change.removed.end();
  });
  for (const block::BlockMeta& meta : set->unreadable) {
    // Its folder stays, for people; the database stops asking for it.
    if (meta.range.max_ms < oldest_ms) change.removed.push_back(meta.ulid);
  }
  if (!change.removed.empty()) time_retentions_.add();
  VARVE_TRY_ASSIGN(const std::uint64_t other, other_bytes());
  const std::vector<std::string> excess =
      excess_blocks(blocks, other, engine_.limits.retention_bytes.load(std::memory_order_relaxed));
  if (!excess.empty()) size_retentions_.add();
  change.removed.insert(change.removed.end(), excess.begin(), excess.end());
  if (change.removed.empty()) return {};
  for (const std::string& ulid : change.removed) {
    engine_.log.info("storage: block past its retention", {{"block", ulid}});
  }
  VARVE_TRY(engine_.blocks.commit(std::move(change)));
  // Unlike what goes by its age, this could not be foreseen by who keeps results.
  for (const KeptBlock& block : blocks) {
    if (std::find(excess.begin(), excess.end(), block.meta.ulid) != excess.end()) {
      engine_.stamps.bump(block.meta.range);
    }
  }
  return {};
}

}  // namespace varve::storage
