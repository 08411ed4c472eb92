// SPDX-License-Identifier: Apache-2.0
#include "storage/idle_series.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/try.h"
#include "storage/head_blocks.h"

namespace varve::storage {

index::Ids find_idle_series(const head::Head& head, Timestamp before_ms) {
  const std::shared_ptr<const index::HeadIndex> index = head.index();
  index::Ids ids = index->all(index->bound());
  const TimeRange since{before_ms, TimeRange::all().max_ms};
  std::size_t kept = 0;
  std::unique_lock<std::mutex> lock;
  unsigned locked = head::kShards;
  for (const SeriesId id : ids) {
    // Neighbours share a shard, sixteen of them: writers wait little.
    if (head::shard_of(id) != locked) {
      locked = head::shard_of(id);
      if (lock.owns_lock()) lock.unlock();
      lock = std::unique_lock(head.shard_at(locked).mutex);
    }
    const head::HotSeries& series = head.series(id);
    if (!series.is(head::HotSeries::kKnown)) continue;
    if (!head.shard_at(locked).may_have(series, id, since)) ids[kept++] = id;
  }
  ids.resize(kept);
  return ids;
}

Status IdleSeries::run(std::chrono::milliseconds idle_after, const std::atomic<bool>* stop) {
  retire();
  if (!leaving_.empty() || idle_after.count() <= 0) return {};
  const Timestamp newest = parts_.head.max_time_ms();
  if (newest == TimeRange::all().min_ms) return {};
  Timestamp before = 0;
  if (__builtin_sub_overflow(newest, Timestamp{idle_after.count()}, &before)) return {};
  const index::Ids idle = find_idle_series(parts_.head, before);
  const std::size_t all = parts_.head.index()->series_count();
  if (idle.empty() || (idle.size() < kEnough && idle.size() < (all + 9) / 10)) return {};
  VARVE_TRY(write(idle, stop));
  retire();
  return {};
}

Status IdleSeries::write(const index::Ids& idle, const std::atomic<bool>* stop) {
  const index::Ids ordered = parts_.head.index()->label_order(idle);
  HeadBlocksRequest request;
  request.ids = ordered;
  request.before_ms = TimeRange::all().max_ms;
  request.late = head::TakeLate::kAll;
  request.path = [this](std::string_view ulid) { return parts_.store.creation_path(ulid); };
  request.now_ms = parts_.clock.now_ms();
  request.stop = stop;
  VARVE_TRY_ASSIGN(HeadBlocks written,
                   write_head_blocks(parts_.files, parts_.head, request, parts_.log));
  const std::size_t blocks = written.blocks.size();
  BlockChange change;
  change.added = std::move(written.blocks);
  if (!change.added.empty()) VARVE_TRY(parts_.store.commit(std::move(change)));
  leaving_ = std::move(written.series);
  parts_.log.info("storage: idle series leave memory",
                  {{"series", leaving_.size()}, {"blocks", blocks}});
  return {};
}

void IdleSeries::retire() {
  if (leaving_.empty() || !parts_.store.sets().drained()) return;
  index::Ids dead;
  {
    const std::lock_guard lock(parts_.head.create_mutex);
    dead = parts_.write_path.retire(leaving_);
    std::sort(dead.begin(), dead.end());
    parts_.head.forget_series(dead);
  }
  leaving_.clear();
  parts_.head.give_back(dead);
  retired_.fetch_add(dead.size(), std::memory_order_relaxed);
}

}  // namespace varve::storage
