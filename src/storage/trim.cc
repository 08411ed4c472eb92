// SPDX-License-Identifier: Apache-2.0
#include "storage/trim.h"

#include <algorithm>
#include <numeric>
#include <thread>
#include <utility>

#include "base/thread_pool.h"
#include "base/try.h"
#include "storage/block_merge.h"
#include "storage/retention.h"

namespace varve::storage {

Trim::Trim(const Engine& engine, Rollup& rollup)
    : engine_(engine),
      rollup_(rollup),
      rewritten_(engine.metrics.counter(
          "varve_retention_rewrites_total",
          "Blocks written anew without series past the retention of their policy.")),
      rewritten_bytes_(engine.metrics.counter(
          "varve_retention_rewritten_bytes_total",
          "Bytes that these blocks had before they were written anew.")) {}

Result<bool> Trim::next() {
  const std::shared_ptr<const Keeping> keeping = engine_.keeping.get();
  if (keeping->class_count() == 1 && keeping->holds().empty()) return false;
  if (looked_with_ != keeping) looked_.clear();
  looked_with_ = keeping;
  const std::shared_ptr<const BlockSet> set = engine_.blocks.current();
  const auto is_gone = [&](const std::string& ulid) {
    const auto is_it = [&](const auto& block) { return block->meta().ulid == ulid; };
    return std::none_of(set->blocks.begin(), set->blocks.end(), is_it) &&
           std::none_of(set->levels.begin(), set->levels.end(), is_it);
  };
  std::erase_if(looked_, [&](const auto& one) { return is_gone(one.first); });
  std::erase_if(damaged_, is_gone);
  const Timestamp newest = newest_ms(engine_.clock, engine_.head, engine_.blocks);
  const std::int64_t raw_ms = engine_.limits.retention_ms.load(std::memory_order_relaxed);
  std::vector<Timestamp> expired(keeping->class_count());
  for (std::size_t c = 0; c < expired.size(); ++c) {
    expired[c] =
        spared_ms(*keeping, *set, 0, keeping->raw_expired_ms(c, set->ladder, newest, raw_ms));
  }
  const Timestamp late_ms = oldest_late_ms(*keeping, set->ladder, engine_.head,
                                           *std::max_element(expired.begin(), expired.end()));
  for (Timestamp& time_ms : expired) time_ms = spared_for_late_ms(*keeping, late_ms, time_ms);
  for (const auto& block : set->blocks) {
    VARVE_TRY_ASSIGN(const bool trimmed, try_trim(keeping, block, expired));
    if (trimmed) return true;
  }
  for (const auto& block : set->levels) {
    const LevelState* level = set->ladder.find(block->meta().resolution_ms);
    if (level == nullptr) continue;
    for (std::size_t c = 0; c < expired.size(); ++c) {
      expired[c] = spared_ms(*keeping, *set, level->resolution_ms,
                             keeping->level_expired_ms(c, set->ladder, *level, newest, raw_ms));
    }
    VARVE_TRY_ASSIGN(const bool trimmed, try_trim(keeping, block, expired));
    if (trimmed) return true;
  }
  return false;
}

Result<bool> Trim::try_trim(const std::shared_ptr<const Keeping>& keeping,
                            const std::shared_ptr<block::Block>& block,
                            const std::vector<Timestamp>& expired) {
  const std::string& ulid = block->meta().ulid;
  if (damaged_.count(ulid) > 0) return false;
  Result<bool> trimmed = trim(keeping, block, expired);
  if (trimmed.ok() || trimmed.error().code() != ErrorCode::kCorruption) return trimmed;
  // Queries do not show what is past its retention in it.
  engine_.log.error("storage: a block cannot be written anew and stays as it is",
                    {{"block", ulid}, {"err", trimmed.error().message()}});
  damaged_.insert(ulid);
  return false;
}

Result<bool> Trim::trim(const std::shared_ptr<const Keeping>& keeping,
                        const std::shared_ptr<block::Block>& block,
                        const std::vector<Timestamp>& expired) {
  const block::BlockMeta& meta = block->meta();
  Looked past(expired.size());
  for (std::size_t c = 0; c < expired.size(); ++c) {
    past[c] = expired[c] != TimeRange::all().min_ms && expired[c] >= meta.range.max_ms;
  }
  const bool any = std::find(past.begin(), past.end(), true) != past.end();
  if (!any) return false;
  if (const auto known = looked_.find(meta.ulid); known != looked_.end() && known->second == past) {
    return false;
  }
  const bool raw = meta.resolution_ms == 0;
  LadderState ladder = engine_.blocks.ladder();
  std::vector<const Hold*> holds;
  for (const Hold& hold : keeping->holds()) {
    if (holds_block(*keeping, ladder, hold, meta)) holds.push_back(&hold);
  }
  const auto leaves = [keeping, past, holds](const Labels& labels) {
    if (!past[keeping->class_of(labels)]) return false;
    return std::none_of(holds.begin(), holds.end(), [&](const Hold* hold) {
      return std::any_of(hold->selectors.begin(), hold->selectors.end(),
                         [&](const auto& selector) { return matches(selector, labels); });
    });
  };
  bool found = false;
  constexpr std::uint32_t kBatch = 1024;
  block::Ordinals ordinals;
  for (std::uint32_t begin = 0; begin < block->series_count() && !found; begin += kBatch) {
    ordinals.resize(std::min<std::size_t>(kBatch, block->series_count() - begin));
    std::iota(ordinals.begin(), ordinals.end(), begin);
    VARVE_TRY_ASSIGN(const std::vector<Labels> labels, block->labels(block::OrdinalSpan(ordinals)));
    found = std::any_of(labels.begin(), labels.end(), leaves);
  }
  if (!found) {
    looked_[meta.ulid] = std::move(past);
    return false;
  }
  if (!note_gone(*keeping, past, meta, ladder)) {
    if (!std::exchange(full_reported_, true)) {
      engine_.log.warn(
          "storage: series stay longer than their retention policies say, as these have "
          "been changed too often: it is not known any more of whom what has gone");
    }
    return false;
  }
  engine_.log.info("storage: block written anew without series past their retention",
                   {{"block", meta.ulid}});
  if (raw) {
    VARVE_TRY(rewrite(block, leaves, std::move(ladder)));
  } else {
    VARVE_TRY(rollup_.leave_out(block, leaves, std::move(ladder)));
  }
  rewritten_.add();
  rewritten_bytes_.add(static_cast<double>(meta.bytes));
  return true;
}

bool Trim::note_gone(const Keeping& keeping, const std::vector<bool>& past,
                     const block::BlockMeta& meta, LadderState& ladder) {
  if (std::find(past.begin(), past.end(), false) == past.end()) {
    ladder.note_gone(meta.resolution_ms, meta.range.max_ms);
    return true;
  }
  Gone gone = ladder.gone();
  // Without levels there is nothing else to look at, and only the newest policies are remembered,
  // for a ladder that may come.
  const bool no_levels = keeping.ladder().levels.empty() && ladder.levels.empty();
  if (no_levels && keeping.holds().empty()) {
    std::erase_if(gone.of, [&](const GoneOf& one) { return *one.policies != keeping.policies(); });
  }
  for (std::size_t c = 0; c < past.size(); ++c) {
    const TimeRange until{TimeRange::all().min_ms, meta.range.max_ms};
    if (past[c] && !gone.note(meta.resolution_ms, keeping.policies(), c, until)) return false;
  }
  ladder.gone_of = std::move(gone.of);
  return true;
}

Status Trim::rewrite(std::shared_ptr<block::Block> block,
                     std::function<bool(const Labels&)> leaves, LadderState ladder) {
  BlockChange change;
  change.removed.push_back(block->meta().ulid);
  if (ladder != engine_.blocks.ladder()) change.ladder = std::move(ladder);
  MergeRequest request;
  request.ulid = block::make_ulid(engine_.clock.now_ms());
  request.directory = engine_.blocks.creation_path(request.ulid);
  request.window_begin_ms = block->meta().window_begin_ms;
  request.window_end_ms = block->meta().window_end_ms;
  request.leave_out = std::move(leaves);
  request.sources.push_back(std::move(block));
  request.stop = &engine_.stop;
  const std::string directory = request.directory;
  Result<std::optional<block::BlockMeta>> merged = std::optional<block::BlockMeta>();
  std::thread([&] {
    base::name_this_thread("trim");
    base::make_this_thread_low_priority();
    merged = merge_blocks(engine_.files, std::move(request));
  }).join();
  if (!merged.ok()) {
    engine_.blocks.discard({directory, {}});
    return std::move(merged).error().with("trimming a block");
  }
  if (*merged) change.added.push_back({directory, std::move(**merged)});
  return engine_.blocks.commit(std::move(change));
}

}  // namespace varve::storage
