// SPDX-License-Identifier: Apache-2.0
#include "storage/rollup.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/thread_pool.h"
#include "base/try.h"
#include "storage/compaction.h"
#include "storage/compaction_plan.h"
#include "storage/retention.h"

namespace varve::storage {
namespace {

constexpr Timestamp kMin = TimeRange::all().min_ms;
constexpr std::int64_t kHourMs = 60LL * 60 * 1000;
constexpr std::int64_t kDayMs = 24 * kHourMs;
// Buckets that a first block should have of a series: labels and postings are about forty bytes.
constexpr std::int64_t kBucketsMin = 24;

std::int64_t resolution_of(const Keeping& keeping, std::size_t level) {
  return keeping.ladder().levels[level].resolution.count();
}

// The time of samples that buckets cover.
TimeRange samples_of(TimeRange ends, std::int64_t resolution_ms) {
  return {ends.min_ms - resolution_ms + 1, ends.max_ms};
}

}  // namespace

std::int64_t level_window_ms(std::int64_t resolution_ms) {
  for (const std::int64_t window_ms : {2 * kHourMs, 8 * kHourMs, kDayMs}) {
    if (window_ms % resolution_ms == 0 && window_ms / resolution_ms >= kBucketsMin) return window_ms;
  }
  return (kDayMs + resolution_ms - 1) / resolution_ms * resolution_ms;
}

Rollup::Rollup(const Engine& engine)
    : engine_(engine),
      damages_(engine.log,
               engine.metrics.counter("varve_corrupt_chunks_total",
                                      "Closed chunks that failed their checksum or did not decode "
                                      "when they were read.")),
      written_(engine.metrics.counter("varve_level_blocks_written_total",
                                      "Blocks of levels written from samples or finer levels.")),
      repaired_(engine.metrics.counter("varve_level_repairs_total",
                                       "Stretches of levels made anew, as samples had changed.")),
      merged_(engine.metrics.counter("varve_level_merges_total", "Merges of blocks of levels.")),
      failed_(engine.metrics.counter("varve_level_failures_total",
                                     "Blocks of levels that could not be written.")) {}

Timestamp Rollup::newest_ms() const {
  return storage::newest_ms(engine_.clock, engine_.head, engine_.blocks);
}

Result<bool> Rollup::next() {
  const std::shared_ptr<const Keeping> keeping = engine_.keeping.get();
  VARVE_TRY_ASSIGN(const bool adopted, adopt(*keeping));
  if (adopted) return true;
  for (std::size_t level = 0; level < keeping->ladder().levels.size(); ++level) {
    if (engine_.blocks.ladder().find(resolution_of(*keeping, level)) == nullptr) continue;
    VARVE_TRY_ASSIGN(const bool repaired, repair(*keeping, level));
    if (repaired) return true;
    VARVE_TRY_ASSIGN(const bool extended, extend(*keeping, level));
    if (extended) return true;
  }
  for (const LevelState& level : engine_.blocks.ladder().levels) {
    VARVE_TRY_ASSIGN(const bool merged, merge(level.resolution_ms));
    if (merged) return true;
  }
  return false;
}

Result<bool> Rollup::adopt(const Keeping& keeping) {
  const std::shared_ptr<const BlockSet> set = engine_.blocks.current();
  LadderState ladder = engine_.blocks.ladder();
  // A level that the ladder lacks is forgotten once the last of it has gone.
  std::erase_if(ladder.levels, [&](const LevelState& level) {
    const auto is_of = [&](const block::BlockMeta& meta) {
      return meta.resolution_ms == level.resolution_ms;
    };
    return keeping.level(level.resolution_ms) == nullptr &&
           std::none_of(set->levels.begin(), set->levels.end(),
                        [&](const auto& block) { return is_of(block->meta()); }) &&
           std::none_of(set->unreadable.begin(), set->unreadable.end(), is_of);
  });
  for (const LevelOptions& level : keeping.ladder().levels) {
    const std::int64_t resolution_ms = level.resolution.count();
    if (LevelState* known = ladder.find(resolution_ms)) {
      known->retention_ms = level.retention.count();
      continue;
    }
    Timestamp oldest_ms = TimeRange::all().max_ms;
    for (const auto& block : set->blocks) {
      oldest_ms = std::min(oldest_ms, block->meta().range.min_ms);
    }
    for (const auto& block : set->levels) {
      const block::BlockMeta& meta = block->meta();
      if (meta.resolution_ms >= resolution_ms || keeping.level(meta.resolution_ms) == nullptr) {
        continue;
      }
      oldest_ms = std::min(oldest_ms, meta.range.min_ms - meta.resolution_ms + 1);
    }
    if (oldest_ms == TimeRange::all().max_ms) continue;  // nothing to make it of, so far
    LevelState fresh;
    fresh.resolution_ms = resolution_ms;
    fresh.retention_ms = level.retention.count();
    fresh.covered_ms = bucket_floor(oldest_ms - 1, level_window_ms(resolution_ms));
    // What may have gone from before samples were complete is not there. If nothing has gone, what
    // comes later of a time before all others can still be in a bucket.
    const LevelState* finer =
        &level == keeping.ladder().levels.data() ? nullptr
                                                 : ladder.find((&level - 1)->resolution.count());
    const bool complete =
        (finer != nullptr || ladder.raw_gone_ms == kMin) &&
        std::all_of(ladder.levels.begin(), ladder.levels.end(),
                    [](const LevelState& other) { return other.gone_ms == kMin; });
    fresh.gone_ms = complete ? kMin : fresh.covered_ms;
    ladder.levels.push_back(std::move(fresh));
  }
  std::sort(ladder.levels.begin(), ladder.levels.end(),
            [](const LevelState& a, const LevelState& b) {
              return a.resolution_ms < b.resolution_ms;
            });
  if (ladder == engine_.blocks.ladder()) return false;
  BlockChange change;
  change.ladder = std::move(ladder);
  VARVE_TRY(engine_.blocks.commit(std::move(change)));
  return true;
}

std::vector<std::shared_ptr<block::Block>> Rollup::sources(const Keeping& keeping,
                                                           std::size_t level,
                                                           TimeRange range) const {
  const std::shared_ptr<const BlockSet> set = engine_.blocks.current();
  const std::int64_t of_ms = level == 0 ? 0 : resolution_of(keeping, level - 1);
  std::vector<std::shared_ptr<block::Block>> found;
  for (const auto& block : level == 0 ? set->blocks : set->levels) {
    const block::BlockMeta& meta = block->meta();
    if (meta.resolution_ms == of_ms && meta.range.overlaps(range)) found.push_back(block);
  }
  return found;
}

LevelRequest Rollup::request(const Keeping& keeping, std::size_t level, TimeRange ends) const {
  const LevelOptions& options = keeping.ladder().levels[level];
  LevelRequest request;
  request.fold.resolution_ms = options.resolution.count();
  request.fold.sketch = options.sketch;
  request.fold.schema = sketch_schema(keeping.ladder().sketch_relative_error);
  request.source_resolution_ms = level == 0 ? 0 : resolution_of(keeping, level - 1);
  request.ends = ends;
  request.sources = sources(keeping, level, samples_of(ends, request.fold.resolution_ms));
  return request;
}

Status Rollup::replace(LevelRequest request, LadderState ladder) {
  BlockChange change;
  for (const auto& block : request.old) change.removed.push_back(block->meta().ulid);
  change.ladder = std::move(ladder);
  request.ulid = block::make_ulid(engine_.clock.now_ms());
  request.directory = engine_.blocks.creation_path(request.ulid);
  request.hash_fingerprint = engine_.blocks.hasher().fingerprint();
  request.stop = &engine_.stop;
  const std::string directory = request.directory;
  // On a thread of its own: a low priority cannot be given back.
  Result<std::optional<block::BlockMeta>> built = std::optional<block::BlockMeta>();
  std::thread([&] {
    base::name_this_thread("rollup");
    base::make_this_thread_low_priority();
    ReadContext context({memory_, damages_});
    built = build_level(engine_.files, std::move(request), context);
  }).join();
  if (!built.ok()) {
    engine_.blocks.discard({directory, {}});
    if (built.error().code() != ErrorCode::kCanceled) failed_.add();
    return std::move(built).error().with("writing a level");
  }
  if (*built) change.added.push_back({directory, std::move(**built)});
  return engine_.blocks.commit(std::move(change));
}

bool Rollup::leave_damaged(const Status& status,
                           const std::vector<std::shared_ptr<block::Block>>& blocks) {
  if (status.ok() || status.error().code() != ErrorCode::kCorruption || blocks.empty()) return false;
  // Queries still get what can be read of them, and say what cannot.
  engine_.log.error("storage: blocks of a level cannot be written anew and stay as they are",
                    {{"err", status.error().message()}});
  std::size_t found = 0;
  for (std::string& ulid : damaged_of(blocks)) found += damaged_.insert(std::move(ulid)).second ? 1 : 0;
  if (found == 0) {
    for (const auto& block : blocks) damaged_.insert(block->meta().ulid);
  }
  return true;
}

Result<bool> Rollup::extend(const Keeping& keeping, std::size_t level) {
  LadderState ladder = engine_.blocks.ladder();
  LevelState& own = *ladder.find(resolution_of(keeping, level));
  const std::int64_t resolution_ms = own.resolution_ms;
  const std::int64_t window_ms = level_window_ms(resolution_ms);
  Timestamp ready_ms = kMin;
  if (level == 0) {
    ready_ms = settled_ms(engine_);
    if (ready_ms != kMin) --ready_ms;
  } else if (const LevelState* finer = ladder.find(resolution_of(keeping, level - 1))) {
    ready_ms = finer->covered_ms;
    if (!finer->dirty.empty()) {
      ready_ms = std::min(ready_ms, finer->dirty.front().min_ms - finer->resolution_ms);
    }
  }
  if (ready_ms == kMin) return false;
  const std::int64_t after_ms = keeping.ladder().levels[level].after.count();
  if (after_ms > 0) ready_ms = std::min(ready_ms, horizon(engine_.clock.now_ms(), after_ms));
  ready_ms = bucket_floor(ready_ms, window_ms);
  if (ready_ms <= own.covered_ms) return false;

  // What waits is written a day at a time: a block, and what is decoded for it, has a bound.
  const std::int64_t step_ms = std::max(kDayMs, window_ms);
  const Timestamp begin_ms = own.covered_ms;
  const TimeRange wanted{begin_ms + 1, ready_ms};
  Timestamp first_ms = ready_ms;
  for (const auto& block : sources(keeping, level, wanted)) {
    first_ms = std::min(first_ms, std::max(block->meta().range.min_ms, wanted.min_ms));
  }
  const Timestamp skipped_ms = bucket_floor(first_ms - 1, window_ms);
  const Timestamp from_ms = std::max(begin_ms, skipped_ms);
  const Timestamp end_ms = std::min(ready_ms, bucket_floor(from_ms, step_ms) + step_ms);
  own.covered_ms = bucket_floor(end_ms, window_ms) > begin_ms ? bucket_floor(end_ms, window_ms) : ready_ms;

  LevelRequest request = this->request(keeping, level, {from_ms + resolution_ms, own.covered_ms});
  request.complete_after = [&keeping, resolution_ms](const Labels& labels) -> std::optional<Timestamp> {
    if (!keeping.makes_level(keeping.class_of(labels), resolution_ms)) return std::nullopt;
    return kMin;
  };
  if (keeping.class_count() == 1) request.complete_after = nullptr;
  request.window_begin_ms = from_ms;
  request.window_end_ms = own.covered_ms;
  const auto started = engine_.clock.monotonic();
  const TimeRange ends = request.ends;
  VARVE_TRY(replace(std::move(request), std::move(ladder)));
  written_.add();
  engine_.log.info(
      "storage: level written",
      {{"resolution_ms", resolution_ms},
       {"begin_ms", ends.min_ms - resolution_ms},
       {"end_ms", ends.max_ms},
       {"duration_s",
        std::chrono::duration<double>(engine_.clock.monotonic() - started).count()}});
  return true;
}

Result<bool> Rollup::repair(const Keeping& keeping, std::size_t level) {
  LadderState ladder = engine_.blocks.ladder();
  LevelState& own = *ladder.find(resolution_of(keeping, level));
  const std::int64_t resolution_ms = own.resolution_ms;
  const std::int64_t window_ms = level_window_ms(resolution_ms);
  const std::shared_ptr<const BlockSet> set = engine_.blocks.current();
  LevelState able = own;
  for (const auto& block : set->levels) {
    const block::BlockMeta& meta = block->meta();
    if (meta.resolution_ms != resolution_ms || damaged_.count(meta.ulid) == 0) continue;
    remove_dirty(able, {meta.window_begin_ms + resolution_ms, meta.window_end_ms});
  }
  if (able.dirty.empty()) return false;
  const TimeRange stretch = able.dirty.front();
  TimeRange ends = stretch;

  // Within one block of the level, or between two of them.
  std::shared_ptr<block::Block> old;
  Timestamp before_ms = kMin;
  Timestamp after_ms = TimeRange::all().max_ms;
  for (const auto& block : set->levels) {
    const block::BlockMeta& meta = block->meta();
    if (meta.resolution_ms != resolution_ms) continue;
    if (meta.window_end_ms < ends.min_ms) {
      before_ms = std::max(before_ms, meta.window_end_ms);
    } else if (meta.window_begin_ms >= ends.min_ms) {
      after_ms = std::min(after_ms, meta.window_begin_ms);
    } else {
      old = block;
    }
  }
  Timestamp begin_ms = 0;
  Timestamp end_ms = 0;
  if (old != nullptr) {
    begin_ms = old->meta().window_begin_ms;
    end_ms = old->meta().window_end_ms;
    ends.max_ms = std::min(ends.max_ms, end_ms);
  } else {
    const std::int64_t step_ms = std::max(kDayMs, window_ms);
    begin_ms = std::max(bucket_floor(ends.min_ms - 1, window_ms), before_ms);
    ends.max_ms = std::min({ends.max_ms, bucket_floor(ends.min_ms - 1, step_ms) + step_ms, after_ms});
    end_ms = std::min(bucket_end(ends.max_ms, window_ms), after_ms);
  }
  if (old == nullptr) {
    const TimeRange rest{ends.min_ms, std::min(stretch.max_ms, after_ms)};
    if (sources(keeping, level, samples_of(rest, resolution_ms)).empty()) {
      // Nothing was there, nothing is.
      remove_dirty(own, rest);
      BlockChange change;
      change.ladder = std::move(ladder);
      VARVE_TRY(engine_.blocks.commit(std::move(change)));
      return true;
    }
  }
  // What is not there any more cannot be counted again.
  const LevelState* finer = level == 0 ? nullptr : ladder.find(resolution_of(keeping, level - 1));
  Timestamp gone_ms = level == 0 ? ladder.raw_gone_ms : finer == nullptr ? own.covered_ms : finer->gone_ms;
  // Nor what cannot be read: of a bucket that is there, what it was made of is more than what is left.
  for (const block::BlockMeta& meta : set->unreadable) {
    if (meta.resolution_ms == (finer == nullptr ? 0 : finer->resolution_ms) &&
        meta.range.overlaps(samples_of(ends, resolution_ms))) {
      gone_ms = std::max(gone_ms, meta.range.max_ms);
    }
  }
  if (finer != nullptr && ends.max_ms > gone_ms) {
    // A finer level that came into the ladder later has yet to come by.
    ends.max_ms = std::min(ends.max_ms, bucket_floor(finer->covered_ms, resolution_ms));
    if (ends.empty()) return false;
  }
  const Timestamp newest = newest_ms();
  const std::int64_t raw_ms = engine_.limits.retention_ms.load();
  LadderState before = ladder;
  remove_dirty(own, ends);
  if (ends.max_ms <= gone_ms) {
    BlockChange change;
    change.ladder = std::move(ladder);
    VARVE_TRY(engine_.blocks.commit(std::move(change)));
    return true;
  }
  // Dirty buckets keep what they are made of; here it only matters what went before.
  for (LevelState& state : before.levels) state.dirty.clear();
  LevelRequest request = this->request(keeping, level, ends);
  if (old != nullptr) request.old.push_back(old);
  request.window_begin_ms = begin_ms;
  request.window_end_ms = end_ms;
  std::vector<std::optional<Timestamp>> complete;
  for (std::size_t c = 0; c < keeping.class_count(); ++c) {
    complete.emplace_back();
    if (!keeping.makes_level(c, resolution_ms)) continue;
    const Timestamp expired = level == 0 ? keeping.raw_expired_ms(c, before, newest, raw_ms)
                              : finer == nullptr
                                  ? own.covered_ms
                                  : keeping.level_expired_ms(c, before, *before.find(finer->resolution_ms), newest);
    // Series that are all kept alike go with whole blocks, of which it is known.
    complete.back() = keeping.class_count() == 1 ? gone_ms : std::max(expired, gone_ms);
  }
  request.complete_after = [&keeping, complete](const Labels& labels) {
    return complete[keeping.class_of(labels)];
  };
  const std::vector<std::shared_ptr<block::Block>> olds = request.old;
  Status replaced = replace(std::move(request), std::move(ladder));
  if (leave_damaged(replaced, olds)) return true;
  VARVE_TRY(std::move(replaced));
  repaired_.add();
  engine_.stamps.bump(samples_of(ends, resolution_ms));
  engine_.log.info("storage: level repaired", {{"resolution_ms", resolution_ms},
                                               {"begin_ms", ends.min_ms - resolution_ms},
                                               {"end_ms", ends.max_ms}});
  return true;
}

Result<bool> Rollup::merge(std::int64_t resolution_ms) {
  const std::shared_ptr<const BlockSet> set = engine_.blocks.current();
  const LadderState ladder = engine_.blocks.ladder();
  const LevelState* own = ladder.find(resolution_ms);
  std::vector<block::BlockMeta> metas;
  for (const auto& block : set->levels) {
    if (block->meta().resolution_ms == resolution_ms) metas.push_back(block->meta());
  }
  // Long windows: even of hourly buckets a month is only six chunks. As with samples, a tenth of the
  // retention is the bound.
  std::vector<std::int64_t> windows_ms;
  for (const std::int64_t window_ms : {kDayMs, 7 * kDayMs, 28 * kDayMs, 364 * kDayMs}) {
    if (window_ms % level_window_ms(resolution_ms) != 0) continue;
    if (window_ms > 28 * kDayMs && window_ms / resolution_ms > 364 * 24) continue;
    const bool long_kept = own->retention_ms == 0 || window_ms <= std::max(kDayMs, own->retention_ms / 10);
    if (long_kept) windows_ms.push_back(window_ms);
  }
  // A merged block would go around what is damaged.
  std::vector<TimeRange> set_aside;
  for (const block::BlockMeta& meta : metas) {
    if (damaged_.count(meta.ulid) == 0) continue;
    for (const std::int64_t window_ms : windows_ms) {
      const Timestamp begin_ms = window_begin(meta.window_begin_ms, window_ms);
      set_aside.push_back({begin_ms, begin_ms + window_ms});
    }
  }
  const std::optional<CompactionPlan> plan =
      plan_compaction({metas, windows_ms, own->covered_ms, false, set_aside});
  if (!plan) return false;
  LevelRequest request;
  std::uint64_t bytes = 0;
  for (const auto& block : set->levels) {
    const std::string& ulid = block->meta().ulid;
    if (std::find(plan->sources.begin(), plan->sources.end(), ulid) == plan->sources.end()) continue;
    request.old.push_back(block);
    bytes += block->meta().bytes;
  }
  // They stay until the result counts; if there is no room they stay for longer.
  VARVE_TRY_ASSIGN(const std::uint64_t free, engine_.files.free_bytes(engine_.directory.dense));
  if (free < bytes + bytes / 10) return false;
  request.fold.resolution_ms = resolution_ms;
  request.window_begin_ms = plan->window_begin_ms;
  request.window_end_ms = plan->window_end_ms;
  const std::vector<std::shared_ptr<block::Block>> merging = request.old;
  Status merged = replace(std::move(request), ladder);
  if (leave_damaged(merged, merging)) return true;
  VARVE_TRY(std::move(merged));
  merged_.add();
  return true;
}

Status Rollup::leave_out(std::shared_ptr<block::Block> block,
                         std::function<bool(const Labels&)> series, LadderState ladder) {
  LevelRequest request;
  request.fold.resolution_ms = block->meta().resolution_ms;
  request.window_begin_ms = block->meta().window_begin_ms;
  request.window_end_ms = block->meta().window_end_ms;
  request.old.push_back(std::move(block));
  request.leave_out = std::move(series);
  return replace(std::move(request), std::move(ladder));
}

Status Rollup::clean_tombstones() {
  const std::shared_ptr<const BlockSet> set = engine_.blocks.current();
  for (const auto& block : set->levels) {
    if (!block->tombstones()->empty()) {
      VARVE_TRY(leave_out(block, nullptr, engine_.blocks.ladder()));
    }
  }
  return {};
}

}  // namespace varve::storage
