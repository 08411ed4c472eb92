// SPDX-License-Identifier: Apache-2.0
#include "storage/retention.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/try.h"
#include "storage/bucket_fold.h"

namespace varve::storage {

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

Timestamp newest_ms(const base::Clock& clock, const head::Head& head, const BlockStore& blocks) {
  Timestamp newest = head.max_time_ms();
  if (newest == TimeRange::all().min_ms) {
    const std::shared_ptr<const BlockSet> set = blocks.current();
    for (const auto* all : {&set->blocks, &set->levels}) {
      for (const auto& block : *all) newest = std::max(newest, block->meta().range.max_ms);
    }
  }
  return newest == TimeRange::all().min_ms ? newest : std::min(newest, clock.now_ms());
}

bool holds_block(const Keeping& keeping, const LadderState& ladder, const Hold& hold,
                 const block::BlockMeta& meta) {
  const TimeRange held = keeping.held(hold);
  TimeRange own = meta.range;
  if (meta.resolution_ms == 0) return held.overlaps(own);
  if (__builtin_sub_overflow(own.min_ms, meta.resolution_ms - 1, &own.min_ms)) {
    own.min_ms = TimeRange::all().min_ms;
  }
  for (const HeldSince& since : ladder.holds) {
    if (since.id != hold.id) continue;
    // Where samples were there they are held, and more.
    return !common(common({held}, {own}), since.gone.of_any(0)).empty();
  }
  return false;
}

bool is_held(const Keeping& keeping, const LadderState& ladder, const block::Block& block) {
  for (const Hold& hold : keeping.holds()) {
    if (!holds_block(keeping, ladder, hold, block.meta())) continue;
    for (const std::vector<model::Matcher>& selector : hold.selectors) {
      const auto ordinals = block.select(selector);
      // What cannot be read may be held.
      if (!ordinals.ok() || !ordinals->empty()) return true;
    }
  }
  return false;
}

Timestamp spared_ms(const Keeping& keeping, const BlockSet& set, std::int64_t resolution_ms,
                    Timestamp expired_ms) {
  const std::vector<LevelOptions>& levels = keeping.ladder().levels;
  const auto next = std::find_if(levels.begin(), levels.end(), [&](const LevelOptions& level) {
    return level.resolution.count() > resolution_ms;
  });
  const LevelState* own = set.ladder.find(resolution_ms);
  const Timestamp gone_ms = own != nullptr ? own->gone_ms : set.ladder.raw_gone_ms;
  for (const block::BlockMeta& meta : set.unreadable) {
    if (next == levels.end() || meta.resolution_ms != next->resolution.count()) continue;
    // Of what is gone already nothing can be made.
    if (meta.window_end_ms > gone_ms) expired_ms = std::min(expired_ms, meta.window_begin_ms);
  }
  return expired_ms;
}

Timestamp oldest_late_ms(const Keeping& keeping, const LadderState& ladder, const head::Head& head,
                         Timestamp until_ms) {
  if (keeping.ladder().levels.empty()) return TimeRange::all().max_ms;
  return head.oldest_late_ms(ladder.raw_gone_ms, until_ms);
}

Timestamp spared_for_late_ms(const Keeping& keeping, Timestamp oldest_late_ms,
                             Timestamp expired_ms) {
  if (oldest_late_ms > expired_ms) return expired_ms;
  return bucket_floor(oldest_late_ms - 1, keeping.ladder().levels.back().resolution.count());
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

// The seams of queries move when something is past its retention; results that were computed before
// may differ from those computed now.
void Retention::note_seams(const Keeping& keeping, const LadderState& ladder, Timestamp newest_ms) {
  std::vector<SeriesPlan> plans;
  const std::int64_t raw_ms = engine_.limits.retention_ms.load(std::memory_order_relaxed);
  for (std::size_t c = 0; c < keeping.class_count() && !ladder.levels.empty(); ++c) {
    plans.push_back(make_plan(keeping.plan_input(c, {}, ladder, newest_ms, raw_ms, kSourceAuto)));
  }
  const bool alike = plans.size() == plans_.size();
  for (std::size_t c = 0; c < plans.size(); ++c) {
    const auto& now = plans[c].spans;
    if (alike && now.size() == plans_[c].spans.size()) {
      for (std::size_t i = 0; i < now.size(); ++i) {
        const Timestamp before = plans_[c].spans[i].ends.max_ms;
        const Timestamp after = now[i].ends.max_ms;
        if (before != after)
          engine_.stamps.bump({std::min(before, after), std::max(before, after)});
      }
    } else if (noted_) {
      engine_.stamps.bump(TimeRange::all());
    }
  }
  plans_ = std::move(plans);
  noted_ = true;
}

bool Retention::is_jump(const BlockSet& set, Timestamp newest_ms) {
  constexpr std::int64_t kJumpMs = 30LL * 24 * 60 * 60 * 1000;
  Timestamp before = TimeRange::all().min_ms;
  for (const auto& block : set.blocks) before = std::max(before, block->meta().range.max_ms);
  if (before == TimeRange::all().min_ms || horizon(newest_ms, kJumpMs) <= before) {
    jumped_at_.reset();
    return false;
  }
  const std::chrono::nanoseconds now = engine_.clock.monotonic();
  if (!jumped_at_) {
    jumped_at_ = now;
    engine_.log.warn(
        "storage: samples are a month and more newer than all in blocks; in case a clock "
        "has jumped, nothing goes by its age for an hour",
        {{"newest_ms", newest_ms}, {"newest_in_blocks_ms", before}});
  }
  return now - *jumped_at_ < std::chrono::hours(1);
}

Status Retention::run() {
  const std::shared_ptr<const Keeping> keeping = engine_.keeping.get();
  const std::shared_ptr<const BlockSet> set = engine_.blocks.current();
  const Timestamp newest = newest_ms(engine_.clock, engine_.head, engine_.blocks);
  const std::int64_t raw_ms = engine_.limits.retention_ms.load(std::memory_order_relaxed);
  note_seams(*keeping, set->ladder, newest);
  waits_ = is_jump(*set, newest);
  if (waits_) return {};

  LadderState ladder = set->ladder;
  const auto for_all = [&](const auto& expired_of) {
    Timestamp expired = TimeRange::all().max_ms;
    for (std::size_t c = 0; c < keeping->class_count(); ++c) {
      expired = std::min(expired, expired_of(c));
    }
    return expired;
  };
  Timestamp raw_expired_ms = spared_ms(*keeping, *set, 0, for_all([&](std::size_t c) {
    return keeping->raw_expired_ms(c, set->ladder, newest, raw_ms);
  }));
  raw_expired_ms = spared_for_late_ms(
      *keeping, oldest_late_ms(*keeping, set->ladder, engine_.head, raw_expired_ms),
      raw_expired_ms);
  // Held samples of the head are in blocks before they are that old, but for those that came late.
  const bool any_raw = raw_expired_ms != TimeRange::all().min_ms;
  if (any_raw && keeping->holds().empty()) engine_.head.expire(raw_expired_ms + 1);

  BlockChange change;
  std::vector<KeptBlock> raw;
  for (const auto& block : set->blocks) {
    const block::BlockMeta& meta = block->meta();
    if (any_raw && meta.range.max_ms <= raw_expired_ms && !is_held(*keeping, ladder, *block)) {
      change.removed.push_back(meta.ulid);
      ladder.note_gone(0, meta.range.max_ms);
    } else {
      raw.push_back({meta, engine_.blocks.bytes_of(*block)});
    }
  }
  std::vector<KeptBlock> levels;
  for (const auto& block : set->levels) {
    const block::BlockMeta& meta = block->meta();
    LevelState* level = ladder.find(meta.resolution_ms);
    // What nothing is known of is not old.
    Timestamp expired = TimeRange::all().min_ms;
    if (level != nullptr) {
      expired = for_all([&](std::size_t c) {
        return keeping->level_expired_ms(c, set->ladder, *level, newest, raw_ms);
      });
      expired = spared_ms(*keeping, *set, meta.resolution_ms, expired);
    }
    if (expired != TimeRange::all().min_ms && meta.range.max_ms <= expired &&
        !is_held(*keeping, ladder, *block)) {
      change.removed.push_back(meta.ulid);
      level->gone_ms = std::max(level->gone_ms, meta.range.max_ms);
    } else {
      levels.push_back({meta, engine_.blocks.bytes_of(*block)});
    }
  }
  for (const block::BlockMeta& meta : set->unreadable) {
    // Its folder stays, for people; the database stops asking for it.
    const LevelState* level = set->ladder.find(meta.resolution_ms);
    Timestamp expired = raw_expired_ms;
    if (meta.resolution_ms != 0) {
      expired = level == nullptr ? TimeRange::all().min_ms : for_all([&](std::size_t c) {
        return keeping->level_expired_ms(c, set->ladder, *level, newest, raw_ms);
      });
    }
    // Nobody can say of which series it has something.
    const bool held = std::any_of(
        keeping->holds().begin(), keeping->holds().end(),
        [&](const Hold& hold) { return holds_block(*keeping, ladder, hold, meta); });
    if (expired == TimeRange::all().min_ms || meta.range.max_ms > expired || held) continue;
    change.removed.push_back(meta.ulid);
    ladder.note_gone(meta.resolution_ms, meta.range.max_ms);
  }
  if (!change.removed.empty()) time_retentions_.add();

  VARVE_TRY_ASSIGN(const std::uint64_t other, other_bytes());
  const std::uint64_t bytes_max = engine_.limits.retention_bytes.load(std::memory_order_relaxed);
  const std::vector<std::string> excess = too_much(*keeping, *set, raw, levels, other, bytes_max);
  if (!excess.empty()) size_retentions_.add();
  std::vector<TimeRange> surprises;
  for (const auto* blocks : {&raw, &levels}) {
    for (const KeptBlock& block : *blocks) {
      if (std::find(excess.begin(), excess.end(), block.meta.ulid) == excess.end()) continue;
      surprises.push_back(block.meta.range);
      ladder.note_gone(block.meta.resolution_ms, block.meta.range.max_ms);
    }
  }
  change.removed.insert(change.removed.end(), excess.begin(), excess.end());
  if (change.removed.empty()) return {};
  for (const std::string& ulid : change.removed) {
    engine_.log.info("storage: block past its retention", {{"block", ulid}});
  }
  // Without levels nobody asks what may be gone.
  if (!keeping->ladder().levels.empty() || !ladder.levels.empty())
    change.ladder = std::move(ladder);
  VARVE_TRY(engine_.blocks.commit(std::move(change)));
  // Unlike what goes by its age, this could not be foreseen by who keeps results.
  for (const TimeRange& range : surprises) engine_.stamps.bump(range);
  return {};
}

// Levels may take half; of the rest samples go, oldest first. So a bound that was fine for samples
// alone leaves a long history too, and a long history never takes all of it.
std::vector<std::string> Retention::too_much(const Keeping& keeping, const BlockSet& set,
                                             const std::vector<KeptBlock>& raw,
                                             const std::vector<KeptBlock>& levels,
                                             std::uint64_t other, std::uint64_t bytes_max) {
  std::vector<std::string> excess;
  if (bytes_max == 0) return excess;
  const auto sum = [](const std::vector<KeptBlock>& blocks) {
    std::uint64_t bytes = 0;
    for (const KeptBlock& block : blocks) bytes += block.bytes;
    return bytes;
  };
  std::uint64_t of_levels = sum(levels);
  if (other + sum(raw) + of_levels <= bytes_max) return excess;
  // The finest level goes first: the coarser ones have its time too.
  std::vector<std::int64_t> resolutions;
  for (const KeptBlock& block : levels) resolutions.push_back(block.meta.resolution_ms);
  std::sort(resolutions.begin(), resolutions.end());
  resolutions.erase(std::unique(resolutions.begin(), resolutions.end()), resolutions.end());
  for (const std::int64_t resolution_ms : resolutions) {
    std::vector<KeptBlock> own;
    for (const KeptBlock& block : levels) {
      if (block.meta.resolution_ms == resolution_ms) own.push_back(block);
    }
    const std::uint64_t bytes = sum(own);
    for (std::string& ulid : excess_blocks(own, of_levels - bytes, bytes_max / 2)) {
      for (const KeptBlock& block : own) {
        if (block.meta.ulid == ulid) of_levels -= block.bytes;
      }
      excess.push_back(std::move(ulid));
    }
  }
  std::vector<KeptBlock> free;
  std::uint64_t held = 0;
  for (const KeptBlock& block : raw) {
    const auto found = std::find_if(set.blocks.begin(), set.blocks.end(), [&](const auto& open) {
      return open->meta().ulid == block.meta.ulid;
    });
    if (found != set.blocks.end() && is_held(keeping, set.ladder, **found)) {
      held += block.bytes;
    } else {
      free.push_back(block);
    }
  }
  std::vector<std::string> samples = excess_blocks(free, other + of_levels + held, bytes_max);
  const bool kept = other + of_levels + held <= bytes_max;
  if (!kept && held > 0 && !std::exchange(held_reported_, true)) {
    engine_.log.warn("storage: the bound of retention by size cannot be kept, as samples are held",
                     {{"held_bytes", held}, {"bytes_max", bytes_max}});
  }
  if (kept) held_reported_ = false;
  excess.insert(excess.end(), std::make_move_iterator(samples.begin()),
                std::make_move_iterator(samples.end()));
  return excess;
}

}  // namespace varve::storage
