// SPDX-License-Identifier: Apache-2.0
#include "storage/deletes.h"

#include <algorithm>
#include <utility>

#include "base/try.h"

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

Status delete_in_block(const Engine& engine, block::Block& block,
                       std::span<const std::vector<model::Matcher>> selectors, TimeRange range) {
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
  return any ? block.set_tombstones(engine.files, std::move(tombstones)) : Status();
}

}  // namespace

Status delete_samples(const Engine& engine,
                      std::span<const std::vector<model::Matcher>> selectors, TimeRange range) {
  if (range.empty()) return {};
  Status first = delete_in_head(engine, selectors, range);
  const std::shared_ptr<const BlockSet> set = engine.blocks.current();
  for (const auto& block : set->blocks) {
    if (!first.ok()) break;
    if (!block->meta().range.overlaps(range)) continue;
    first = delete_in_block(engine, *block, selectors, range);
    if (!first.ok()) first = std::move(first).error().with(block->directory());
  }
  // Also after an error: a part may be hidden by now.
  engine.stamps.bump(range);
  return first;
}

}  // namespace varve::storage
