// SPDX-License-Identifier: Apache-2.0
// What readers ask of a shard.
#include <algorithm>

#include "storage/head/shard.h"

namespace varve::storage::head {
namespace {

// Appends the entries in `range` of a list that ascends to another one, which is then sorted.
template <typename Entry>
void add_in_range(const std::vector<Entry>& from, TimeRange range, std::vector<Entry>& to) {
  const auto before = [](const Entry& e, Timestamp t) { return e.timestamp_ms < t; };
  const auto begin = std::lower_bound(from.begin(), from.end(), range.min_ms, before);
  auto end = begin;
  while (end != from.end() && end->timestamp_ms <= range.max_ms) ++end;
  const auto middle = static_cast<std::ptrdiff_t>(to.size());
  to.insert(to.end(), begin, end);
  if (middle == 0) return;
  std::inplace_merge(to.begin(), to.begin() + middle, to.end(), [](const Entry& a, const Entry& b) {
    return a.timestamp_ms < b.timestamp_ms;
  });
}

template <typename Entry>
bool any_in_range(const std::vector<Entry>& entries, TimeRange range) {
  const auto at = std::lower_bound(entries.begin(), entries.end(), range.min_ms,
                                   [](const Entry& e, Timestamp t) { return e.timestamp_ms < t; });
  return at != entries.end() && at->timestamp_ms <= range.max_ms;
}

}  // namespace

Timestamp Shard::oldest_ms(const HotSeries& series) const {
  if (series.is(HotSeries::kOutOfOrder)) return TimeRange::all().min_ms;
  if (!series.is(HotSeries::kHasSamples)) return TimeRange::all().max_ms;
  // With closed or late samples the answer would cost a walk; the bound is used to leave out series
  // that began behind a range, which have neither.
  if (series.chunks != 0 || series.is(HotSeries::kHistograms)) return TimeRange::all().min_ms;
  return series.gorilla.count > 0 ? series.first_time() : series.last_time();
}

bool Shard::may_have(const HotSeries& series, SeriesId id, TimeRange range,
                     Timestamp in_order_from_ms) const {
  if (series.is(HotSeries::kOutOfOrder)) {
    const auto has = [&](const LateMap& map) {
      const auto found = map.find(static_cast<std::uint32_t>(id));
      return found != map.end() && (any_in_range(found->second.floats, range) ||
                                    any_in_range(found->second.histograms, range));
    };
    if (has(late_) || (in_order_from_ms < frozen_shown_before_ms_ && has(frozen_))) return true;
  }
  const Timestamp from = std::max(range.min_ms, in_order_from_ms);
  if (!series.is(HotSeries::kHasSamples) || from > range.max_ms || series.last_time() < from) {
    return false;
  }
  if (series.chunks != 0 || series.is(HotSeries::kHistograms)) return true;
  // Nothing closed: what was closed has been cut.
  return series.gorilla.count > 0 && series.first_time() <= range.max_ms;
}

bool Shard::newest_is_last(const HotSeries& series, SeriesId id) const {
  if (!series.is(HotSeries::kHasSamples)) return false;
  if (series.is(HotSeries::kDeleted)) {
    const auto found = deleted_.find(static_cast<std::uint32_t>(id));
    if (found != deleted_.end() && found->second.back().max_ms >= series.last_time()) return false;
  }
  if (!series.is(HotSeries::kOutOfOrder)) return true;
  for (const LateMap* map : {&late_, &frozen_}) {
    const auto found = map->find(static_cast<std::uint32_t>(id));
    if (found == map->end()) continue;
    const LateSeries& late = found->second;
    if (!late.floats.empty() && late.floats.back().timestamp_ms > series.last_time()) return false;
    if (!late.histograms.empty() && late.histograms.back().timestamp_ms > series.last_time()) {
      return false;
    }
  }
  return true;
}

Timestamp Shard::oldest_late_ms(Timestamp after_ms, Timestamp until_ms) {
  Timestamp oldest = TimeRange::all().max_ms;
  if (late_from_ms_ > until_ms) return oldest;
  // Of a million series that takes 190 ms in all, and samples that came were perhaps cut since.
  late_from_ms_ = oldest;
  const auto look = [&](const auto& ascending) {
    if (!ascending.empty()) {
      late_from_ms_ = std::min(late_from_ms_, ascending.front().timestamp_ms);
    }
    const auto first = std::upper_bound(
        ascending.begin(), ascending.end(), after_ms,
        [](Timestamp t, const auto& sample) { return t < sample.timestamp_ms; });
    if (first != ascending.end()) oldest = std::min(oldest, first->timestamp_ms);
  };
  for (const LateMap* map : {&late_, &frozen_}) {
    for (const auto& [id, late] : *map) {
      look(late.floats);
      look(late.histograms);
    }
  }
  return oldest;
}

void Shard::snapshot(const HotSeries& series, SeriesId id, TimeRange range, SeriesSnapshot& out,
                     Timestamp in_order_from_ms) const {
  out.clear();
  if (series.is(HotSeries::kOutOfOrder)) {
    const auto add = [&](const LateMap& map) {
      const auto found = map.find(static_cast<std::uint32_t>(id));
      if (found == map.end()) return;
      add_in_range(found->second.floats, range, out.late_floats);
      add_in_range(found->second.histograms, range, out.late_histograms);
    };
    add(late_);
    if (in_order_from_ms < frozen_shown_before_ms_) add(frozen_);
  }
  range.min_ms = std::max(range.min_ms, in_order_from_ms);
  if (!series.is(HotSeries::kHasSamples) || series.last_time() < range.min_ms || range.empty())
    return;
  if (series.gorilla.count > 0 && series.first_time() <= range.max_ms) {
    out.open = series.gorilla;
    out.open_first_ms = series.first_time();
    out.words.resize(series.gorilla.word_count);
    copy_words(series, out.words.data());
  }
  if (series.is(HotSeries::kHistograms)) {
    const HistogramSeries& histograms = *histograms_.at(static_cast<std::uint32_t>(id));
    if (histograms.appender.size() > 0 && histograms.first_ms <= range.max_ms) {
      const auto bytes = histograms.appender.bytes();
      out.open_histograms.assign(bytes.begin(), bytes.end());
    }
  }
  for_each_chunk(arena_, series, [&](const ChunkRef& chunk) {
    const TimeRange times = columns_[chunk.column].range;
    if (times.max_ms < range.min_ms) return false;
    if (times.min_ms <= range.max_ms) out.chunks.push_back(chunk);
    return true;
  });
  if (series.is(HotSeries::kDeleted)) {
    const auto found = deleted_.find(static_cast<std::uint32_t>(id));
    if (found != deleted_.end()) out.deleted = found->second;
  }
}

}  // namespace varve::storage::head
