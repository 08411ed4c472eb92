// SPDX-License-Identifier: Apache-2.0
#include "storage/ladder_state.h"

#include <algorithm>

#include "storage/bucket_fold.h"

namespace varve::storage {
namespace {

// More stretches than this are kept as one: making some buckets anew that need not be is cheaper
// than a MANIFEST that says of each which it is.
constexpr std::size_t kStretchesMax = 1000;

}  // namespace

LevelState* LadderState::find(std::int64_t resolution_ms) {
  const auto found = std::find_if(levels.begin(), levels.end(), [&](const LevelState& level) {
    return level.resolution_ms == resolution_ms;
  });
  return found == levels.end() ? nullptr : &*found;
}

const LevelState* LadderState::find(std::int64_t resolution_ms) const {
  return const_cast<LadderState*>(this)->find(resolution_ms);
}

Gone LadderState::gone() const {
  Gone gone;
  gone.of = gone_of;
  gone.before.emplace(0, raw_gone_ms);
  for (const LevelState& level : levels) gone.before.emplace(level.resolution_ms, level.gone_ms);
  return gone;
}

void LadderState::note_gone(std::int64_t resolution_ms, Timestamp until_ms) {
  if (resolution_ms == 0) raw_gone_ms = std::max(raw_gone_ms, until_ms);
  if (LevelState* level = find(resolution_ms)) level->gone_ms = std::max(level->gone_ms, until_ms);
}

void LadderState::mark_dirty(TimeRange samples) {
  if (samples.empty()) return;
  for (LevelState& level : levels) {
    if (level.covered_ms == TimeRange::all().min_ms || samples.min_ms > level.covered_ms) continue;
    // Time may begin with samples from nowhere: no stretch needs to reach beyond what can be
    // written.
    const TimeRange ends{
        bucket_end(std::max(samples.min_ms, kFirstDirtyMs), level.resolution_ms),
        std::min(level.covered_ms, bucket_end(samples.max_ms, level.resolution_ms))};
    if (!ends.empty()) add_dirty(level, ends);
  }
}

void add_dirty(LevelState& level, TimeRange ends) {
  std::vector<TimeRange> all = level.dirty;
  all.push_back(ends);
  std::sort(all.begin(), all.end(),
            [](const TimeRange& a, const TimeRange& b) { return a.min_ms < b.min_ms; });
  level.dirty.clear();
  for (const TimeRange& one : all) {
    if (!level.dirty.empty() && one.min_ms - level.resolution_ms <= level.dirty.back().max_ms) {
      level.dirty.back().max_ms = std::max(level.dirty.back().max_ms, one.max_ms);
    } else {
      level.dirty.push_back(one);
    }
  }
  if (level.dirty.size() > kStretchesMax) {
    level.dirty = {{level.dirty.front().min_ms, level.dirty.back().max_ms}};
  }
}

void remove_dirty(LevelState& level, TimeRange ends) {
  std::vector<TimeRange> left;
  for (const TimeRange& one : level.dirty) {
    if (!one.overlaps(ends)) {
      left.push_back(one);
      continue;
    }
    if (one.min_ms < ends.min_ms) left.push_back({one.min_ms, ends.min_ms - level.resolution_ms});
    if (one.max_ms > ends.max_ms) left.push_back({ends.max_ms + level.resolution_ms, one.max_ms});
  }
  level.dirty = std::move(left);
}

void restore_level(LadderState& ladder, std::int64_t resolution_ms,
                   std::vector<TimeRange> windows) {
  if (resolution_ms <= 0 || windows.empty()) return;
  std::sort(windows.begin(), windows.end(),
            [](const TimeRange& a, const TimeRange& b) { return a.min_ms < b.min_ms; });
  if (ladder.find(resolution_ms) == nullptr) {
    LevelState lost;
    lost.resolution_ms = resolution_ms;
    lost.covered_ms = bucket_floor(windows.front().min_ms, resolution_ms);
    lost.gone_ms = lost.covered_ms;
    ladder.levels.push_back(std::move(lost));
    std::sort(ladder.levels.begin(), ladder.levels.end(), [](const auto& a, const auto& b) {
      return a.resolution_ms < b.resolution_ms;
    });
  }
  LevelState& level = *ladder.find(resolution_ms);
  for (const TimeRange& window : windows) {
    const Timestamp until = bucket_floor(window.max_ms, resolution_ms);
    if (until <= level.covered_ms) continue;
    const Timestamp after = bucket_floor(window.min_ms, resolution_ms);
    if (level.covered_ms == TimeRange::all().min_ms) level.covered_ms = after;
    if (after > level.covered_ms) add_dirty(level, {level.covered_ms + resolution_ms, after});
    level.covered_ms = until;
  }
}

bool is_dirty(const LevelState& level, TimeRange samples) {
  return std::any_of(level.dirty.begin(), level.dirty.end(), [&](const TimeRange& ends) {
    return TimeRange{ends.min_ms - level.resolution_ms + 1, ends.max_ms}.overlaps(samples);
  });
}

}  // namespace varve::storage
