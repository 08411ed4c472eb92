// SPDX-License-Identifier: Apache-2.0
#include "storage/sample_merge.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "storage/chunk_decode.h"

namespace varve::storage {
namespace {

// Merges (times, values) with `count` others, given by time_at(i) and value_at(i); those whose time
// is taken, here or among the samples of the other kind, are left out.
template <typename Times, typename Values, typename TimeAt, typename ValueAt>
void merge_columns(Times& times, Values& values, std::span<const Timestamp> other_kind,
                   std::size_t count, const TimeAt& time_at, const ValueAt& value_at) {
  if (count == 0) return;
  Times merged_times;
  Values merged_values;
  merged_times.reserve(times.size() + count);
  merged_values.reserve(times.size() + count);
  std::size_t at = 0;
  const auto take = [&] {
    merged_times.push_back(times[at]);
    merged_values.push_back(std::move(values[at]));
    ++at;
  };
  for (std::size_t i = 0; i < count; ++i) {
    const Timestamp t = time_at(i);
    while (at < times.size() && times[at] < t) take();
    if (at < times.size() && times[at] == t) continue;
    if (std::binary_search(other_kind.begin(), other_kind.end(), t)) continue;
    merged_times.push_back(t);
    merged_values.push_back(value_at(i));
  }
  while (at < times.size()) take();
  times = std::move(merged_times);
  values = std::move(merged_values);
}

Timestamp* writable(RecalledTimes& times) { return times.mutable_data(); }
Timestamp* writable(std::vector<Timestamp>& times) { return times.data(); }

template <typename Times, typename Values>
bool erase_column(std::span<const TimeRange> ranges, std::size_t from, Times& times,
                  Values& values) {
  auto range = ranges.begin();
  const auto erased = [&](std::size_t i) {
    while (range != ranges.end() && range->max_ms < times[i]) ++range;
    return range != ranges.end() && range->contains(times[i]);
  };
  std::size_t kept = from;
  while (kept < times.size() && !erased(kept)) ++kept;
  if (kept == times.size()) return false;
  Timestamp* const moved = writable(times);
  for (std::size_t i = kept + 1; i < times.size(); ++i) {
    if (erased(i)) continue;
    moved[kept] = moved[i];
    values[kept] = std::move(values[i]);
    ++kept;
  }
  times.resize(kept);
  values.resize(kept);
  return true;
}

}  // namespace

Timestamp newest_time(const SeriesSamples& samples) {
  Timestamp newest = TimeRange::all().min_ms;
  if (!samples.float_times.empty()) newest = samples.float_times.back();
  if (!samples.histogram_times.empty()) newest = std::max(newest, samples.histogram_times.back());
  return newest;
}

Timestamp oldest_time(const SeriesSamples& samples) {
  Timestamp oldest = TimeRange::all().max_ms;
  if (!samples.float_times.empty()) oldest = samples.float_times.front();
  if (!samples.histogram_times.empty()) oldest = std::min(oldest, samples.histogram_times.front());
  return oldest;
}

void append_samples(SeriesSamples& into, const SeriesSamples& more) {
  into.float_times.append(more.float_times);
  into.float_values.append(more.float_values);
  into.histogram_times.insert(into.histogram_times.end(), more.histogram_times.begin(),
                              more.histogram_times.end());
  into.histograms.insert(into.histograms.end(), more.histograms.begin(), more.histograms.end());
  into.times_id = mix_times(into.times_id, more.times_id);
}

void merge_samples(SeriesSamples& into, const SeriesSamples& more) {
  merge_columns(
      into.float_times, into.float_values, into.histogram_times, more.float_times.size(),
      [&](std::size_t i) { return more.float_times[i]; },
      [&](std::size_t i) { return more.float_values[i]; });
  merge_columns(
      into.histogram_times, into.histograms, into.float_times, more.histogram_times.size(),
      [&](std::size_t i) { return more.histogram_times[i]; },
      [&](std::size_t i) { return more.histograms[i]; });
  into.times_id = 0;
}

void merge_late(SeriesSamples& into, std::span<const Sample> floats,
                std::span<const HistogramPoint> histograms) {
  if (floats.empty() && histograms.empty()) return;
  merge_columns(
      into.float_times, into.float_values, into.histogram_times, floats.size(),
      [&](std::size_t i) { return floats[i].timestamp_ms; },
      [&](std::size_t i) { return floats[i].value; });
  merge_columns(
      into.histogram_times, into.histograms, into.float_times, histograms.size(),
      [&](std::size_t i) { return histograms[i].timestamp_ms; },
      [&](std::size_t i) { return histograms[i].histogram; });
  into.times_id = 0;
}

bool erase_ranges(std::span<const TimeRange> ranges, std::size_t floats_from,
                  std::size_t histograms_from, SeriesSamples& samples) {
  if (ranges.empty()) return false;
  const bool floats = erase_column(ranges, floats_from, samples.float_times, samples.float_values);
  const bool histograms =
      erase_column(ranges, histograms_from, samples.histogram_times, samples.histograms);
  if (floats) samples.times_id = 0;
  return floats || histograms;
}

void take_newest(const SeriesSamples& samples, LastSample& last) {
  const auto newer = [&last](std::span<const Timestamp> times) {
    return !times.empty() &&
           (last.kind == LastSample::Kind::kNone || times.back() > last.timestamp_ms);
  };
  if (newer(samples.float_times)) {
    last.kind = LastSample::Kind::kFloat;
    last.timestamp_ms = samples.float_times.back();
    last.value = samples.float_values.back();
    last.histogram = nullptr;
  }
  if (newer(samples.histogram_times)) {
    last.kind = LastSample::Kind::kHistogram;
    last.timestamp_ms = samples.histogram_times.back();
    last.value = 0;
    last.histogram = samples.histograms.back();
  }
}

}  // namespace varve::storage
