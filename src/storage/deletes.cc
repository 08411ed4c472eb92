// SPDX-License-Identifier: Apache-2.0
#include "storage/deletes.h"

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "storage/bucket_fold.h"

namespace varve::storage {
namespace {

// Nothing is deleted by half a search.
Status check_searched() {
  if (!model::MatchWatch::thread_stopped()) return {};
  return Error(ErrorCode::kCanceled, "the search for series was broken off: it took too long");
}

Status delete_in_head(const Engine& engine, std::span<const std::vector<model::Matcher>> selectors,
                      TimeRange range) {
  const std::shared_ptr<const index::HeadIndex> index = engine.head.index();
  const SeriesId bound = index->bound();
  std::vector<index::Ids> selected;
  for (const std::vector<model::Matcher>& matchers : selectors) {
    VARVE_TRY_ASSIGN(index::Ids ids, index->select(matchers, bound));
    selected.push_back(std::move(ids));
  }
  VARVE_TRY(check_searched());
  const std::vector<index::IdSpan> spans(selected.begin(), selected.end());
  VARVE_TRY_ASSIGN(const Ticket ticket,
                   engine.write_path.delete_samples(index::unite(spans), range));
  const auto seq = static_cast<std::uint64_t>(ticket);
  return seq == 0 ? Status() : engine.wal.wait_durable(seq);
}

using Blocks = std::vector<std::shared_ptr<block::Block>>;

// Appends the block to `changed` if something of it was hidden.
Status delete_in_block(const Engine& engine, const std::shared_ptr<block::Block>& block_ptr,
                       std::span<const std::vector<model::Matcher>> selectors, TimeRange range,
                       Blocks& changed) {
  block::Block& block = *block_ptr;
  // No wider than what is there: a merged block has more.
  range = {std::max(range.min_ms, block.meta().range.min_ms),
           std::min(range.max_ms, block.meta().range.max_ms)};
  if (range.empty()) return {};
  block::Tombstones tombstones = *block.tombstones();
  bool any = false;
  for (const std::vector<model::Matcher>& matchers : selectors) {
    VARVE_TRY_ASSIGN(const block::Ordinals ordinals, block.select(matchers));
    VARVE_TRY(check_searched());
    for (const std::uint32_t ordinal : ordinals) tombstones.add(ordinal, range);
    any = any || !ordinals.empty();
  }
  if (!any) return {};
  VARVE_TRY(block.set_tombstones(engine.files, std::move(tombstones)));
  changed.push_back(block_ptr);
  return {};
}

// Of a level: the buckets that have some of it, as one cannot be taken apart. Those at the ends
// come back without it if their samples are still there: they are marked as out of date.
Status delete_in_level(const Engine& engine, const std::shared_ptr<block::Block>& block,
                       std::span<const std::vector<model::Matcher>> selectors, TimeRange range,
                       Blocks& changed) {
  const std::int64_t resolution_ms = block->meta().resolution_ms;
  if (__builtin_add_overflow(range.max_ms, resolution_ms - 1, &range.max_ms)) {
    range.max_ms = TimeRange::all().max_ms;
  }
  return delete_in_block(engine, block, selectors, range, changed);
}

// Durable before anything is hidden: buckets at the ends must not stay hidden as a whole.
Status mark_ends(const Engine& engine, const BlockSet& set, TimeRange range) {
  if (set.ladder.levels.empty()) return {};
  TimeRange there{TimeRange::all().max_ms, TimeRange::all().min_ms};
  for (const auto* blocks : {&set.blocks, &set.levels}) {
    for (const auto& block : *blocks) {
      there.min_ms =
          std::min(there.min_ms, block->meta().range.min_ms - block->meta().resolution_ms);
      there.max_ms = std::max(there.max_ms, block->meta().range.max_ms);
    }
  }
  LadderState ladder = set.ladder;
  for (const Timestamp end_ms : {range.min_ms, range.max_ms}) {
    if (there.contains(end_ms)) ladder.mark_dirty({end_ms, end_ms});
  }
  if (ladder == set.ladder) return {};
  BlockChange change;
  change.ladder = std::move(ladder);
  return engine.blocks.commit(std::move(change));
}

// Who deletes an hour of a day bucket may not expect the day to go.
void report_touched(const Engine& engine, const BlockSet& set, TimeRange range) {
  for (const LevelState& level : set.ladder.levels) {
    // The buckets that have the ends, by the time they are about: (begin, end].
    TimeRange there{TimeRange::all().max_ms, TimeRange::all().min_ms};
    for (const auto& block : set.levels) {
      const block::BlockMeta& meta = block->meta();
      if (meta.resolution_ms != level.resolution_ms) continue;
      there.min_ms = std::min(there.min_ms, meta.range.min_ms - meta.resolution_ms + 1);
      there.max_ms = std::max(there.max_ms, meta.range.max_ms);
    }
    for (const bool at_begin : {true, false}) {
      const Timestamp end_ms = at_begin ? range.min_ms : range.max_ms;
      // Where the samples are still there the bucket comes back.
      if (!there.contains(end_ms) || end_ms > set.ladder.raw_gone_ms) continue;
      const Timestamp last_ms = bucket_end(end_ms, level.resolution_ms);
      const Timestamp first_ms = last_ms - level.resolution_ms + 1;
      if (end_ms == (at_begin ? first_ms : last_ms)) continue;
      engine.log.info(
          "storage: buckets cannot be taken apart: one that a delete only touches is "
          "hidden as a whole, as its samples have gone",
          {{"resolution_ms", level.resolution_ms},
           {"begin_ms", first_ms - 1},
           {"end_ms", last_ms}});
    }
  }
}

// A hold is against what happens by itself. Who deletes by hand may not think of it, so it is said.
void report_held(const Engine& engine, const BlockSet& set,
                 std::span<const std::vector<model::Matcher>> selectors, TimeRange range) {
  const std::shared_ptr<const Keeping> keeping = engine.keeping.get();
  for (const Hold& hold : keeping->holds()) {
    if (!hold.range.overlaps(range)) continue;
    const bool any = std::any_of(set.blocks.begin(), set.blocks.end(), [&](const auto& block) {
      if (!block->meta().range.overlaps(hold.range) || !block->meta().range.overlaps(range))
        return false;
      for (const auto& selector : selectors) {
        for (const auto& held : hold.selectors) {
          std::vector<model::Matcher> both = selector;
          both.insert(both.end(), held.begin(), held.end());
          const auto ordinals = block->select(both);
          if (ordinals.ok() && !ordinals->empty()) return true;
        }
      }
      return false;
    });
    if (!any) continue;
    engine.log.warn("storage: samples that are held were deleted, as somebody asked for it: a hold "
                    "keeps them from retention, not from deletes",
                    {{"hold", hold.id}, {"min_ms", range.min_ms}, {"max_ms", range.max_ms}});
  }
}

}  // namespace

Status delete_samples(const Engine& engine,
                      std::span<const std::vector<model::Matcher>> selectors, TimeRange range) {
  if (range.empty()) return {};
  VARVE_TRY(mark_ends(engine, *engine.blocks.current(), range));
  Status first = delete_in_head(engine, selectors, range);
  const std::shared_ptr<const BlockSet> set = engine.blocks.current();
  Blocks changed;
  for (const auto& block : set->blocks) {
    if (!first.ok()) break;
    if (!block->meta().range.overlaps(range)) continue;
    first = delete_in_block(engine, block, selectors, range, changed);
    if (!first.ok()) first = std::move(first).error().with(block->directory());
  }
  for (const auto& block : set->levels) {
    if (!first.ok()) break;
    first = delete_in_level(engine, block, selectors, range, changed);
    if (!first.ok()) first = std::move(first).error().with(block->directory());
  }
  // Behind the files: that a line is there proves that they were written.
  Status noted = engine.blocks.note_deletes(changed);
  if (first.ok()) first = std::move(noted);
  report_held(engine, *set, selectors, range);
  report_touched(engine, *set, range);
  // Also after an error: a part may be hidden by now.
  engine.stamps.bump(range);
  return first;
}

}  // namespace varve::storage
