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
#include "storage/level_sources.h"

namespace varve::storage {
namespace {

constexpr Timestamp kMin = TimeRange::all().min_ms;
constexpr std::int64_t kHourMs = 60LL * 60 * 1000;
constexpr std::int64_t kDayMs = 24 * kHourMs;
// Buckets that a first block should have of a series: labels and postings are about forty bytes.
constexpr std::int64_t kBucketsMin = 24;

// The time of samples that buckets cover.
TimeRange samples_of(TimeRange ends, std::int64_t resolution_ms) {
  return {ends.min_ms - resolution_ms + 1, ends.max_ms};
}

}  // namespace

std::int64_t level_window_ms(std::int64_t resolution_ms) {
  for (const std::int64_t window_ms : {2 * kHourMs, 8 * kHourMs, kDayMs}) {
    if (window_ms % resolution_ms == 0 && window_ms / resolution_ms >= kBucketsMin)
      return window_ms;
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

Result<bool> Rollup::next() {
  VARVE_TRY(adopt());
  const std::shared_ptr<const Keeping> keeping = engine_.keeping.get();
  // Finest first; also those that the ladder has no more, as they answer until they are gone.
  const std::vector<LevelState> levels = engine_.blocks.ladder().levels;
  for (const LevelState& level : levels) {
    VARVE_TRY_ASSIGN(const bool repaired, repair(*keeping, level.resolution_ms));
    if (repaired) return true;
    VARVE_TRY_ASSIGN(const bool remade, remake(*keeping, level.resolution_ms));
    if (remade) return true;
    if (keeping->level(level.resolution_ms) == nullptr) continue;
    VARVE_TRY_ASSIGN(const bool extended, extend(*keeping, level.resolution_ms));
    if (extended) return true;
  }
  for (const LevelState& level : levels) {
    VARVE_TRY_ASSIGN(const bool merged, merge(level.resolution_ms));
    if (merged) return true;
  }
  return false;
}

HeldSince Rollup::held_since(const Keeping& keeping, const Hold& hold, const LadderState& ladder) {
  HeldSince since{hold.id, ladder.gone()};
  // Behind that nothing is made of buckets for the hold: samples are held from then on.
  for (const LevelState& level : ladder.levels) {
    const Timestamp first_ms = level.covered_ms == kMin ? kMin : level.covered_ms + 1;
    since.gone.note(level.resolution_ms, {}, 0, {first_ms, TimeRange::all().max_ms});
  }
  // What an older hold has kept of the same series goes on being kept, so that holds can be
  // prolonged.
  for (const HeldSince& older : ladder.holds) {
    const auto same = std::find_if(
        keeping.holds().begin(), keeping.holds().end(),
        [&](const Hold& one) { return one.id == older.id && one.selectors == hold.selectors; });
    if (same == keeping.holds().end()) continue;
    // If it cannot be noted, what is held is there all the same, but not shown.
    (void)since.gone.keep_since(older.gone, keeping.held(*same));
  }
  return since;
}

Status Rollup::adopt() {
  const std::shared_ptr<const Keeping> keeping = engine_.keeping.get();
  const std::shared_ptr<const BlockSet> set = engine_.blocks.current();
  LadderState ladder = engine_.blocks.ladder();
  // A level that the ladder lacks is forgotten once the last of it has gone.
  std::erase_if(ladder.levels, [&](const LevelState& level) {
    const auto is_of = [&](const block::BlockMeta& meta) {
      return meta.resolution_ms == level.resolution_ms;
    };
    return keeping->level(level.resolution_ms) == nullptr &&
           std::none_of(set->levels.begin(), set->levels.end(),
                        [&](const auto& block) { return is_of(block->meta()); }) &&
           std::none_of(set->unreadable.begin(), set->unreadable.end(), is_of);
  });
  for (const LevelOptions& level : keeping->ladder().levels) {
    if (ladder.find(level.resolution.count()) == nullptr) {
      add_level(*keeping, level, *set, ladder);
    }
    LevelState* const known = ladder.find(level.resolution.count());
    if (known == nullptr) continue;
    known->retention_ms = level.retention.count();
    known->sketch_schema.reset();
    if (level.sketch) known->sketch_schema = sketch_schema(keeping->ladder().sketch_relative_error);
  }
  std::erase_if(ladder.holds, [&](const HeldSince& since) {
    return std::none_of(keeping->holds().begin(), keeping->holds().end(),
                        [&](const Hold& hold) { return hold.id == since.id; });
  });
  for (const Hold& hold : keeping->holds()) {
    if (std::none_of(ladder.holds.begin(), ladder.holds.end(),
                     [&](const HeldSince& since) { return hold.id == since.id; })) {
      ladder.holds.push_back(held_since(*keeping, hold, ladder));
    }
  }
  ladder.aside.clear();
  for (const block::BlockMeta& meta : set->unreadable) ladder.aside.push_back(meta.ulid);
  Gone gone = ladder.gone();
  gone.prune();
  ladder.gone_of = std::move(gone.of);
  // Without levels nobody asks what may be gone.
  if (ladder == engine_.blocks.ladder()) return {};
  BlockChange change;
  change.ladder = std::move(ladder);
  return engine_.blocks.commit(std::move(change));
}

void Rollup::add_level(const Keeping& keeping, const LevelOptions& level, const BlockSet& set,
                       LadderState& ladder) const {
  const std::int64_t resolution_ms = level.resolution.count();
  Timestamp oldest_ms = TimeRange::all().max_ms;
  // What may have gone from before all that it can be made of is not there. If of one of them
  // nothing has, what comes later of a time before all others can still be in a bucket.
  bool complete = false;
  const auto look_at = [&](const block::BlockMeta& meta, Timestamp gone_ms) {
    const Timestamp first_ms =
        meta.resolution_ms == 0 ? meta.range.min_ms : meta.range.min_ms - meta.resolution_ms + 1;
    oldest_ms = std::min(oldest_ms, first_ms);
    complete = complete || gone_ms == kMin;
  };
  for (const auto& block : set.blocks) look_at(block->meta(), ladder.raw_gone_ms);
  for (const auto& block : set.levels) {
    const block::BlockMeta& meta = block->meta();
    const LevelState* finer = ladder.find(meta.resolution_ms);
    if (finer == nullptr || meta.resolution_ms >= resolution_ms) continue;
    if (resolution_ms % meta.resolution_ms == 0) look_at(meta, finer->gone_ms);
  }
  if (oldest_ms == TimeRange::all().max_ms) return;  // nothing to make it of, so far
  LevelState fresh;
  fresh.resolution_ms = resolution_ms;
  fresh.covered_ms = bucket_floor(oldest_ms - 1, level_window_ms(resolution_ms));
  fresh.gone_ms = complete ? kMin : fresh.covered_ms;
  const Timestamp covered_ms = fresh.covered_ms;
  ladder.levels.push_back(std::move(fresh));
  std::sort(
      ladder.levels.begin(), ladder.levels.end(),
      [](const LevelState& a, const LevelState& b) { return a.resolution_ms < b.resolution_ms; });
  // Of some series it may have gone all the same.
  if (!complete) return;
  const LevelSources sources(keeping, set, damaged_, resolution_ms);
  sources.note_missing({kMin, covered_ms}, ladder);
}

LevelRequest Rollup::request(const Keeping& keeping, const std::shared_ptr<const BlockSet>& set,
                             std::int64_t resolution_ms, TimeRange ends) const {
  LevelRequest request;
  request.fold.resolution_ms = resolution_ms;
  // A level that the ladder has no more stays what it was, also where it is made anew.
  const std::optional<std::int32_t> schema = set->ladder.find(resolution_ms)->sketch_schema;
  request.fold.sketch = schema.has_value();
  if (schema) request.fold.schema = *schema;
  const auto sources = std::make_shared<LevelSources>(keeping, *set, damaged_, resolution_ms);
  request.sources = sources->of(ends);
  request.pieces = [set, sources, ends](const Labels& labels) {
    return sources->pieces(labels, ends);
  };
  return request;
}

Status Rollup::replace(LevelRequest request, LadderState ladder, std::vector<std::string> removed) {
  BlockChange change;
  change.removed = std::move(removed);
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
  if (status.ok() || status.error().code() != ErrorCode::kCorruption || blocks.empty())
    return false;
  // Queries still get what can be read of them, and say what cannot.
  engine_.log.error("storage: blocks of a level cannot be written anew and stay as they are",
                    {{"err", status.error().message()}});
  std::size_t found = 0;
  for (std::string& ulid : damaged_of(blocks))
    found += damaged_.insert(std::move(ulid)).second ? 1 : 0;
  if (found == 0) {
    for (const auto& block : blocks) damaged_.insert(block->meta().ulid);
  }
  return true;
}

Result<bool> Rollup::extend(const Keeping& keeping, std::int64_t resolution_ms) {
  const std::shared_ptr<const BlockSet> set = engine_.blocks.current();
  LadderState ladder = engine_.blocks.ladder();
  LevelState& own = *ladder.find(resolution_ms);
  const LevelOptions& options = *keeping.level(resolution_ms);
  const std::int64_t window_ms = level_window_ms(resolution_ms);
  // Who says when buckets are to be written gets them then: what comes late is added to them.
  Timestamp ready_ms = settled_ms(engine_, options.after.count() > 0 ? 0 : kLateWaitMaxMs);
  if (ready_ms == kMin) return false;
  --ready_ms;
  if (&options != keeping.ladder().levels.data()) {
    const LevelState* finer = ladder.find((&options - 1)->resolution.count());
    if (finer == nullptr) return false;
    ready_ms = std::min(ready_ms, finer->covered_ms);
    // What cannot be made anew is not waited for.
    const Stretches unfit = unfit_windows(*set, finer->resolution_ms, damaged_);
    for (const TimeRange& ends : finer->dirty) {
      const Stretches waits = without({samples_of(ends, finer->resolution_ms)}, unfit);
      if (!waits.empty()) ready_ms = std::min(ready_ms, waits.front().min_ms - 1);
    }
  }
  const std::int64_t after_ms = options.after.count();
  if (after_ms > 0) ready_ms = std::min(ready_ms, horizon(engine_.clock.now_ms(), after_ms));
  ready_ms = bucket_floor(ready_ms, window_ms);
  if (ready_ms <= own.covered_ms) return false;

  // What waits is written a day at a time: a block, and what is decoded for it, has a bound.
  const std::int64_t step_ms = std::max(kDayMs, window_ms);
  const Timestamp begin_ms = own.covered_ms;
  const LevelSources sources(keeping, *set, damaged_, resolution_ms);
  const Timestamp first_ms =
      std::min(ready_ms, sources.first_ms({begin_ms + resolution_ms, ready_ms}));
  const Timestamp skipped_ms = bucket_floor(first_ms - 1, window_ms);
  const Timestamp from_ms = std::max(begin_ms, skipped_ms);
  const Timestamp end_ms = std::min(ready_ms, bucket_floor(from_ms, step_ms) + step_ms);
  own.covered_ms =
      bucket_floor(end_ms, window_ms) > begin_ms ? bucket_floor(end_ms, window_ms) : ready_ms;
  const Timestamp covered_ms = own.covered_ms;
  sources.note_missing({begin_ms + resolution_ms, covered_ms}, ladder);

  LevelRequest request =
      this->request(keeping, set, resolution_ms, {from_ms + resolution_ms, covered_ms});
  request.window_begin_ms = from_ms;
  request.window_end_ms = covered_ms;
  const auto started = engine_.clock.monotonic();
  VARVE_TRY(replace(std::move(request), std::move(ladder)));
  written_.add();
  engine_.log.info(
      "storage: level written",
      {{"resolution_ms", resolution_ms},
       {"begin_ms", from_ms},
       {"end_ms", covered_ms},
       {"duration_s",
        std::chrono::duration<double>(engine_.clock.monotonic() - started).count()}});
  return true;
}

Result<bool> Rollup::repair(const Keeping& keeping, std::int64_t resolution_ms) {
  const std::shared_ptr<const BlockSet> set = engine_.blocks.current();
  LadderState ladder = engine_.blocks.ladder();
  LevelState& own = *ladder.find(resolution_ms);
  const std::int64_t window_ms = level_window_ms(resolution_ms);
  LevelState able = own;
  for (const TimeRange& window : unfit_windows(*set, resolution_ms, damaged_)) {
    remove_dirty(able, {window.min_ms - 1 + resolution_ms, window.max_ms});
  }
  if (able.dirty.empty()) return false;
  const auto pass = [&](TimeRange ends) -> Result<bool> {
    remove_dirty(own, ends);
    BlockChange change;
    change.ladder = std::move(ladder);
    VARVE_TRY(engine_.blocks.commit(std::move(change)));
    return true;
  };
  const TimeRange stretch = able.dirty.front();
  if (stretch.min_ms <= own.gone_ms) {
    return pass(
        {stretch.min_ms, std::min(stretch.max_ms, bucket_floor(own.gone_ms, resolution_ms))});
  }
  TimeRange ends = stretch;

  // Within one block of the level, or between two of them.
  std::shared_ptr<block::Block> old;
  Timestamp before_ms = kMin;
  Timestamp after_ms = TimeRange::all().max_ms;
  const auto look_at = [&](const block::BlockMeta& meta) {
    if (meta.resolution_ms != resolution_ms) return false;
    if (meta.window_end_ms < ends.min_ms) {
      before_ms = std::max(before_ms, meta.window_end_ms);
    } else if (meta.window_begin_ms >= ends.min_ms) {
      after_ms = std::min(after_ms, meta.window_begin_ms);
    } else {
      return true;
    }
    return false;
  };
  for (const auto& block : set->levels) {
    if (look_at(block->meta())) old = block;
  }
  // A place is kept for those that may come back.
  for (const block::BlockMeta& meta : set->unreadable) look_at(meta);
  Timestamp begin_ms = 0;
  Timestamp end_ms = 0;
  if (old != nullptr) {
    begin_ms = old->meta().window_begin_ms;
    end_ms = old->meta().window_end_ms;
    ends.max_ms = std::min(ends.max_ms, end_ms);
  } else {
    const std::int64_t step_ms = std::max(kDayMs, window_ms);
    begin_ms = std::max(bucket_floor(ends.min_ms - 1, window_ms), before_ms);
    ends.max_ms =
        std::min({ends.max_ms, bucket_floor(ends.min_ms - 1, step_ms) + step_ms, after_ms});
    end_ms = std::min(bucket_end(ends.max_ms, window_ms), after_ms);
  }
  if (old == nullptr) {
    const TimeRange rest{ends.min_ms, std::min(stretch.max_ms, after_ms)};
    const LevelSources sources(keeping, *set, damaged_, resolution_ms);
    // Nothing was there, nothing is.
    if (sources.first_ms(rest) == TimeRange::all().max_ms) return pass(rest);
  }
  remove_dirty(own, ends);
  LevelRequest request = this->request(keeping, set, resolution_ms, ends);
  if (old != nullptr) request.old.push_back(old);
  request.window_begin_ms = begin_ms;
  request.window_end_ms = end_ms;
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

Result<bool> Rollup::remake(const Keeping& keeping, std::int64_t resolution_ms) {
  const std::shared_ptr<const BlockSet> set = engine_.blocks.current();
  std::vector<block::BlockMeta> bad = set->unreadable;
  for (const auto& block : set->levels) {
    if (damaged_.count(block->meta().ulid) > 0) bad.push_back(block->meta());
  }
  for (const block::BlockMeta& meta : bad) {
    if (meta.resolution_ms != resolution_ms) continue;
    const TimeRange ends{meta.window_begin_ms + resolution_ms, meta.window_end_ms};
    const LevelSources sources(keeping, *set, damaged_, resolution_ms);
    if (ends.empty() || !sources.whole(ends)) continue;
    LadderState ladder = engine_.blocks.ladder();
    remove_dirty(*ladder.find(resolution_ms), ends);
    std::erase(ladder.aside, meta.ulid);
    LevelRequest request = this->request(keeping, set, resolution_ms, ends);
    request.window_begin_ms = meta.window_begin_ms;
    request.window_end_ms = meta.window_end_ms;
    VARVE_TRY(replace(std::move(request), std::move(ladder), {meta.ulid}));
    damaged_.erase(meta.ulid);
    engine_.stamps.bump(samples_of(ends, resolution_ms));
    engine_.log.info("storage: a block of a level that could not be read was made anew",
                     {{"block", meta.ulid}, {"resolution_ms", resolution_ms}});
    return true;
  }
  return false;
}

Result<bool> Rollup::merge(std::int64_t resolution_ms) {
  const std::shared_ptr<const BlockSet> set = engine_.blocks.current();
  const LadderState ladder = engine_.blocks.ladder();
  const LevelState* own = ladder.find(resolution_ms);
  std::vector<block::BlockMeta> metas;
  for (const auto& block : set->levels) {
    if (block->meta().resolution_ms == resolution_ms) metas.push_back(block->meta());
  }
  // Long windows: even of hourly buckets a month is only six chunks. As with samples, a tenth of
  // the retention is the bound.
  std::vector<std::int64_t> windows_ms;
  for (const std::int64_t window_ms : {kDayMs, 7 * kDayMs, 28 * kDayMs, 364 * kDayMs}) {
    if (window_ms % level_window_ms(resolution_ms) != 0) continue;
    if (window_ms > 28 * kDayMs && window_ms / resolution_ms > 364 * 24) continue;
    const bool long_kept =
        own->retention_ms == 0 || window_ms <= std::max(kDayMs, own->retention_ms / 10);
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
    if (std::find(plan->sources.begin(), plan->sources.end(), ulid) == plan->sources.end())
      continue;
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
