// SPDX-License-Identifier: Apache-2.0
#include "storage/head_selection.h"

#include <xxhash.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/try.h"
#include "storage/chunk_decode.h"
#include "storage/codec/gorilla.h"
#include "storage/sample_merge.h"

namespace varve::storage {
namespace {

using head::ChunkRef;
using head::HotSeries;

// What one thread reuses from read to read.
struct ReadScratch {
  head::SeriesSnapshot snapshot;
  std::vector<char> bytes;
  std::vector<char> column_bytes;
  std::vector<Timestamp> times;
};
ReadScratch& scratch_of_thread() {
  static thread_local ReadScratch scratch;
  return scratch;
}

// Visits series in order, under the lock of each one's shard; neighbours share one locking.
template <typename Visit>
void visit_locked(const head::Head& head, std::size_t count, const auto& id_at,
                  const Visit& visit) {
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

}  // namespace

Result<index::Ids> find_in_head(const HeadView& view, std::span<const model::Matcher> matchers,
                                TimeRange range) {
  const head::Head& head = *view.head;
  VARVE_TRY_ASSIGN(index::Ids ids, view.index->select(matchers, view.bound));
  if (range.empty()) ids.clear();
  std::size_t kept = 0;
  visit_locked(
      head, ids.size(), [&ids](std::size_t i) { return ids[i]; },
      [&](std::size_t i, SeriesId id, const head::Shard& shard) {
        constexpr std::size_t kAhead = 8;
        if (i + kAhead < ids.size()) __builtin_prefetch(&head.series(ids[i + kAhead]));
        if (shard.may_have(head.series(id), id, range, view.in_order_from_ms)) ids[kept++] = id;
      });
  ids.resize(kept);
  return ids;
}

HeadSelection::HeadSelection(HeadView view, index::Ids ids, TimeRange range, ReadContext& context,
                             std::shared_ptr<SelectionCache> cache)
    : view_(std::move(view)),
      ids_(std::move(ids)),
      range_(range),
      context_(context),
      cache_(std::move(cache)) {}

bool HeadSelection::append_in_order(std::size_t series, TimeRange range, SeriesSamples& out) const {
  const SeriesId id = ids_[series];
  head::SeriesSnapshot& snapshot = scratch_of_thread().snapshot;
  {
    head::Shard& shard = view_.head->shard(id);
    const std::lock_guard lock(shard.mutex);
    shard.snapshot(view_.head->series(id), id, range, snapshot, view_.in_order_from_ms);
  }
  range.min_ms = std::max(range.min_ms, view_.in_order_from_ms);
  if (range.empty()) return true;
  const std::size_t floats_before = out.float_times.size();
  const std::size_t histograms_before = out.histogram_times.size();
  bool known = true;
  const auto check = [&](const Status& status) {
    // Not found: expired while we read.
    if (status.ok() || status.error().code() == ErrorCode::kNotFound) return;
    context_.damaged("the head", status.error());
    known = false;
  };
  for (std::size_t i = snapshot.chunks.size(); i-- > 0;) {
    check(decode_closed(snapshot.chunks[i], range, out));
  }
  if (snapshot.open.count > 0) decode_open(range, out);
  if (!snapshot.open_histograms.empty()) {
    check(append_histograms(snapshot.open_histograms, range, out));
  }
  if (erase_ranges(snapshot.deleted, floats_before, histograms_before, out)) known = false;
  return known;
}

void HeadSelection::merge_late_of_last(SeriesSamples& out) const {
  const head::SeriesSnapshot& snapshot = scratch_of_thread().snapshot;
  merge_late(out, snapshot.late_floats, snapshot.late_histograms);
}

Status HeadSelection::read(std::size_t series, TimeRange range, SeriesSamples& out) const {
  out.clear();
  range = intersection(range, range_);
  if (range.empty()) return {};
  if (!append_in_order(series, range, out)) out.times_id = 0;
  merge_late_of_last(out);
  return {};
}

Status HeadSelection::decode_closed(const ChunkRef& chunk, TimeRange range,
                                    SeriesSamples& out) const {
  ReadScratch& scratch = scratch_of_thread();
  VARVE_TRY_ASSIGN(const std::string_view bytes,
                   cache_->bytes(chunk.place, scratch.bytes));
  if (chunk.place.tag() == ChunkRef::kHistograms) {
    return append_histograms(
        {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, range, out);
  }
  VARVE_TRY_ASSIGN(const DecodedTimes* times, cache_->times(chunk.column, scratch.column_bytes));
  return append_floats(bytes, *times, range, out);
}

void HeadSelection::decode_open(TimeRange range, SeriesSamples& out) const {
  ReadScratch& scratch = scratch_of_thread();
  const head::SeriesSnapshot& snapshot = scratch.snapshot;
  const std::size_t count = snapshot.open.count;
  const std::size_t before = out.float_values.size();
  scratch.times.resize(count);
  out.float_values.resize(before + count);
  codec::gorilla_decode(snapshot.open, snapshot.words.data(), scratch.times.data(),
                        out.float_values.data() + before);
  const auto [begin, end] = clip(scratch.times, range);
  if (begin > 0) {
    double* decoded = out.float_values.data() + before;
    std::copy(decoded + begin, decoded + end, decoded);
  }
  out.float_values.resize(before + end - begin);
  if (begin == end) return;
  const std::span<const Timestamp> times =
      std::span<const Timestamp>(scratch.times).subspan(begin, end - begin);
  out.times_id = mix_times(out.times_id, XXH3_64bits(times.data(), times.size_bytes()));
  out.float_times.append(times, out.times_id);
}

// Looks near the end first: a day would be decoded for its last sample.
void HeadSelection::read_newest(std::size_t series, TimeRange range, SeriesSamples& out) const {
  constexpr std::int64_t kMinuteMs = 60'000;
  // Unsigned, as the range may be all of time.
  const auto span_ms =
      static_cast<std::uint64_t>(range.max_ms) - static_cast<std::uint64_t>(range.min_ms);
  for (const std::int64_t look_ms : {5 * kMinuteMs, 120 * kMinuteMs}) {
    if (range.empty() || span_ms <= static_cast<std::uint64_t>(look_ms)) break;
    static_cast<void>(read(series, {range.max_ms - look_ms, range.max_ms}, out).ok());
    if (!out.float_times.empty() || !out.histogram_times.empty()) return;
  }
  static_cast<void>(read(series, range, out).ok());
}

Status HeadSelection::read_last(std::span<const std::uint32_t> series, TimeRange range,
                                std::span<LastSample> out) const {
  range = intersection(range, range_);
  std::vector<std::uint32_t> behind;  // positions whose newest sample is not the one in the range
  const Timestamp from_ms = std::max(range.min_ms, view_.in_order_from_ms);
  visit_locked(
      *view_.head, series.size(), [&](std::size_t i) { return ids_[series[i]]; },
      [&](std::size_t i, SeriesId id, const head::Shard& shard) {
        constexpr std::size_t kAhead = 8;
        if (i + kAhead < series.size()) {
          __builtin_prefetch(&view_.head->series(ids_[series[i + kAhead]]));
        }
        const HotSeries& hot = view_.head->series(id);
        LastSample& last = out[i];
        last = {};
        if (range.empty()) return;
        const bool late = hot.is(HotSeries::kOutOfOrder);
        if (!hot.is(HotSeries::kHasSamples) || hot.last_time() < from_ms) {
          if (late) behind.push_back(static_cast<std::uint32_t>(i));
          return;
        }
        if (hot.last_time() > range.max_ms || !shard.newest_is_last(hot, id)) {
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
    read_newest(series[i], range, samples);
    take_newest(samples, out[i]);
  }
  return {};
}

}  // namespace varve::storage
