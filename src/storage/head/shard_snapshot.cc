// SPDX-License-Identifier: Apache-2.0
// Copying a shard into an image, and back.
#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "storage/head/late_memory.h"
#include "storage/head/shard.h"
#include "storage/head/shard_image.h"

namespace varve::storage::head {

void Shard::prefetch_blocks(std::span<const HotSeries> series) const {
  // All chains a block further at a time: the steps along one wait for each other, those of others
  // do not.
  std::array<BlockRef, 2 * kNeighbours> chains;
  std::size_t count = 0;
  const auto add = [&](BlockRef ref) {
    if (ref == 0) return;
    arena_.prefetch(ref);
    chains[count++] = ref;
  };
  VARVE_CHECK(series.size() <= kNeighbours);
  for (const HotSeries& s : series) {
    add(s.words);
    add(s.chunks);
  }
  while (count > 0) {
    const std::size_t steps = std::exchange(count, 0);
    for (std::size_t i = 0; i < steps; ++i) add(arena_.at(chains[i]).older);
  }
}

void Shard::copy_series(const HotSeries& series, SeriesId id, ShardImage& image) const {
  image.ids.push_back(static_cast<std::uint32_t>(id));
  image.hot.push_back(series);
  if (series.gorilla.word_count > 0) {
    image.words.resize(image.words.size() + series.gorilla.word_count);
    copy_words(series, image.words.data() + image.words.size() - series.gorilla.word_count);
  }
  const std::size_t before = image.chunks.size();
  for_each_chunk(arena_, series, [&image](const ChunkRef& chunk) {
    image.chunks.push_back(chunk);
    return true;
  });
  image.chunk_counts.push_back(static_cast<std::uint32_t>(image.chunks.size() - before));
  if (series.is(HotSeries::kHistograms)) {
    const HistogramSeries& from = *histograms_.at(static_cast<std::uint32_t>(id));
    ShardImage::Histograms& to = image.histograms.emplace_back();
    to.id = static_cast<std::uint32_t>(id);
    to.first_ms = from.first_ms;
    to.last_ms = from.appender.last_time();
    const auto open = from.appender.bytes();
    to.open.assign(open.begin(), open.end());
    if (to.open.empty()) to.last = from.appender.last();
  }
  if (series.is(HotSeries::kOutOfOrder)) {
    const auto copy = [id](const LateMap& map, std::vector<ShardImage::Late>& out) {
      const auto found = map.find(static_cast<std::uint32_t>(id));
      if (found == map.end()) return;
      out.push_back(
          {static_cast<std::uint32_t>(id), found->second.floats, found->second.histograms});
    };
    copy(late_, image.late);
    copy(frozen_, image.frozen);
  }
  if (series.is(HotSeries::kDeleted)) {
    image.deleted.push_back(
        {static_cast<std::uint32_t>(id), deleted_.at(static_cast<std::uint32_t>(id))});
  }
  image.frozen_before_ms = frozen_before_ms_;
}

void Shard::restore_series(HotSeries& series, const HotSeries& hot, const std::uint64_t* from,
                           std::span<const ChunkRef> chunks) {
  VARVE_CHECK(series.words == 0 && series.chunks == 0);
  series = hot;
  series.words = 0;
  series.chunks = 0;
  series.gorilla.owner_word = 0;  // no segment of the log has a value of it
  if (series.gorilla.count > 0) {
    add_words(series, 0, std::span(from, series.gorilla.word_count));
    ++counts_.chunks_open;
  }
  push_chunks(arena_, series, chunks);
  counts_.chunks_closed += chunks.size();
}

Status Shard::restore_histograms(HotSeries& series, const ShardImage::Histograms& from) {
  auto restored = std::make_unique<HistogramSeries>();
  restored->first_ms = from.first_ms;
  Status status = restored->appender.restore(from.open, from.last_ms, from.last);
  if (!status.ok()) {
    series.unset(HotSeries::kHistograms);
    series.unset(HotSeries::kLastHistogram);
    return status;
  }
  if (restored->appender.size() > 0) ++counts_.chunks_open;
  recharge(*restored);
  histograms_[from.id] = std::move(restored);
  return {};
}

void Shard::restore_late(HotSeries& series, ShardImage::Late from) {
  LateSeries& late = late_[from.id];
  const auto merge = [](auto& to, auto& entries) {
    const auto middle = static_cast<std::ptrdiff_t>(to.size());
    to.insert(to.end(), std::make_move_iterator(entries.begin()),
              std::make_move_iterator(entries.end()));
    std::inplace_merge(to.begin(), to.begin() + middle, to.end(), [](const auto& a, const auto& b) {
      return a.timestamp_ms < b.timestamp_ms;
    });
  };
  side_account_.charge(memory_of(from.floats) + memory_of(from.histograms));
  merge(late.floats, from.floats);
  merge(late.histograms, from.histograms);
  if (!late.floats.empty()) late_from_ms_ = std::min(late_from_ms_, late.floats[0].timestamp_ms);
  if (!late.histograms.empty()) {
    late_from_ms_ = std::min(late_from_ms_, late.histograms[0].timestamp_ms);
  }
  late.change = ++late_changes_;
  series.set(HotSeries::kOutOfOrder);
}

void Shard::restore_deleted(HotSeries& series, ShardImage::Deleted from) {
  series.set(HotSeries::kDeleted);
  deleted_[from.id] = std::move(from.ranges);
}

Timestamp Shard::forget_before(HotSeries& series, SeriesId id, Timestamp before_ms, TakeLate late) {
  if (late == TakeLate::kAll && series.is(HotSeries::kOutOfOrder)) {
    erase_late(late_, series, id, {TimeRange::all().min_ms, before_ms - 1});
  }
  if (series.is(HotSeries::kHasSamples) && series.range_end <= before_ms) {
    if (series.gorilla.count > 0) {
      reset_open(series);
      --counts_.chunks_open;
    }
    if (series.is(HotSeries::kHistograms)) {
      HistogramSeries& histograms = *histograms_.at(static_cast<std::uint32_t>(id));
      if (histograms.appender.size() > 0) {
        static_cast<void>(histograms.appender.finish());
        --counts_.chunks_open;
        recharge(histograms);
      }
    }
  }
  return trim(series, id, before_ms);
}

}  // namespace varve::storage::head
