// SPDX-License-Identifier: Apache-2.0
// Walks over buckets and steps together.
#include "promql/eval/level_instant.h"

#include <algorithm>
#include <limits>
#include <span>

#include "base/try.h"
#include "promql/eval/level_plan.h"
#include "promql/eval/plan.h"

namespace varve::promql {
namespace {

using storage::BucketColumns;

constexpr Timestamp kNever = TimeRange::all().min_ms;

double seconds(Timestamp time_ms) { return static_cast<double>(time_ms) / 1000; }

// The newest of ascending times that is not after t; `next` is the first one after it.
Timestamp newest_of(std::span<const Timestamp> times, Timestamp t, std::size_t& next) {
  while (next < times.size() && times[next] <= t) ++next;
  return next == 0 ? kNever : times[next - 1];
}

}  // namespace

LevelInstant::LevelInstant(const storage::Selection& selection, const WindowShape& shape,
                           SelectorValue value, QueryState& state)
    : selection_(selection), shape_(shape), value_(value), state_(state), tally_(state) {}

LevelInstant::~LevelInstant() {
  sampled_.note(notes_);
  state_.note_levels(notes_);
}

Status LevelInstant::lay_over(std::size_t series, const storage::SeriesSamples& samples,
                              StepSeries& out) {
  sampled_.look_at(samples);
  const std::span<const storage::LevelSpan> spans = selection_.levels(series);
  if (spans.empty() || shape_.count == 0 ||
      saturating_subtract(shape_.first_end_ms, shape_.range_ms) >= spans.back().ends.max_ms) {
    return {};
  }
  VARVE_TRY(read(series, spans));
  const storage::SeriesBuckets& buckets = join_.buckets();
  if (buckets.ends_ms.empty() && buckets.histograms.ends_ms.empty()) return {};
  next_float_ = next_histogram_ = next_stale_ = 0;
  std::size_t next_sample = 0;
  std::size_t next_sample_histogram = 0;
  for (std::size_t step = 0; step < shape_.count; ++step) {
    const Timestamp t = shape_.end_ms(step);
    if (saturating_subtract(t, shape_.range_ms) >= spans.back().ends.max_ms) break;
    const Known known = known_at(t);
    if (known.time_ms == kNever) continue;
    const Timestamp sample = std::max(newest_of(samples.float_times, t, next_sample),
                                      newest_of(samples.histogram_times, t, next_sample_histogram));
    const Timestamp stale = newest_of(buckets.stale_times, t, next_stale_);
    if (known.time_ms < sample || known.time_ms < stale) continue;
    take(known, step, out);
  }
  return {};
}

Status LevelInstant::read(std::size_t series, std::span<const storage::LevelSpan> spans) {
  const Timestamp oldest = saturating_subtract(shape_.first_end_ms, shape_.range_ms);
  const Timestamp newest = shape_.end_ms(shape_.count - 1);
  join_.begin(BucketColumns::kFirst | BucketColumns::kLast);
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const storage::LevelSpan& span = spans[i];
    const TimeRange wanted{
        std::max(span.ends.min_ms, saturating_add(oldest, 1)),
        std::min(span.ends.max_ms, saturating_add(newest, span.resolution_ms - 1))};
    if (wanted.empty()) continue;
    VARVE_TRY(selection_.read_buckets(series, i, wanted,
                                      BucketColumns::kFirst | BucketColumns::kLast |
                                          BucketColumns::kStale | BucketColumns::kHistograms,
                                      part_));
    const bool any = !part_.ends_ms.empty() || !part_.histograms.ends_ms.empty();
    if (!any && part_.stale_times.empty()) continue;
    if (any) {
      const Covered covered = covered_by(span);
      notes_.add({LevelNotes::Kind::kUsed, span.resolution_ms, {}, 0, {}},
                 {std::max(covered.start_ms, oldest), std::min(covered.end_ms, newest)});
    }
    join_.append(part_);
  }
  return {};
}

LevelInstant::Known LevelInstant::known_at(Timestamp t) {
  const Timestamp oldest = saturating_subtract(t, shape_.range_ms);  // excluded
  Known newest;
  const auto look = [&](const auto& buckets, std::size_t& next, bool histogram) {
    while (next < buckets.ends_ms.size() && buckets.ends_ms[next] < t) ++next;
    Known known;
    known.histogram = histogram;
    if (next < buckets.ends_ms.size() && buckets.first_times[next] <= t) {
      known.bucket = next;
      known.first = buckets.last_times[next] > t;
      known.time_ms = known.first ? buckets.first_times[next] : buckets.last_times[next];
    } else if (next > 0) {
      known.bucket = next - 1;
      known.time_ms = buckets.last_times[next - 1];
    }
    if (!known.first && known.time_ms <= oldest) return;
    if (known.time_ms > newest.time_ms) newest = known;
  };
  look(join_.buckets(), next_float_, false);
  look(join_.buckets().histograms, next_histogram_, true);
  return newest;
}

void LevelInstant::take(const Known& known, std::size_t step, StepSeries& out) {
  out.clear(step);
  const storage::SeriesBuckets& buckets = join_.buckets();
  if (value_ == SelectorValue::kTime) {
    out.set(step, seconds(known.time_ms));
  } else if (value_ == SelectorValue::kStart) {
    out.set(step, 0.0);  // buckets know no start times
  } else if (known.histogram) {
    out.set(step, known.first ? buckets.histograms.firsts[known.bucket]
                              : buckets.histograms.lasts[known.bucket]);
  } else {
    out.set(step, known.first ? buckets.firsts[known.bucket] : buckets.lasts[known.bucket]);
  }
  tally_.add(step, 1);
}

}  // namespace varve::promql
