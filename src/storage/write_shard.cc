// SPDX-License-Identifier: Apache-2.0
// The write path's second half: the samples of a batch go into the head, shard by shard, and each
// that it takes is staged for the log under the same lock.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <mutex>
#include <span>
#include <utility>

#include "base/check.h"
#include "storage/codec/histogram.h"
#include "storage/write_run.h"

namespace varve::storage {

using head::Appended;
using head::HotSeries;

namespace {

std::uint64_t bits(double value) { return std::bit_cast<std::uint64_t>(value); }

Timestamp newest_of(const HotSeries& series) {
  return series.is(HotSeries::kHasSamples) ? series.last_time() : TimeRange::all().min_ms;
}

}  // namespace

void WritePath::append_resolved(const WriteBatch& batch, Scratch& scratch, Run& run) {
  // A counting sort keeps the order of a batch within each shard, and so within each series.
  scratch.begins.fill(0);
  for (const SeriesId id : scratch.ids) {
    if (id != SeriesId::kNone) ++scratch.begins[head::shard_of(id) + 1];
  }
  for (unsigned i = 0; i < head::kShards; ++i) scratch.begins[i + 1] += scratch.begins[i];
  auto at = scratch.begins;
  scratch.sorted.resize(scratch.begins.back());
  for (std::uint32_t i = 0; i < scratch.ids.size(); ++i) {
    if (scratch.ids[i] != SeriesId::kNone) scratch.sorted[at[head::shard_of(scratch.ids[i])]++] = i;
  }
  const auto entries_of = [&scratch](unsigned shard) {
    const std::uint32_t begin = scratch.begins[shard];
    return std::span(scratch.sorted).subspan(begin, scratch.begins[shard + 1] - begin);
  };
  // Requests that come together would wait for each other at every shard, which costs more than
  // what is done there: who finds a shard taken comes back to it.
  std::array<unsigned, head::kShards> taken;
  std::size_t taken_count = 0;
  for (unsigned shard = 0; shard < head::kShards; ++shard) {
    if (entries_of(shard).empty()) continue;
    const std::unique_lock lock(head_.shard_at(shard).mutex, std::try_to_lock);
    if (lock.owns_lock()) {
      append_shard(batch, shard, entries_of(shard), scratch, run);
    } else {
      taken[taken_count++] = shard;
    }
  }
  for (const unsigned shard : std::span(taken).first(taken_count)) {
    const std::lock_guard lock(head_.shard_at(shard).mutex);
    append_shard(batch, shard, entries_of(shard), scratch, run);
  }
}

// The caller holds the shard's mutex.
void WritePath::append_shard(const WriteBatch& batch, unsigned shard,
                             std::span<const std::uint32_t> entries, Scratch& scratch, Run& run) {
  run.shard = &head_.shard_at(shard);
  run.staging = &staging_[shard];
  run.rule.in_order_from_ms = std::max(run.in_order_from_ms, run.shard->cut_ms());
  const std::size_t before = run.staging->encoder.size_bytes();
  constexpr std::size_t kAhead = 8;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (i + kAhead < entries.size()) {
      run.shard->prefetch_open(head_.series(scratch.ids[entries[i + kAhead]]));
    }
    const std::uint32_t at = entries[i];
    const SeriesId id = scratch.ids[at];
    const SeriesEntry& entry = batch.series[at];
    if (!head_.series(id).is(HotSeries::kKnown)) [[unlikely]] {
      scratch.ids[at] = SeriesId::kNone;
      scratch.retired.push_back(at);
      continue;
    }
    const Timestamp newest_before_ms = newest_of(head_.series(id));
    append_floats(batch, at, id, run);
    if (entry.histograms_count > 0) append_histograms(batch, at, id, newest_before_ms, run);
    if (entry.exemplars_count > 0) append_exemplars(batch, at, id, run);
  }
  const std::size_t after = run.staging->encoder.size_bytes();
  count_staged(before, after);
  // With nothing staged, all there is of this shard is in the frames before.
  const std::uint64_t seq = run.staging->position.seq;
  run.ticket = std::max(run.ticket, after == 0 ? seq - 1 : seq);
}

void WritePath::append_floats(const WriteBatch& batch, std::uint32_t entry_at, SeriesId id,
                              Run& run) {
  const SeriesEntry& entry = batch.series[entry_at];
  HotSeries& series = head_.series(id);
  const std::uint32_t segment = run.staging->position.segment;
  for (std::uint32_t i = 0; i < entry.samples_count; ++i) {
    const Sample& sample = batch.samples[entry.samples_begin + i];
    const Timestamp t = sample.timestamp_ms;
    if (t > run.newest_allowed_ms) [[unlikely]] {
      ++run.outcome->too_far_ahead;
      metrics_.out_of_bounds.add();
      if (entry_at < run.first.entry) {
        run.first = {entry_at, id, t, ErrorCode::kInvalidArgument,
                     "out of bounds: timestamp is too far in the future", Reach::kNone};
      }
      continue;
    }
    if (t < run.oldest_allowed_ms) [[unlikely]] {
      ++run.outcome->too_old;
      metrics_.out_of_bounds.add();
      if (entry_at < run.first.entry) {
        run.first = {entry_at, id, t, ErrorCode::kTooOld, "out of bounds", Reach::kRetention};
      }
      continue;
    }
    if (series.is(HotSeries::kLastHistogram) && is_stale(sample.value)) [[unlikely]] {
      // A series that ends as a histogram is marked stale as one.
      HistogramSample marker;
      marker.timestamp_ms = t;
      marker.histogram.sum = sample.value;
      append_histogram(id, marker, entry_at, true, run);
      continue;
    }
    const std::uint64_t previous = bits(series.gorilla.last_value);
    const Appended result = run.shard->append_float(series, id, t, sample.value, run.rule);
    if (result == Appended::kAppended) [[likely]] {
      run.staging->encoder.add_float(id, t, bits(sample.value), previous,
                                     series.log_segment() != segment);
      series.log_segment() = segment;
      run.min_ms = std::min(run.min_ms, t);
      run.max_ms = std::max(run.max_ms, t);
      ++run.outcome->samples_appended;
    } else if (result == Appended::kSame) {
      ++run.outcome->samples_appended;
    } else if (result == Appended::kOutOfOrder) {
      run.staging->encoder.add_late_float(id, sample);
      stamps_.bump({t, t});
      ++run.late;
      ++run.outcome->samples_appended;
    } else {
      Refusal refusal{entry_at, id, t, ErrorCode::kInvalidArgument, {}, Reach::kNone};
      if (result == Appended::kDuplicate && entry_at < run.first.entry) {
        refusal.text = series.is(HotSeries::kLastHistogram)
                           ? fmt::format(
                                 "duplicate sample for timestamp {}; overrides not "
                                 "allowed: existing is a histogram, new value {}",
                                 t, sample.value)
                           : fmt::format(
                                 "duplicate sample for timestamp {}; overrides not "
                                 "allowed: existing {}, new value {}",
                                 t, series.gorilla.last_value, sample.value);
      }
      count_refusal(result, false, run, std::move(refusal));
    }
  }
}

// A protobuf series lists its floats and its histograms apart, so how they were interleaved is
// lost. As Prometheus does, the histograms come after the floats, and those that are newer than the
// series was but not newer than these floats are dropped and counted without an error: sending them
// again could not help.
void WritePath::append_histograms(const WriteBatch& batch, std::uint32_t entry_at, SeriesId id,
                                  Timestamp newest_before_ms, Run& run) {
  const SeriesEntry& entry = batch.series[entry_at];
  const Timestamp newest_ms = newest_of(head_.series(id));
  for (std::uint32_t i = 0; i < entry.histograms_count; ++i) {
    const HistogramSample& sample = batch.histograms[entry.histograms_begin + i];
    if (sample.timestamp_ms > newest_before_ms && sample.timestamp_ms <= newest_ms &&
        !run.rule.open) {
      metrics_.out_of_order_histograms.add();
      continue;
    }
    append_histogram(id, sample, entry_at, false, run);
  }
}

void WritePath::append_histogram(SeriesId id, const HistogramSample& sample, std::uint32_t entry_at,
                                 bool from_float, Run& run) {
  const Timestamp t = sample.timestamp_ms;
  Status valid = codec::check_histogram(sample.histogram);
  if (!valid.ok()) {
    ++run.outcome->invalid_series;
    if (entry_at < run.first.entry) {
      run.first = {entry_at, id, t, valid.error().code(), valid.error().message(), Reach::kNone};
    }
    return;
  }
  if (t > run.newest_allowed_ms || t < run.oldest_allowed_ms) {
    const bool ahead = t > run.newest_allowed_ms;
    ++(ahead ? run.outcome->too_far_ahead : run.outcome->too_old);
    metrics_.out_of_bounds_histograms.add();
    if (entry_at < run.first.entry) {
      run.first = {entry_at, id, t, ahead ? ErrorCode::kInvalidArgument : ErrorCode::kTooOld,
                   ahead ? "out of bounds: timestamp is too far in the future" : "out of bounds",
                   ahead ? Reach::kNone : Reach::kRetention};
    }
    return;
  }
  HotSeries& series = head_.series(id);
  const Appended result = run.shard->append_histogram(series, id, t, sample.histogram, run.rule);
  std::uint64_t& appended =
      from_float ? run.outcome->samples_appended : run.outcome->histograms_appended;
  if (result == Appended::kAppended || result == Appended::kOutOfOrder) {
    const bool late = result == Appended::kOutOfOrder;
    run.staging->encoder.add_histogram(id, sample, late);
    if (late) {
      stamps_.bump({t, t});
      ++run.late_histograms;
    } else {
      run.min_ms = std::min(run.min_ms, t);
      run.max_ms = std::max(run.max_ms, t);
    }
    ++appended;
  } else if (result == Appended::kSame) {
    ++appended;
  } else {
    count_refusal(result, true, run,
                  {entry_at, id, t, ErrorCode::kInvalidArgument,
                   result == Appended::kDuplicate ? "duplicate sample for timestamp" : "",
                   Reach::kNone});
  }
}

void WritePath::append_exemplars(const WriteBatch& batch, std::uint32_t entry_at, SeriesId id,
                                 Run& run) {
  const SeriesEntry& entry = batch.series[entry_at];
  for (std::uint32_t i = 0; i < entry.exemplars_count; ++i) {
    const ExemplarSample& exemplar = batch.exemplars[entry.exemplars_begin + i];
    // A refused exemplar (out of order, labels too long) does not fail the write, as in Prometheus.
    const auto added = head_.exemplars().add(id, exemplar);
    if (!added.ok()) continue;
    if (*added == head::ExemplarRing::Added::kAdded) {
      run.staging->encoder.add_exemplar(id, exemplar);
      ++run.outcome->exemplars_appended;
    }
  }
}

void WritePath::count_refusal(Appended result, bool histogram, Run& run, Refusal refusal) {
  switch (result) {
    case Appended::kDuplicate:
      ++run.outcome->duplicate;
      metrics_.duplicates.add();
      refusal.code = ErrorCode::kDuplicate;
      break;
    case Appended::kRefusedOrder:
      ++run.outcome->out_of_order;
      (histogram ? metrics_.out_of_order_histograms : metrics_.out_of_order).add();
      refusal.code = ErrorCode::kOutOfOrder;
      refusal.text = "out of order sample";
      refusal.reach = Reach::kOutOfOrderWindow;
      break;
    case Appended::kOutOfBounds:
      ++run.outcome->too_old;
      (histogram ? metrics_.out_of_bounds_histograms : metrics_.out_of_bounds).add();
      refusal.code = ErrorCode::kTooOld;
      refusal.text = "out of bounds";
      refusal.reach = Reach::kOutOfOrderWindow;
      break;
    default:
      VARVE_DCHECK(result == Appended::kTooOld);
      ++run.outcome->too_old;
      (histogram ? metrics_.too_old_histograms : metrics_.too_old).add();
      refusal.code = ErrorCode::kTooOld;
      refusal.text = "too old sample";
      refusal.reach = Reach::kOutOfOrderWindow;
      break;
  }
  if (refusal.entry < run.first.entry) run.first = std::move(refusal);
}

}  // namespace varve::storage
