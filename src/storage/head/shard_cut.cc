// SPDX-License-Identifier: Apache-2.0
// How samples leave a shard: into blocks, by their age, or because somebody deleted them.
#include <algorithm>

#include "storage/head/late_memory.h"
#include "storage/head/shard.h"

namespace varve::storage::head {
namespace {

// The entries of a list that ascends before `before_ms`.
template <typename Entry>
std::size_t count_before(const std::vector<Entry>& entries, Timestamp before_ms) {
  return static_cast<std::size_t>(
      std::lower_bound(entries.begin(), entries.end(), before_ms,
                       [](const Entry& e, Timestamp t) { return e.timestamp_ms < t; }) -
      entries.begin());
}

// Moves the entries before `before_ms` over, to where there are none of their times.
template <typename Entry>
void move_before(std::vector<Entry>& from, Timestamp before_ms, std::vector<Entry>& to) {
  const auto count = static_cast<std::ptrdiff_t>(count_before(from, before_ms));
  const auto middle = static_cast<std::ptrdiff_t>(to.size());
  to.insert(to.end(), std::make_move_iterator(from.begin()),
            std::make_move_iterator(from.begin() + count));
  from.erase(from.begin(), from.begin() + count);
  std::inplace_merge(to.begin(), to.begin() + middle, to.end(), [](const Entry& a, const Entry& b) {
    return a.timestamp_ms < b.timestamp_ms;
  });
}

template <typename Entry>
void copy_before(const std::vector<Entry>& from, Timestamp before_ms, std::vector<Entry>& to) {
  const auto middle = static_cast<std::ptrdiff_t>(to.size());
  to.insert(to.end(), from.begin(),
            from.begin() + static_cast<std::ptrdiff_t>(count_before(from, before_ms)));
  std::inplace_merge(to.begin(), to.begin() + middle, to.end(), [](const Entry& a, const Entry& b) {
    return a.timestamp_ms < b.timestamp_ms;
  });
}

// Adds a range to a list of ranges that ascend and are apart.
void add_range(std::vector<TimeRange>& ranges, TimeRange range) {
  const auto begin = std::find_if(ranges.begin(), ranges.end(),
                                  [&](const TimeRange& r) { return r.max_ms >= range.min_ms; });
  auto end = begin;
  while (end != ranges.end() && end->min_ms <= range.max_ms) {
    range = {std::min(range.min_ms, end->min_ms), std::max(range.max_ms, end->max_ms)};
    ++end;
  }
  ranges.insert(ranges.erase(begin, end), range);
}

}  // namespace

void Shard::freeze(Timestamp before_ms) {
  cut_ms_ = std::max(cut_ms_, before_ms);
  // What freeze_late() has put aside stays shown: seen in a block, too, it is the same.
  if (frozen_.empty()) frozen_shown_before_ms_ = before_ms;
  frozen_shown_before_ms_ = std::max(frozen_shown_before_ms_, before_ms);
  put_aside(before_ms);
}

void Shard::freeze_late(Timestamp before_ms) {
  frozen_shown_before_ms_ = TimeRange::all().max_ms;
  put_aside(before_ms);
}

void Shard::thaw() {
  for (auto& [id, frozen] : frozen_) {
    LateSeries& late = late_[id];
    move_before(frozen.floats, frozen_before_ms_, late.floats);
    move_before(frozen.histograms, frozen_before_ms_, late.histograms);
    late.change = std::max(late.change, frozen.change);
  }
  frozen_.clear();
}

void Shard::put_aside(Timestamp before_ms) {
  frozen_before_ms_ = std::max(frozen_before_ms_, before_ms);
  for (auto it = late_.begin(); it != late_.end();) {
    LateSeries& late = it->second;
    if (count_before(late.floats, before_ms) + count_before(late.histograms, before_ms) > 0) {
      LateSeries& frozen = frozen_[it->first];
      move_before(late.floats, before_ms, frozen.floats);
      move_before(late.histograms, before_ms, frozen.histograms);
      frozen.change = std::max(frozen.change, late.change);
    }
    it = late.empty() ? late_.erase(it) : std::next(it);
  }
}

void Shard::close_open(HotSeries& series, SeriesId id) {
  if (series.gorilla.count > 0) close_floats(series);
  if (!series.is(HotSeries::kHistograms)) return;
  HistogramSeries& histograms = *histograms_.at(static_cast<std::uint32_t>(id));
  if (histograms.appender.size() > 0) close_histograms(series, histograms);
}

void Shard::take(HotSeries& series, SeriesId id, Timestamp before_ms, TakeLate late,
                 CutSeries& out) {
  out.state = state(series, id);
  out.chunks.clear();
  out.deleted.clear();
  out.late_floats.clear();
  out.late_histograms.clear();
  if (series.is(HotSeries::kHasSamples)) {
    // Chunks of either kind end with their range, so an open one lies before or behind.
    if (before_ms == TimeRange::all().max_ms || series.range_end <= before_ms)
      close_open(series, id);
    for_each_chunk(arena_, series, [&](const ChunkRef& chunk) {
      if (columns_[chunk.column].range.max_ms < before_ms) out.chunks.push_back(chunk);
      return true;
    });
    std::reverse(out.chunks.begin(), out.chunks.end());
    if (series.is(HotSeries::kDeleted)) out.deleted = deleted_.at(static_cast<std::uint32_t>(id));
  }
  if (!series.is(HotSeries::kOutOfOrder)) return;
  const auto add = [&](const LateMap& map) {
    const auto found = map.find(static_cast<std::uint32_t>(id));
    if (found == map.end()) return;
    copy_before(found->second.floats, before_ms, out.late_floats);
    copy_before(found->second.histograms, before_ms, out.late_histograms);
  };
  add(frozen_);
  if (late == TakeLate::kAll) add(late_);
}

SeriesState Shard::state(const HotSeries& series, SeriesId id) const {
  SeriesState state;
  if (series.is(HotSeries::kHasSamples)) state.newest_ms = series.last_time();
  if (!series.is(HotSeries::kOutOfOrder)) return state;
  for (const LateMap* map : {&late_, &frozen_}) {
    const auto found = map->find(static_cast<std::uint32_t>(id));
    if (found == map->end()) continue;
    state.late_change = std::max(state.late_change, found->second.change);
  }
  return state;
}

void Shard::forget_late(LateMap& map, HotSeries& series, SeriesId id) {
  const auto found = map.find(static_cast<std::uint32_t>(id));
  if (found == map.end()) return;
  side_account_.release(memory_of(found->second.floats) + memory_of(found->second.histograms));
  map.erase(found);
  const LateMap& other = &map == &late_ ? frozen_ : late_;
  if (other.count(static_cast<std::uint32_t>(id)) == 0) series.unset(HotSeries::kOutOfOrder);
}

Timestamp Shard::trim(HotSeries& series, SeriesId id, Timestamp before_ms) {
  if (series.is(HotSeries::kOutOfOrder) && frozen_before_ms_ <= before_ms) {
    forget_late(frozen_, series, id);
  }
  drop_chunks_before(series, before_ms);
  const Timestamp oldest_ms = oldest_in_order_ms(series, id);
  if (!series.is(HotSeries::kDeleted)) return oldest_ms;
  std::vector<TimeRange>& ranges = deleted_.at(static_cast<std::uint32_t>(id));
  std::erase_if(ranges, [before_ms](const TimeRange& r) { return r.max_ms < before_ms; });
  if (!ranges.empty()) return oldest_ms;
  deleted_.erase(static_cast<std::uint32_t>(id));
  series.unset(HotSeries::kDeleted);
  return oldest_ms;
}

void Shard::retire(HotSeries& series, SeriesId id) {
  if (series.is(HotSeries::kOutOfOrder)) {
    forget_late(late_, series, id);
    forget_late(frozen_, series, id);
  }
  if (series.is(HotSeries::kHistograms)) {
    const auto found = histograms_.find(static_cast<std::uint32_t>(id));
    if (found->second->appender.size() > 0) --counts_.chunks_open;
    side_account_.release(found->second->charged);
    histograms_.erase(found);
  }
  if (series.is(HotSeries::kDeleted)) deleted_.erase(static_cast<std::uint32_t>(id));
  if (series.gorilla.count > 0) --counts_.chunks_open;
  arena_.release(series.words);
  for_each_chunk(arena_, series, [this](const ChunkRef&) {
    --counts_.chunks_closed;
    return true;
  });
  release_chunks(arena_, series);
  series = HotSeries();
}

void Shard::expire(HotSeries& series, SeriesId id, Timestamp time_ms) {
  if (series.is(HotSeries::kOutOfOrder)) {
    erase_late(late_, series, id, {TimeRange::all().min_ms, time_ms - 1});
  }
  drop_chunks_before(series, time_ms);
}

bool Shard::erase_late(LateMap& map, HotSeries& series, SeriesId id, TimeRange range) {
  const auto found = map.find(static_cast<std::uint32_t>(id));
  if (found == map.end()) return false;
  LateSeries& late = found->second;
  const std::int64_t before = memory_of(late.floats) + memory_of(late.histograms);
  const auto inside = [range](const auto& entry) { return range.contains(entry.timestamp_ms); };
  const std::size_t erased =
      std::erase_if(late.floats, inside) + std::erase_if(late.histograms, inside);
  if (erased > 0) late.change = ++late_changes_;
  side_account_.release(before - memory_of(late.floats) - memory_of(late.histograms));
  if (late.empty()) forget_late(map, series, id);
  return erased > 0;
}

void Shard::drop_chunks_before(HotSeries& series, Timestamp time_ms) {
  std::vector<ChunkRef> kept;
  bool drops = false;
  for_each_chunk(arena_, series, [&](const ChunkRef& chunk) {
    if (columns_[chunk.column].range.max_ms < time_ms) {
      drops = true;
      return false;
    }
    kept.push_back(chunk);
    return true;
  });
  if (!drops) return;
  std::uint64_t held = 0;
  for_each_chunk(arena_, series, [&held](const ChunkRef&) { return ++held > 0; });
  counts_.chunks_closed -= held - kept.size();
  release_chunks(arena_, series);
  push_chunks(arena_, series, kept);
}

Timestamp Shard::oldest_in_order_ms(const HotSeries& series, SeriesId id) const {
  Timestamp oldest = TimeRange::all().max_ms;
  if (series.gorilla.count > 0) oldest = series.first_time();
  if (series.is(HotSeries::kHistograms)) {
    const HistogramSeries& histograms = *histograms_.at(static_cast<std::uint32_t>(id));
    if (histograms.appender.size() > 0) oldest = std::min(oldest, histograms.first_ms);
  }
  for_each_chunk(arena_, series, [&](const ChunkRef& chunk) {
    oldest = std::min(oldest, columns_[chunk.column].range.min_ms);
    return true;
  });
  return oldest;
}

bool Shard::delete_samples(HotSeries& series, SeriesId id, TimeRange range) {
  bool deleted = false;
  if (series.is(HotSeries::kOutOfOrder)) {
    deleted |= erase_late(late_, series, id, range);
    deleted |= erase_late(frozen_, series, id, range);
  }
  if (!series.is(HotSeries::kHasSamples)) return deleted;
  // No wider than what is there, so that samples to come are not hidden.
  range.min_ms = std::max(range.min_ms, oldest_in_order_ms(series, id));
  range.max_ms = std::min(range.max_ms, series.last_time());
  if (range.empty()) return deleted;
  add_range(deleted_[static_cast<std::uint32_t>(id)], range);
  series.set(HotSeries::kDeleted);
  return true;
}

}  // namespace varve::storage::head
