// SPDX-License-Identifier: Apache-2.0
#include "promql/test_language/memory_levels.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "model/compensated_sum.h"
#include "model/histogram.h"

namespace varve::promql::test_language {
namespace {

constexpr std::int32_t kSketchSchema = 6;

Timestamp bucket_end(Timestamp time_ms, std::int64_t resolution_ms) {
  Timestamp end = time_ms / resolution_ms * resolution_ms;
  if (end < time_ms) end += resolution_ms;
  return end;
}

HistogramPtr sketch_of(const std::vector<double>& values) {
  Histogram sketch;
  sketch.schema = kSketchSchema;
  std::map<std::int64_t, double> sides[2];
  for (const double value : values) {
    if (std::isnan(value)) continue;
    sketch.count += 1;
    if (value == 0) {
      sketch.zero_count += 1;
      continue;
    }
    const double size = std::min(std::fabs(value), std::numeric_limits<double>::max());
    auto index = static_cast<std::int64_t>(std::ceil(std::log2(size) * (1 << kSketchSchema)));
    while (model::bucket_bound(index, kSketchSchema, {}) < size) ++index;
    while (model::bucket_bound(index - 1, kSketchSchema, {}) >= size) --index;
    sides[value < 0 ? 1 : 0][index] += 1;
  }
  for (int side = 0; side < 2; ++side) {
    auto& spans = side == 0 ? sketch.positive_spans : sketch.negative_spans;
    auto& counts = side == 0 ? sketch.positive_counts : sketch.negative_counts;
    std::int64_t next = 0;
    for (const auto& [index, count] : sides[side]) {
      if (!spans.empty() && index == next) {
        ++spans.back().length;
      } else {
        spans.push_back({static_cast<std::int32_t>(index - next), 1});
      }
      counts.push_back(count);
      next = index + 1;
    }
  }
  return std::make_shared<const Histogram>(std::move(sketch));
}

double sum_of(const std::vector<double>& values) {
  model::CompensatedSum sum;
  for (const double value : values) sum.add(value);
  return std::isinf(sum.sum) ? sum.sum : sum.value();
}

template <typename Beats>
double extreme_of(const std::vector<double>& values, Beats beats) {
  double best = values[0];
  for (const double value : values) {
    if (beats(value, best) || std::isnan(best)) best = value;
  }
  return best;
}

void fold_floats(const std::vector<Sample>& samples, Timestamp end, bool sketches,
                 storage::SeriesBuckets& out) {
  std::vector<double> values;
  for (const Sample& sample : samples) values.push_back(sample.value);
  double reset_sum = 0;
  double resets = 0;
  double changes = 0;
  for (std::size_t i = 1; i < values.size(); ++i) {
    if (values[i] < values[i - 1]) {
      reset_sum += values[i - 1];
      resets += 1;
    }
    const bool both_nan = std::isnan(values[i]) && std::isnan(values[i - 1]);
    if (values[i] != values[i - 1] && !both_nan) changes += 1;
  }
  out.ends_ms.push_back(end);
  out.counts.push_back(static_cast<double>(values.size()));
  out.sums.push_back(sum_of(values));
  out.mins.push_back(extreme_of(values, [](double a, double b) { return a < b; }));
  out.maxs.push_back(extreme_of(values, [](double a, double b) { return a > b; }));
  out.first_times.push_back(samples.front().timestamp_ms);
  out.last_times.push_back(samples.back().timestamp_ms);
  out.firsts.push_back(values.front());
  out.lasts.push_back(values.back());
  out.reset_sums.push_back(reset_sum);
  out.resets.push_back(resets);
  out.changes.push_back(changes);
  out.sketches.push_back(sketches ? sketch_of(values) : nullptr);
}

void fold_histograms(const std::vector<std::pair<Timestamp, HistogramPtr>>& samples, Timestamp end,
                     storage::HistogramBuckets& out) {
  model::HistogramSum sum(*samples.front().second);
  bool compatible = true;
  std::optional<Histogram> reset_sum;
  double resets = 0;
  for (std::size_t i = 1; i < samples.size(); ++i) {
    const Histogram& previous = *samples[i - 1].second;
    compatible = sum.add(*samples[i].second).compatible && compatible;
    if (!model::detect_reset(*samples[i].second, previous)) continue;
    resets += 1;
    if (reset_sum) {
      model::add(*reset_sum, previous);
    } else {
      reset_sum = previous;
    }
  }
  out.ends_ms.push_back(end);
  out.counts.push_back(static_cast<double>(samples.size()));
  out.sums.push_back(compatible ? std::make_shared<const Histogram>(sum.result()) : nullptr);
  out.first_times.push_back(samples.front().first);
  out.last_times.push_back(samples.back().first);
  out.firsts.push_back(samples.front().second);
  out.lasts.push_back(samples.back().second);
  out.reset_sums.push_back(reset_sum ? std::make_shared<const Histogram>(*std::move(reset_sum))
                                     : nullptr);
  out.resets.push_back(resets);
}

}  // namespace

bool covers(std::span<const storage::LevelSpan> spans, Timestamp time_ms) {
  return std::any_of(spans.begin(), spans.end(), [time_ms](const storage::LevelSpan& span) {
    const Timestamp end = bucket_end(time_ms, span.resolution_ms);
    return end >= span.ends.min_ms && end <= span.ends.max_ms;
  });
}

storage::SeriesBuckets fold(const std::vector<Sample>& floats,
                            const std::vector<std::pair<Timestamp, HistogramPtr>>& histograms,
                            std::int64_t resolution_ms, TimeRange ends, bool sketches) {
  struct Bucket {
    std::vector<Sample> floats;
    std::vector<std::pair<Timestamp, HistogramPtr>> histograms;
    Timestamp newest = TimeRange::all().min_ms;
    bool stale = false;  // the newest
    void look_at(Timestamp time, bool is_stale) {
      if (time < newest) return;
      newest = time;
      stale = is_stale;
    }
  };
  std::map<Timestamp, Bucket> buckets;
  for (const Sample& sample : floats) {
    Bucket& bucket = buckets[bucket_end(sample.timestamp_ms, resolution_ms)];
    if (!is_stale(sample.value)) bucket.floats.push_back(sample);
    bucket.look_at(sample.timestamp_ms, is_stale(sample.value));
  }
  for (const auto& [time, histogram] : histograms) {
    Bucket& bucket = buckets[bucket_end(time, resolution_ms)];
    if (!histogram->is_stale()) bucket.histograms.emplace_back(time, histogram);
    bucket.look_at(time, histogram->is_stale());
  }
  storage::SeriesBuckets out;
  out.resolution_ms = resolution_ms;
  for (const auto& [end, bucket] : buckets) {
    if (!ends.contains(end)) continue;
    if (!bucket.floats.empty()) fold_floats(bucket.floats, end, sketches, out);
    if (!bucket.histograms.empty()) fold_histograms(bucket.histograms, end, out.histograms);
    if (bucket.stale) out.stale_times.push_back(bucket.newest);
  }
  return out;
}

}  // namespace varve::promql::test_language
