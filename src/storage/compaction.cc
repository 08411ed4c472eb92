// SPDX-License-Identifier: Apache-2.0
#include "storage/compaction.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <thread>
#include <utility>

#include "base/thread_pool.h"
#include "base/try.h"
#include "storage/compaction_plan.h"

namespace varve::storage {

std::vector<std::string> damaged_of(const std::vector<std::shared_ptr<block::Block>>& blocks) {
  std::vector<std::string> damaged;
  for (const auto& block : blocks) {
    if (block->verify([](const Error&) {}) > 0) damaged.push_back(block->meta().ulid);
  }
  return damaged;
}

Compaction::Compaction(const Engine& engine)
    : engine_(engine),
      compactions_(engine.metrics.counter("prometheus_tsdb_compactions_total",
                                          "Total number of compactions that were executed for the "
                                          "partition.")),
      failed_(engine.metrics.counter("prometheus_tsdb_compactions_failed_total",
                                     "Total number of compactions that failed for the partition.")),
      triggered_(
          engine.metrics.counter("prometheus_tsdb_compactions_triggered_total",
                                 "Total number of triggered compactions for the partition.")) {}

Timestamp settled_ms(const Engine& engine, std::int64_t wait_max_ms) {
  const std::optional<HeadCut>& cut = engine.blocks.cut();
  if (!cut) return TimeRange::all().min_ms;
  const std::int64_t late_ms = std::clamp<std::int64_t>(
      engine.limits.out_of_order_window_ms.load() - head::kChunkRangeMs / 2, 0, wait_max_ms);
  Timestamp settled = 0;
  return __builtin_sub_overflow(cut->time_ms, late_ms, &settled) ? TimeRange::all().min_ms
                                                                 : settled;
}

// A block goes when all of it is past the retention: with long ones, much that is past it would
// stay. The share is Prometheus's.
std::int64_t Compaction::longest_ms() const {
  constexpr std::int64_t kShare = 10;
  constexpr std::int64_t kDayMs = 24LL * 60 * 60 * 1000;
  const std::int64_t retention_ms = engine_.limits.retention_ms.load();
  return retention_ms > 0 ? std::max(kDayMs, retention_ms / kShare)
                          : std::numeric_limits<std::int64_t>::max();
}

Result<bool> Compaction::merge_next(bool force) {
  triggered_.add();
  const std::shared_ptr<const BlockSet> set = engine_.blocks.current();
  std::vector<block::BlockMeta> metas;
  for (const auto& block : set->blocks) {
    if (damaged_.count(block->meta().ulid) == 0) metas.push_back(block->meta());
  }
  std::vector<std::int64_t> windows_ms;
  for (const std::chrono::milliseconds window : engine_.options.block_windows) {
    if (window.count() <= longest_ms()) windows_ms.push_back(window.count());
  }
  waiting_ = {};
  std::vector<TimeRange> set_aside;
  for (;;) {
    const std::optional<CompactionPlan> plan =
        plan_compaction({metas, windows_ms, settled_ms(engine_), force, set_aside});
    if (!plan) {
      space_reported_ = !waiting_.ok();
      return false;
    }
    std::vector<std::shared_ptr<block::Block>> sources;
    std::uint64_t bytes = 0;
    for (const auto& block : set->blocks) {
      const std::string& ulid = block->meta().ulid;
      if (std::find(plan->sources.begin(), plan->sources.end(), ulid) == plan->sources.end()) {
        continue;
      }
      sources.push_back(block);
      bytes += block->meta().bytes;
    }
    // The result is not larger than its sources, and they stay until it is committed.
    const std::uint64_t needed = bytes + bytes / 10;
    VARVE_TRY_ASSIGN(const std::uint64_t free, engine_.files.free_bytes(engine_.directory.dense));
    if (free >= needed) return merge(*plan, std::move(sources), bytes);
    // A large merge that waits does not keep smaller ones waiting.
    set_aside.push_back({plan->window_begin_ms, plan->window_end_ms});
    if (waiting_.ok()) {
      waiting_ = Error(ErrorCode::kLimitExceeded,
                       fmt::format("compaction waits for space on the disk: {} bytes are needed, "
                                   "{} are free",
                                   needed, free));
    }
    if (!std::exchange(space_reported_, true)) {
      engine_.log.warn("storage: compaction waits for space on the disk",
                       {{"needed_bytes", needed}, {"free_bytes", free}});
    }
  }
}

Result<bool> Compaction::merge(const CompactionPlan& plan,
                               std::vector<std::shared_ptr<block::Block>> sources,
                               std::uint64_t bytes) {
  MergeRequest request;
  request.window_begin_ms = plan.window_begin_ms;
  request.window_end_ms = plan.window_end_ms;
  request.repack = plan.repack;
  const std::size_t count = sources.size();
  const auto started = engine_.clock.monotonic();
  Status status = replace(sources, std::move(request));
  if (!status.ok()) {
    if (status.error().code() == ErrorCode::kCanceled) return std::move(status).error();
    failed_.add();
    if (status.error().code() != ErrorCode::kCorruption) {
      return std::move(status).error().with("compaction");
    }
    // Queries still get what can be read of them, and say what cannot.
    engine_.log.error("storage: blocks cannot be merged and stay as they are",
                      {{"err", status.error().message()}});
    // Only what is damaged stays out of merges, for one bad page would keep a whole window apart.
    std::size_t found = 0;
    for (std::string& ulid : damaged_of(sources)) {
      found += damaged_.insert(std::move(ulid)).second ? 1 : 0;
    }
    if (found == 0) damaged_.insert(plan.sources.begin(), plan.sources.end());
    return true;
  }
  engine_.log.info(
      "storage: blocks merged",
      {{"blocks", count},
       {"begin_ms", plan.window_begin_ms},
       {"end_ms", plan.window_end_ms},
       {"bytes", bytes},
       {"duration_s",
        std::chrono::duration<double>(engine_.clock.monotonic() - started).count()}});
  return true;
}

Status Compaction::replace(std::vector<std::shared_ptr<block::Block>> sources,
                           MergeRequest request) {
  BlockChange change;
  for (const auto& source : sources) change.removed.push_back(source->meta().ulid);
  request.ulid = block::make_ulid(engine_.clock.now_ms());
  request.directory = engine_.blocks.creation_path(request.ulid);
  request.sources = std::move(sources);
  request.stop = &engine_.stop;
  const std::string directory = request.directory;
  // On a thread of its own: a low priority cannot be given back.
  Result<std::optional<block::BlockMeta>> merged = std::optional<block::BlockMeta>();
  std::thread([&] {
    base::name_this_thread("merge");
    base::make_this_thread_low_priority();
    merged = merge_blocks(engine_.files, std::move(request));
  }).join();
  if (!merged.ok()) {
    engine_.blocks.discard({directory, {}});
    return std::move(merged).error();
  }
  if (*merged) change.added.push_back({directory, std::move(**merged)});
  VARVE_TRY(engine_.blocks.commit(std::move(change)));
  compactions_.add();
  return {};
}

Status Compaction::clean_tombstones() {
  const std::shared_ptr<const BlockSet> set = engine_.blocks.current();
  for (const auto& block : set->blocks) {
    if (block->tombstones()->empty()) continue;
    MergeRequest request;
    request.window_begin_ms = block->meta().window_begin_ms;
    request.window_end_ms = block->meta().window_end_ms;
    VARVE_TRY(replace({block}, std::move(request)));
  }
  return {};
}

}  // namespace varve::storage
