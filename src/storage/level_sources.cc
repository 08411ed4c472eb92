// SPDX-License-Identifier: Apache-2.0
#include "storage/level_sources.h"

#include <algorithm>
#include <utility>

#include "storage/bucket_fold.h"

namespace varve::storage {
namespace {

constexpr Timestamp kMin = TimeRange::all().min_ms;
constexpr Timestamp kMax = TimeRange::all().max_ms;

// What its samples, or its buckets, are about.
TimeRange time_of_block(const block::Block& block) {
  const block::BlockMeta& meta = block.meta();
  TimeRange time = meta.range;
  if (meta.resolution_ms != 0) time.min_ms -= meta.resolution_ms - 1;
  return time;
}

}  // namespace

Stretches unfit_windows(const BlockSet& set, std::int64_t resolution_ms,
                        const std::set<std::string>& damaged) {
  Stretches unfit;
  const auto add = [&](const block::BlockMeta& meta) {
    if (meta.resolution_ms == resolution_ms) {
      add_stretch(unfit, {meta.window_begin_ms + 1, meta.window_end_ms});
    }
  };
  for (const auto& block : set.levels) {
    if (damaged.count(block->meta().ulid) > 0) add(block->meta());
  }
  for (const block::BlockMeta& meta : set.unreadable) add(meta);
  return unfit;
}

LevelSources::LevelSources(const Keeping& keeping, const BlockSet& set,
                           const std::set<std::string>& damaged, std::int64_t resolution_ms)
    : set_(set), resolution_ms_(resolution_ms), gone_(set.ladder.gone()) {
  const std::vector<LevelOptions>& levels = keeping.ladder().levels;
  // The next finer one of the ladder is the cheapest; samples say most; what the ladder has no more
  // is there for what has gone of both.
  std::int64_t next_ms = 0;
  for (const LevelOptions& level : levels) {
    const std::int64_t finer_ms = level.resolution.count();
    if (finer_ms < resolution_ms && resolution_ms % finer_ms == 0) next_ms = finer_ms;
  }
  if (next_ms != 0 && set.ladder.find(next_ms) != nullptr) {
    candidates_.push_back(candidate(next_ms, damaged));
  }
  candidates_.push_back(candidate(0, damaged));
  for (std::size_t i = set.ladder.levels.size(); i-- > 0;) {
    const std::int64_t finer_ms = set.ladder.levels[i].resolution_ms;
    if (finer_ms == next_ms || finer_ms >= resolution_ms || resolution_ms % finer_ms != 0) continue;
    candidates_.push_back(candidate(finer_ms, damaged));
  }
}

LevelSources::Candidate LevelSources::candidate(std::int64_t resolution_ms,
                                                const std::set<std::string>& damaged) const {
  Candidate result;
  result.resolution_ms = resolution_ms;
  if (resolution_ms == 0) {
    for (const block::BlockMeta& meta : set_.unreadable) {
      if (meta.resolution_ms == 0) add_stretch(result.unfit, meta.range);
    }
    return result;
  }
  const LevelState& level = *set_.ladder.find(resolution_ms);
  result.until_ms = level.covered_ms;
  result.unfit = unfit_windows(set_, resolution_ms, damaged);
  for (const TimeRange& ends : level.dirty) {
    add_stretch(result.unfit, {ends.min_ms - resolution_ms + 1, ends.max_ms});
  }
  return result;
}

Stretches LevelSources::complete(const Candidate& candidate, const Stretches& gone) {
  return without(without({{kMin, candidate.until_ms}}, candidate.unfit), gone);
}

TimeRange LevelSources::time_of(TimeRange ends) const {
  if (__builtin_sub_overflow(ends.min_ms, resolution_ms_ - 1, &ends.min_ms)) ends.min_ms = kMin;
  return ends;
}

TimeRange LevelSources::ends_in(TimeRange stretch) const {
  TimeRange ends{kMin, bucket_floor(stretch.max_ms, resolution_ms_)};
  if (stretch.min_ms != kMin) {
    ends.min_ms = bucket_end(stretch.min_ms - 1, resolution_ms_) + resolution_ms_;
  }
  return ends;
}

std::size_t LevelSources::needed(TimeRange ends) const {
  Stretches todo{time_of(ends)};
  std::size_t count = 0;
  while (count < candidates_.size()) {
    const Candidate& one = candidates_[count++];
    Stretches made;
    for (const TimeRange& stretch : common(todo, complete(one, gone_.of_any(one.resolution_ms)))) {
      const TimeRange whole = ends_in(stretch);
      if (!whole.empty()) made.push_back(time_of(whole));
    }
    todo = without(todo, made);
    if (todo.empty()) return count;
  }
  return count + (todo.empty() ? 0 : 1);
}

bool LevelSources::whole(TimeRange ends) const { return needed(ends) <= candidates_.size(); }

std::vector<std::shared_ptr<block::Block>> LevelSources::blocks(const Candidate& candidate,
                                                                TimeRange ends) const {
  std::vector<std::shared_ptr<block::Block>> found;
  for (const auto& block : candidate.resolution_ms == 0 ? set_.blocks : set_.levels) {
    const block::BlockMeta& meta = block->meta();
    if (meta.resolution_ms == candidate.resolution_ms && meta.range.overlaps(time_of(ends))) {
      found.push_back(block);
    }
  }
  return found;
}

std::vector<LevelSource> LevelSources::of(TimeRange ends) const {
  std::vector<LevelSource> sources;
  const std::size_t count = std::min(needed(ends), candidates_.size());
  for (std::size_t i = 0; i < count; ++i) {
    sources.push_back({candidates_[i].resolution_ms, blocks(candidates_[i], ends)});
  }
  return sources;
}

Timestamp LevelSources::first_ms(TimeRange ends) const {
  Timestamp first = kMax;
  for (const Candidate& candidate : candidates_) {
    for (const auto& block : blocks(candidate, ends)) {
      first = std::min(first, std::max(time_of_block(*block).min_ms, time_of(ends).min_ms));
    }
  }
  return first;
}

std::vector<LevelPiece> LevelSources::pieces(const Labels& labels, TimeRange ends) {
  if (known_ends_ != ends) known_.clear();
  known_ends_ = ends;
  std::vector<std::size_t> classes;
  for (const GoneOf& list : gone_.of) classes.push_back(class_in(*list.policies, labels));
  const auto [at, is_new] = known_.try_emplace(classes);
  std::vector<LevelPiece>& pieces = at->second;
  if (!is_new) return pieces;
  Stretches todo{time_of(ends)};
  const std::size_t count = std::min(needed(ends), candidates_.size());
  std::vector<Stretches> there;
  for (std::size_t i = 0; i < count; ++i) {
    there.push_back(
        complete(candidates_[i], gone_.of_series(candidates_[i].resolution_ms, classes)));
    Stretches made;
    for (const TimeRange& stretch : common(todo, there[i])) {
      const TimeRange whole = ends_in(stretch);
      if (whole.empty()) continue;
      pieces.push_back({whole, i, true});
      made.push_back(time_of(whole));
    }
    todo = without(todo, made);
  }
  // Of the rest what there is.
  for (const TimeRange& stretch : todo) {
    std::size_t best = 0;
    while (best < count && common({stretch}, there[best]).empty()) ++best;
    pieces.push_back({ends_in(stretch), best < count ? best : 0, false});
  }
  std::sort(pieces.begin(), pieces.end(),
            [](const LevelPiece& a, const LevelPiece& b) { return a.ends.min_ms < b.ends.min_ms; });
  return pieces;
}

Stretches LevelSources::missing(TimeRange ends, const Gone& gone,
                                std::span<const std::size_t> classes) const {
  Stretches missing{time_of(ends)};
  Stretches in_blocks;  // where there may be something, of what is not missing
  for (const Candidate& one : candidates_) {
    const Stretches there =
        without({{kMin, one.until_ms}}, gone.of_series(one.resolution_ms, classes));
    missing = without(missing, there);
    for (const auto& block : blocks(one, ends)) {
      for (const TimeRange& part : common(there, {time_of_block(*block)})) {
        add_stretch(in_blocks, part);
      }
    }
  }
  // A bucket of which there is a part is there; time that no block is about is no part.
  Stretches whole;
  for (const TimeRange& stretch : missing) {
    for (const Timestamp edge_ms : {stretch.min_ms, stretch.max_ms}) {
      const Timestamp end_ms = bucket_end(edge_ms, resolution_ms_);
      const TimeRange bucket = time_of({end_ms, end_ms});
      if (common({bucket}, in_blocks).empty()) add_stretch(whole, bucket);
    }
    const TimeRange own = ends_in(stretch);
    if (!own.empty()) add_stretch(whole, time_of(own));
  }
  return whole;
}

void LevelSources::note_missing(TimeRange ends, LadderState& ladder) const {
  LevelState& own = *ladder.find(resolution_ms_);
  Gone noted = ladder.gone();
  for (const TimeRange& range : missing(ends, gone_, {})) {
    if (own.gone_ms != kMin && range.min_ms <= own.gone_ms + 1) {
      own.gone_ms = std::max(own.gone_ms, range.max_ms);
    } else {
      noted.note(resolution_ms_, {}, 0, range);
    }
  }
  for (const GoneOf& list : gone_.of) {
    Gone one{gone_.before, {list}};
    for (std::size_t c = 0; c <= list.policies->size(); ++c) {
      const std::vector<std::size_t> classes{c};
      for (const TimeRange& range : missing(ends, one, classes)) {
        noted.note(resolution_ms_, *list.policies, c, range);
      }
    }
  }
  noted.before[resolution_ms_] = own.gone_ms;
  noted.prune();
  ladder.gone_of = std::move(noted.of);
}

}  // namespace varve::storage
