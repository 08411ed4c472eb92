// SPDX-License-Identifier: Apache-2.0
#include "promql/eval/bucket_join.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <iterator>
#include <span>
#include <utility>

namespace varve::promql {
namespace {

using storage::BucketColumns;
using storage::HistogramBuckets;
using storage::SeriesBuckets;

template <typename T>
void extend(std::vector<T>& to, std::vector<T>& from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

void extend(HistogramBuckets& to, HistogramBuckets& from) {
  extend(to.ends_ms, from.ends_ms);
  extend(to.counts, from.counts);
  extend(to.sums, from.sums);
  extend(to.first_times, from.first_times);
  extend(to.last_times, from.last_times);
  extend(to.firsts, from.firsts);
  extend(to.lasts, from.lasts);
  extend(to.reset_sums, from.reset_sums);
  extend(to.resets, from.resets);
}

// Of an id of times, and what comes behind these: an id again. Equal only where both are.
std::uint64_t id_of_both(std::uint64_t id, std::uint64_t more) {
  const std::uint64_t mixed = (std::rotl(id, 29) ^ more) * 0x9e3779b97f4a7c15;
  return std::max<std::uint64_t>(mixed ^ mixed >> 32, 1);
}

void count_into(std::vector<std::uint32_t>& counts, std::size_t size,
                const std::vector<std::size_t>& runs) {
  counts.assign(size + 1, 0);
  std::size_t run = 0;
  for (std::size_t i = 0; i < size; ++i) {
    while (run < runs.size() && i >= runs[run + 1]) run += 2;
    const bool sample = run < runs.size() && i >= runs[run];
    counts[i + 1] = counts[i] + (sample ? 0 : 1);
  }
}

}  // namespace

void BucketJoin::begin(BucketColumns columns) {
  joined_.clear();
  columns_ = columns;
  next_float_ = next_histogram_ = 0;
  has_samples_ = false;
  sample_runs_.clear();
  histogram_runs_.clear();
}

void BucketJoin::append(SeriesBuckets& part) {
  if (joined_.ends_ms.empty() && joined_.histograms.ends_ms.empty()) {
    std::swap(joined_, part);
    return;
  }
  const bool known = (joined_.ends_id != 0 || joined_.ends_ms.empty()) && part.ends_id != 0;
  joined_.ends_id = known ? id_of_both(joined_.ends_id, part.ends_id) : 0;
  extend(joined_.ends_ms, part.ends_ms);
  extend(joined_.counts, part.counts);
  extend(joined_.sums, part.sums);
  extend(joined_.mins, part.mins);
  extend(joined_.maxs, part.maxs);
  extend(joined_.first_times, part.first_times);
  extend(joined_.last_times, part.last_times);
  extend(joined_.firsts, part.firsts);
  extend(joined_.lasts, part.lasts);
  extend(joined_.reset_sums, part.reset_sums);
  extend(joined_.resets, part.resets);
  extend(joined_.changes, part.changes);
  extend(joined_.sketches, part.sketches);
  extend(joined_.stale_times, part.stale_times);
  extend(joined_.histograms, part.histograms);
}

void BucketJoin::append_samples(const storage::SeriesSamples& samples, Timestamp until_ms) {
  const auto past = [until_ms](std::span<const Timestamp> times, std::size_t from) {
    return static_cast<std::size_t>(
        std::upper_bound(times.begin() + static_cast<std::ptrdiff_t>(from), times.end(), until_ms) -
        times.begin());
  };
  const std::size_t floats = past(samples.float_times, next_float_);
  const std::size_t histograms = past(samples.histogram_times, next_histogram_);
  if (floats == next_float_ && histograms == next_histogram_) return;
  has_samples_ = true;
  if (floats > next_float_) {
    const bool known =
        (joined_.ends_id != 0 || joined_.ends_ms.empty()) && samples.times_id != 0;
    const std::uint64_t which = id_of_both(id_of_both(samples.times_id, next_float_), floats);
    joined_.ends_id = known ? id_of_both(joined_.ends_id, which) : 0;
  }
  sample_runs_.insert(sample_runs_.end(),
                      {joined_.ends_ms.size(), joined_.ends_ms.size() + floats - next_float_});
  histogram_runs_.insert(histogram_runs_.end(),
                         {joined_.histograms.ends_ms.size(),
                          joined_.histograms.ends_ms.size() + histograms - next_histogram_});
  for (; next_float_ < floats; ++next_float_) {
    const Timestamp time = samples.float_times[next_float_];
    const double value = samples.float_values[next_float_];
    joined_.ends_ms.push_back(time);
    if (has(columns_, BucketColumns::kCount)) joined_.counts.push_back(1);
    if (has(columns_, BucketColumns::kSum)) joined_.sums.push_back(value);
    if (has(columns_, BucketColumns::kMin)) joined_.mins.push_back(value);
    if (has(columns_, BucketColumns::kMax)) joined_.maxs.push_back(value);
    if (has(columns_, BucketColumns::kFirst)) {
      joined_.first_times.push_back(time);
      joined_.firsts.push_back(value);
    }
    if (has(columns_, BucketColumns::kLast)) {
      joined_.last_times.push_back(time);
      joined_.lasts.push_back(value);
    }
    if (has(columns_, BucketColumns::kResets)) {
      joined_.reset_sums.push_back(0);
      joined_.resets.push_back(0);
    }
    if (has(columns_, BucketColumns::kChanges)) joined_.changes.push_back(0);
    if (has(columns_, BucketColumns::kSketch)) joined_.sketches.push_back(nullptr);
  }
  for (; next_histogram_ < histograms; ++next_histogram_) {
    const Timestamp time = samples.histogram_times[next_histogram_];
    const HistogramPtr& histogram = samples.histograms[next_histogram_];
    HistogramBuckets& to = joined_.histograms;
    to.ends_ms.push_back(time);
    to.counts.push_back(1);
    to.sums.push_back(histogram);
    to.first_times.push_back(time);
    to.last_times.push_back(time);
    to.firsts.push_back(histogram);
    to.lasts.push_back(histogram);
    to.reset_sums.push_back(nullptr);
    to.resets.push_back(0);
  }
}

void BucketJoin::skip_samples(const storage::SeriesSamples& samples, Timestamp until_ms) {
  const auto skip = [until_ms](std::span<const Timestamp> times, std::size_t& next) {
    while (next < times.size() && times[next] <= until_ms) ++next;
  };
  skip(samples.float_times, next_float_);
  skip(samples.histogram_times, next_histogram_);
}

void BucketJoin::count_real() {
  count_into(real_, joined_.ends_ms.size(), sample_runs_);
  count_into(real_histograms_, joined_.histograms.ends_ms.size(), histogram_runs_);
}

}  // namespace varve::promql
