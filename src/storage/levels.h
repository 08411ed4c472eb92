// SPDX-License-Identifier: Apache-2.0
// Long history: what storage keeps of samples that are older than raw's retention, and how queries
// see it. A level has, for each series, one bucket per `resolution`; a bucket is a stretch of time
// (end - resolution, end], left-open like a window of PromQL, with `end` a multiple of the
// resolution, and a few numbers that sum up its samples. Only the vocabulary is here; rollup.h
// makes the buckets.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "model/matcher.h"
#include "varve/sample.h"

namespace varve::storage {

// One rung of the ladder. config checks what it is given (resolutions divide each other, no level
// is kept shorter than the finer one); Db::open() and set_ladder() refuse what does not hold.
struct LevelOptions {
  std::chrono::milliseconds resolution{0};
  // How old a bucket is before it is written; 0: as soon as its time is settled.
  std::chrono::milliseconds after{0};
  std::chrono::milliseconds retention{0};  // counted from now, as raw's; 0: for ever
  // Also a mergeable sketch of the values of each bucket (native histograms of exponential
  // buckets), for quantiles.
  bool sketch = false;
};

// What is kept of the series that all of `matchers` pick. The first policy that picks a series
// holds for it; series that none picks have the ladder's own retentions.
struct RetentionPolicy {
  struct OfLevel {
    std::chrono::milliseconds resolution{0};  // of a level of the ladder
    std::chrono::milliseconds retention{0};   // 0: for ever
  };
  std::vector<model::Matcher> matchers;
  std::chrono::milliseconds raw{0};  // 0: for ever
  std::vector<OfLevel> levels;       // a level that is not named is not kept for these series
};

struct Ladder {
  std::vector<LevelOptions> levels;  // finest first
  std::vector<RetentionPolicy> policies;
  // Of quantiles from sketches; those of a level that has them.
  double sketch_relative_error = 0.01;
};

// Samples that nothing but delete_series() may take away: not retention, by time or by size, and no
// rollup in their place.
struct Hold {
  std::string id;
  TimeRange range;
  std::vector<std::vector<model::Matcher>> selectors;  // series that one of them picks
};

// SelectHints::max_source_resolution_ms. A positive number: buckets of at most that resolution, and
// the coarsest of them wherever they exist, also where raw does.
inline constexpr std::int64_t kSourceRaw = 0;    // samples only
inline constexpr std::int64_t kSourceAuto =
    -1;  // samples wherever they exist, else the finest level left

// Where a level answers for a series: all its buckets that end in `ends` (both included; multiples
// of the resolution, or the ends of time). It covers the time (ends.min_ms - resolution_ms,
// ends.max_ms], of which read() gives no samples. A series' spans ascend and do not overlap in the
// time they cover; samples answer everywhere else: as a rule after the last span, with held samples
// between spans too.
struct LevelSpan {
  std::int64_t resolution_ms = 0;
  TimeRange ends;
  friend bool operator==(const LevelSpan&, const LevelSpan&) = default;
};

// How far beside the times it is about a query may look because buckets answer: at time up to
// `until_ms` it sees buckets of up to this resolution. 0: there are none.
struct LevelReach {
  std::int64_t resolution_ms = 0;
  Timestamp until_ms = TimeRange::all().min_ms;
};

// Which columns read_buckets() is to fill; a set of bits.
enum class BucketColumns : std::uint32_t {
  kCount = 1,        // counts
  kSum = 2,          // sums
  kMin = 4,          // mins
  kMax = 8,          // maxs
  kFirst = 16,       // first_times and firsts
  kLast = 32,        // last_times and lasts
  kResets = 64,      // reset_sums and resets
  kChanges = 128,    // changes
  kStale = 256,      // stale_times
  kSketch = 512,     // sketches
  kHistograms = 1024,  // everything in HistogramBuckets
  kAll = 2047,
};
constexpr BucketColumns operator|(BucketColumns a, BucketColumns b) {
  return static_cast<BucketColumns>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
constexpr bool has(BucketColumns set, BucketColumns one) {
  return (static_cast<std::uint32_t>(set) & static_cast<std::uint32_t>(one)) != 0;
}

// The native histograms of a series, bucket by bucket: as long as `ends_ms`, each.
struct HistogramBuckets {
  std::vector<Timestamp>
      ends_ms;  // ascending; only buckets with a histogram that is no stale marker
  std::vector<double> counts;      // of histograms
  std::vector<HistogramPtr>
      sums;  // null where exponential and custom buckets met: they have no sum
  std::vector<Timestamp> first_times, last_times;
  std::vector<HistogramPtr> firsts, lasts;
  // What counter resets between two histograms of the bucket lost: the sum of the histograms before
  // them, so that the increase within is last - first + reset sum. Null: no reset.
  std::vector<HistogramPtr> reset_sums;
  std::vector<double> resets;

  void clear() {
    ends_ms.clear();
    counts.clear();
    sums.clear();
    first_times.clear();
    last_times.clear();
    firsts.clear();
    lasts.clear();
    reset_sums.clear();
    resets.clear();
  }
};

// Buckets of one series, oldest first; only those with a float that is no stale marker. What was
// asked for is as long as `ends_ms`, the rest is empty. Meant to be reused, as SeriesSamples.
struct SeriesBuckets {
  std::int64_t resolution_ms = 0;
  std::vector<Timestamp> ends_ms;
  std::vector<double> counts;   // of floats, NaN included, stale markers not
  std::vector<double> sums;     // Kahan's, as sum_over_time
  std::vector<double> mins, maxs;  // as min_over_time: NaN only if all are
  std::vector<Timestamp> first_times, last_times;
  std::vector<double> firsts, lasts;
  // Of each two neighbours within the bucket whose second is smaller: how many there are, and the
  // sum of the first ones. A reset between two buckets is for the reader to see (next first <
  // last).
  std::vector<double> reset_sums, resets;
  std::vector<double> changes;  // as changes(), within the bucket
  // Null: the level has no sketches. Of all values that are no NaN; infinities are in the outermost
  // buckets.
  std::vector<HistogramPtr> sketches;
  // Beside the buckets: the times of stale markers that are the newest sample of their bucket
  // (whether or not there is another one in it).
  std::vector<Timestamp> stale_times;
  HistogramBuckets histograms;
  // Non-zero and equal for two reads of one Selection: their ends_ms are equal.
  std::uint64_t ends_id = 0;

  void clear() {
    resolution_ms = 0;
    ends_ms.clear();
    counts.clear();
    sums.clear();
    mins.clear();
    maxs.clear();
    first_times.clear();
    last_times.clear();
    firsts.clear();
    lasts.clear();
    reset_sums.clear();
    resets.clear();
    changes.clear();
    sketches.clear();
    stale_times.clear();
    histograms.clear();
    ends_id = 0;
  }
};

}  // namespace varve::storage
