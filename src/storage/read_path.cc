// SPDX-License-Identifier: Apache-2.0
#include "storage/read_path.h"

#include <xxhash.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/try.h"
#include "storage/codec/dense.h"
#include "storage/codec/gorilla.h"
#include "storage/codec/histogram.h"
#include "storage/selection_cache.h"

namespace varve::storage {
namespace {

using head::ChunkRef;
using head::HotSeries;

TimeRange intersection(TimeRange a, TimeRange b) {
  return {std::max(a.min_ms, b.min_ms), std::min(a.max_ms, b.max_ms)};
}

// Positions [begin, end) of the times inside a range.
std::pair<std::size_t, std::size_t> clip(std::span<const Timestamp> times, TimeRange range) {
  std::size_t begin = 0;
  std::size_t end = times.size();
  if (!times.empty() && times.front() < range.min_ms) {
    begin = static_cast<std::size_t>(
        std::lower_bound(times.begin(), times.end(), range.min_ms) - times.begin());
  }
  if (!times.empty() && times.back() > range.max_ms) {
    end = static_cast<std::size_t>(
        std::upper_bound(times.begin(), times.end(), range.max_ms) - times.begin());
  }
  return {begin, std::max(begin, end)};
}

std::uint64_t mix(std::uint64_t state, std::uint64_t value) {
  state = (state ^ value) * 0x9fb21c651e98df25ULL;
  return state ^ (state >> 32);
}

// What one thread reuses from read to read.
struct ReadScratch {
  head::SeriesSnapshot snapshot;
  std::vector<char> bytes;
  std::vector<char> column_bytes;
  std::vector<Timestamp> times;
  std::vector<HistogramPtr> histograms;
};
ReadScratch& scratch_of_thread() {
  static thread_local ReadScratch scratch;
  return scratch;
}

// Visits series in order, under the lock of each one's shard; neighbours share one locking.
template <typename Visit>
void visit_locked(const head::Head& head, std::size_t count, const auto& id_at, const Visit& visit) {
  std::unique_lock<std::mutex> lock;
  unsigned locked = head::kShards;
  for (std::size_t i = 0; i < count; ++i) {
    const SeriesId id = id_at(i);
    if (head::shard_of(id) != locked) {
      locked = head::shard_of(id);
      if (lock.owns_lock()) lock.unlock();
      lock = std::unique_lock(head.shard_at(locked).mutex);
    }
    visit(i, id, head.shard_at(locked));
  }
}

class HeadSelection final : public Selection {
 public:
  HeadSelection(const head::Head& head, std::shared_ptr<const index::HeadIndex> index, index::Ids ids,
                TimeRange range, ReadObservers observers)
      : head_(head),
        index_(std::move(index)),
        ids_(std::move(ids)),
        range_(range),
        observers_(observers),
        cache_(head.spill(), head.columns(), observers.memory) {}

  std::size_t size() const override { return ids_.size(); }
  Labels labels(std::size_t series) const override { return index_->labels(ids_[series]); }
  LabelColumn label_column(std::string_view name) const override {
    return index_->label_column(ids_, name);
  }

  Status read(std::size_t series, TimeRange range, SeriesSamples& out) const override;
  Status read_last(std::span<const std::uint32_t> series, TimeRange range,
                   std::span<LastSample> out) const override;

 private:
  Status decode_closed(const ChunkRef& chunk, TimeRange range, ReadScratch& scratch,
                       SeriesSamples& out) const;
  void decode_open(TimeRange range, ReadScratch& scratch, SeriesSamples& out) const;
  Status decode_histograms(std::span<const std::uint8_t> bytes, TimeRange range,
                           ReadScratch& scratch, SeriesSamples& out) const;
  // Some of the newest samples in the range, if there are any.
  Status read_newest(std::size_t series, TimeRange range, SeriesSamples& out) const;
  // Names the series and counts.
  Error damaged(Error error, std::size_t series) const;

  const head::Head& head_;
  const std::shared_ptr<const index::HeadIndex> index_;
  const index::Ids ids_;
  const TimeRange range_;
  const ReadObservers observers_;
  mutable SelectionCache cache_;
};

// Puts the samples that came out of order between the others. Where both have a time, the sample
// that came in order is kept.
template <typename Late, typename Value, typename Get>
void merge_late(const std::vector<Late>& late, std::vector<Timestamp>& times,
                std::vector<Value>& values, const Get& get) {
  if (late.empty()) return;
  std::vector<Timestamp> merged_times;
  std::vector<Value> merged_values;
  merged_times.reserve(times.size() + late.size());
  merged_values.reserve(times.size() + late.size());
  std::size_t at = 0;
  const auto take = [&] {
    merged_times.push_back(times[at]);
    merged_values.push_back(std::move(values[at]));
    ++at;
  };
  for (const Late& sample : late) {
    while (at < times.size() && times[at] < sample.timestamp_ms) take();
    if (at < times.size() && times[at] == sample.timestamp_ms) continue;
    merged_times.push_back(sample.timestamp_ms);
    merged_values.push_back(get(sample));
  }
  while (at < times.size()) take();
  times = std::move(merged_times);
  values = std::move(merged_values);
}

// A time belongs to one sample only: a late one of the other kind gives way.
template <typename Late>
void drop_taken(std::vector<Late>& late, const std::vector<Timestamp>& taken) {
  std::erase_if(late, [&taken](const Late& sample) {
    return std::binary_search(taken.begin(), taken.end(), sample.timestamp_ms);
  });
}

Status HeadSelection::read(std::size_t series, TimeRange range, SeriesSamples& out) const {
  out.clear();
  range = intersection(range, range_);
  if (range.empty()) return {};
  const SeriesId id = ids_[series];
  ReadScratch& scratch = scratch_of_thread();
  head::SeriesSnapshot& snapshot = scratch.snapshot;
  {
    const std::lock_guard lock(head_.shard(id).mutex);
    head_.shard(id).snapshot(head_.series(id), id, range, snapshot);
  }
  for (std::size_t i = snapshot.chunks.size(); i-- > 0;) {
    Status status = decode_closed(snapshot.chunks[i], range, scratch, out);
    if (!status.ok()) {
      if (status.error().code() == ErrorCode::kNotFound) continue;  // expired while we read
      out.clear();
      return damaged(std::move(status).error(), series);
    }
  }
  if (snapshot.open.count > 0) decode_open(range, scratch, out);
  if (!snapshot.open_histograms.empty()) {
    Status status = decode_histograms(snapshot.open_histograms, range, scratch, out);
    if (!status.ok()) return damaged(std::move(status).error(), series);
  }
  if (!snapshot.late_floats.empty() || !snapshot.late_histograms.empty()) {
    drop_taken(snapshot.late_floats, out.histogram_times);
    drop_taken(snapshot.late_histograms, out.float_times);
    merge_late(snapshot.late_floats, out.float_times, out.float_values,
               [](const Sample& s) { return s.value; });
    merge_late(snapshot.late_histograms, out.histogram_times, out.histograms,
               [](const HistogramPoint& p) { return p.histogram; });
    out.times_id = 0;
  }
  return {};
}

Status HeadSelection::decode_closed(const ChunkRef& chunk, TimeRange range, ReadScratch& scratch,
                                    SeriesSamples& out) const {
  VARVE_TRY_ASSIGN(const std::string_view bytes,
                   cache_.bytes(chunk.place, chunk.checksum, scratch.bytes));
  const std::span<const std::uint8_t> input(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                            bytes.size());
  if (chunk.place.tag() == ChunkRef::kHistograms) {
    return decode_histograms(input, range, scratch, out);
  }
  VARVE_TRY_ASSIGN(const std::vector<Timestamp>* times,
                   cache_.times(chunk.column, scratch.column_bytes));
  const auto [begin, end] = clip(*times, range);
  if (begin == end) return {};
  const std::size_t before = out.float_values.size();
  if (begin == 0) {
    // Whole, or cut at its end: decoded in place.
    out.float_values.resize(before + times->size());
    VARVE_TRY(codec::decode_values(input, times->size(), out.float_values.data() + before));
    out.float_values.resize(before + end);
  } else {
    double values[codec::kDenseSamplesMax];
    if (times->size() > codec::kDenseSamplesMax) {
      return Error(ErrorCode::kCorruption, "time column is longer than a chunk");
    }
    VARVE_TRY(codec::decode_values(input, times->size(), values));
    out.float_values.insert(out.float_values.end(), values + begin, values + end);
  }
  out.float_times.insert(out.float_times.end(),
                         times->begin() + static_cast<std::ptrdiff_t>(begin),
                         times->begin() + static_cast<std::ptrdiff_t>(end));
  out.times_id = mix(out.times_id, (std::uint64_t{chunk.column} << 16) | (begin << 8) | end) | 1;
  return {};
}

void HeadSelection::decode_open(TimeRange range, ReadScratch& scratch, SeriesSamples& out) const {
  const head::SeriesSnapshot& snapshot = scratch.snapshot;
  const std::size_t count = snapshot.open.count;
  const std::size_t before = out.float_values.size();
  scratch.times.resize(count);
  out.float_values.resize(before + count);
  codec::gorilla_decode(snapshot.open, snapshot.words.data(), scratch.times.data(),
                        out.float_values.data() + before);
  const auto [begin, end] = clip(scratch.times, range);
  if (begin > 0) {
    std::copy(out.float_values.begin() + static_cast<std::ptrdiff_t>(before + begin),
              out.float_values.begin() + static_cast<std::ptrdiff_t>(before + end),
              out.float_values.begin() + static_cast<std::ptrdiff_t>(before));
  }
  out.float_values.resize(before + end - begin);
  if (begin == end) return;
  const Timestamp* first = scratch.times.data() + begin;
  out.float_times.insert(out.float_times.end(), first, first + (end - begin));
  out.times_id = mix(out.times_id, XXH3_64bits(first, (end - begin) * sizeof(Timestamp))) | 1;
}

Status HeadSelection::decode_histograms(std::span<const std::uint8_t> bytes, TimeRange range,
                                        ReadScratch& scratch, SeriesSamples& out) const {
  scratch.times.clear();
  scratch.histograms.clear();
  VARVE_TRY(codec::decode_histograms(bytes, scratch.times, scratch.histograms));
  for (std::size_t i = 0; i < scratch.times.size(); ++i) {
    if (!range.contains(scratch.times[i])) continue;
    out.histogram_times.push_back(scratch.times[i]);
    out.histograms.push_back(std::move(scratch.histograms[i]));
  }
  scratch.histograms.clear();
  return {};
}

Error HeadSelection::damaged(Error error, std::size_t series) const {
  observers_.corrupt_chunks.add();
  return std::move(error).with("series " + labels(series).to_string());
}

// Looks near the end first: a day would be decoded for its last sample.
Status HeadSelection::read_newest(std::size_t series, TimeRange range, SeriesSamples& out) const {
  constexpr std::int64_t kMinuteMs = 60'000;
  // Unsigned, as the range may be all of time.
  const auto span_ms =
      static_cast<std::uint64_t>(range.max_ms) - static_cast<std::uint64_t>(range.min_ms);
  for (const std::int64_t look_ms : {5 * kMinuteMs, 120 * kMinuteMs}) {
    if (range.empty() || span_ms <= static_cast<std::uint64_t>(look_ms)) break;
    VARVE_TRY(read(series, {range.max_ms - look_ms, range.max_ms}, out));
    if (!out.float_times.empty() || !out.histogram_times.empty()) return {};
  }
  return read(series, range, out);
}

Status HeadSelection::read_last(std::span<const std::uint32_t> series, TimeRange range,
                                std::span<LastSample> out) const {
  range = intersection(range, range_);
  std::vector<std::uint32_t> behind;  // positions whose newest sample is newer than the range
  visit_locked(
      head_, series.size(), [&](std::size_t i) { return ids_[series[i]]; },
      [&](std::size_t i, SeriesId id, const head::Shard& shard) {
        constexpr std::size_t kAhead = 8;
        if (i + kAhead < series.size()) __builtin_prefetch(&head_.series(ids_[series[i + kAhead]]));
        const HotSeries& hot = head_.series(id);
        LastSample& last = out[i];
        last = {};
        if (range.empty() || !hot.is(HotSeries::kHasSamples) || hot.last_time() < range.min_ms) {
          return;
        }
        if (hot.last_time() > range.max_ms) {
          behind.push_back(static_cast<std::uint32_t>(i));
          return;
        }
        last.timestamp_ms = hot.last_time();
        if (hot.is(HotSeries::kLastHistogram)) {
          last.kind = LastSample::Kind::kHistogram;
          last.histogram = shard.last_histogram(id);
        } else {
          last.kind = LastSample::Kind::kFloat;
          last.value = hot.gorilla.last_value;
        }
      });
  SeriesSamples samples;
  for (const std::uint32_t i : behind) {
    VARVE_TRY(read_newest(series[i], range, samples));
    LastSample& last = out[i];
    if (!samples.float_times.empty()) {
      last.kind = LastSample::Kind::kFloat;
      last.timestamp_ms = samples.float_times.back();
      last.value = samples.float_values.back();
    }
    if (!samples.histogram_times.empty() &&
        (last.kind == LastSample::Kind::kNone ||
         samples.histogram_times.back() > last.timestamp_ms)) {
      last.kind = LastSample::Kind::kHistogram;
      last.timestamp_ms = samples.histogram_times.back();
      last.histogram = samples.histograms.back();
    }
  }
  return {};
}

class HeadQuerier final : public Querier {
 public:
  HeadQuerier(const head::Head& head, TimeRange range, ReadObservers observers)
      : head_(head), index_(head.index()), bound_(index_->bound()), range_(range), observers_(observers) {}

  Result<std::unique_ptr<Selection>> select(std::span<const model::Matcher> matchers,
                                            TimeRange range, const SelectHints& hints) override {
    range = intersection(range, range_);
    VARVE_TRY_ASSIGN(index::Ids ids, find(matchers, range));
    if (hints.series_max != 0 && ids.size() > hints.series_max) {
      return Error(ErrorCode::kLimitExceeded,
                   "the selector matches " + std::to_string(ids.size()) +
                       " series, more than the limit of " + std::to_string(hints.series_max));
    }
    return std::unique_ptr<Selection>(
        std::make_unique<HeadSelection>(head_, index_, std::move(ids), range, observers_));
  }

  Result<Names> label_names(std::span<const model::Matcher> matchers, TimeRange range,
                            std::size_t limit) override {
    range = intersection(range, range_);
    if (matchers.empty()) {
      return limited(touches(range) ? index_->label_names(bound_)
                                    : std::vector<std::string>(),
                     limit);
    }
    VARVE_TRY_ASSIGN(const index::Ids ids, find(matchers, range));
    return limited(index_->label_names(ids), limit);
  }

  Result<Names> label_values(std::string_view label, std::span<const model::Matcher> matchers,
                             TimeRange range, std::size_t limit) override {
    range = intersection(range, range_);
    if (matchers.empty()) {
      return limited(touches(range) ? index_->label_values(label, bound_)
                                    : std::vector<std::string>(),
                     limit);
    }
    VARVE_TRY_ASSIGN(const index::Ids ids, find(matchers, range));
    return limited(index_->label_values(label, ids), limit);
  }

 private:
  bool touches(TimeRange range) const {
    return !range.empty() && range.overlaps({head_.min_time_ms(), head_.max_time_ms()});
  }

  // The series that match and may have samples in the range.
  Result<index::Ids> find(std::span<const model::Matcher> matchers, TimeRange range) const {
    VARVE_TRY_ASSIGN(index::Ids ids, index_->select(matchers, bound_));
    if (range.empty()) ids.clear();
    std::size_t kept = 0;
    visit_locked(
        head_, ids.size(), [&ids](std::size_t i) { return ids[i]; },
        [&](std::size_t i, SeriesId id, const head::Shard& shard) {
          constexpr std::size_t kAhead = 8;
          if (i + kAhead < ids.size()) __builtin_prefetch(&head_.series(ids[i + kAhead]));
          const HotSeries& hot = head_.series(id);
          if (!hot.is(HotSeries::kHasSamples) || hot.last_time() < range.min_ms) return;
          if (shard.oldest_ms(hot) > range.max_ms) return;
          ids[kept++] = id;
        });
    ids.resize(kept);
    return ids;
  }

  static Names limited(std::vector<std::string> names, std::size_t limit) {
    Names result;
    result.truncated = limit != 0 && names.size() > limit;
    if (result.truncated) names.resize(limit);
    result.names = std::move(names);
    return result;
  }

  const head::Head& head_;
  const std::shared_ptr<const index::HeadIndex> index_;
  const SeriesId bound_;
  const TimeRange range_;
  const ReadObservers observers_;
};

}  // namespace

std::unique_ptr<Querier> make_head_querier(const head::Head& head, TimeRange range,
                                           ReadObservers observers) {
  return std::make_unique<HeadQuerier>(head, range, observers);
}

}  // namespace varve::storage
