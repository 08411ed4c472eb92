// SPDX-License-Identifier: Apache-2.0
#include "storage/bucket_fold.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "model/compensated_sum.h"
#include "model/histogram.h"

namespace varve::storage {
namespace {

using codec::Bucket;
using codec::HistogramBucketRow;

bool changed(double now, double before) {
  return now != before && !(std::isnan(now) && std::isnan(before));
}

// A histogram of values, bucket by bucket. Not for NaN.
class SketchBuilder {
 public:
  explicit SketchBuilder(std::int32_t schema) : schema_(schema) {}

  void add(double value) {
    ++count_;
    sum_ += value;
    if (value == 0) {
      ++zeros_;
    } else {
      ++(value > 0 ? positive_ : negative_)[index_of(std::fabs(value))];
    }
  }

  HistogramPtr finish() {
    if (count_ == 0) return nullptr;
    auto histogram = std::make_shared<Histogram>();
    histogram->schema = schema_;
    histogram->counter_reset_hint = CounterResetHint::kGauge;
    histogram->count = count_;
    histogram->sum = is_stale(sum_) ? normal_nan() : sum_;
    histogram->zero_count = zeros_;
    put(positive_, histogram->positive_spans, histogram->positive_counts);
    put(negative_, histogram->negative_spans, histogram->negative_counts);
    *this = SketchBuilder(schema_);
    return histogram;
  }

 private:
  // The bucket with bound(index - 1) < value <= bound(index).
  std::int32_t index_of(double value) const {
    const double scale = std::ldexp(1.0, schema_);
    const auto last = static_cast<std::int32_t>(1024 * scale);
    if (std::isinf(value)) return last + 1;
    auto index = static_cast<std::int32_t>(std::ceil(std::log2(value) * scale));
    // The logarithm is rounded: at a bound it may be off by one.
    while (index < last && value > model::bucket_bound(index, schema_, {})) ++index;
    while (value <= model::bucket_bound(std::int64_t{index} - 1, schema_, {})) --index;
    return index;
  }

  static void put(const std::map<std::int32_t, double>& from, std::vector<HistogramSpan>& spans,
                  std::vector<double>& counts) {
    std::optional<std::int32_t> next;  // the index behind the last span
    for (const auto& [index, count] : from) {
      if (next && *next == index) {
        ++spans.back().length;
      } else {
        spans.push_back({index - next.value_or(0), 1});
      }
      counts.push_back(count);
      next = index + 1;
    }
  }

  std::int32_t schema_;
  double count_ = 0, sum_ = 0, zeros_ = 0;
  std::map<std::int32_t, double> positive_, negative_;
};

// Adds floats to the bucket at hand, in the order of their times.
class FloatFold {
 public:
  explicit FloatFold(const FoldOptions& options)
      : sketch_(options.schema), sketches_(options.sketch) {}

  void begin(Timestamp end_ms, Timestamp t, double value) {
    bucket_ = {};
    bucket_.end_ms = end_ms;
    bucket_.first_ms = t;
    bucket_.first = bucket_.min = bucket_.max = value;
    sum_ = {};
    take(t, value);
  }
  void add(Timestamp t, double value) {
    if (value < bucket_.last) {
      ++bucket_.resets;
      bucket_.reset_sum += bucket_.last;
    }
    if (changed(value, bucket_.last)) ++bucket_.changes;
    if (value < bucket_.min || std::isnan(bucket_.min)) bucket_.min = value;
    if (value > bucket_.max || std::isnan(bucket_.max)) bucket_.max = value;
    take(t, value);
  }
  Bucket finish() {
    bucket_.sum = sum_.value();
    if (sketches_) bucket_.sketch = sketch_.finish();
    return std::move(bucket_);
  }

 private:
  void take(Timestamp t, double value) {
    ++bucket_.count;
    bucket_.last_ms = t;
    bucket_.last = value;
    sum_.add(value);
    if (sketches_ && !std::isnan(value)) sketch_.add(value);
  }

  Bucket bucket_;
  model::CompensatedSum sum_;
  SketchBuilder sketch_;
  const bool sketches_;
};

// The same for histograms, and for buckets of them.
class HistogramFold {
 public:
  void begin(Timestamp end_ms) {
    row_ = {};
    row_.end_ms = end_ms;
    sum_.reset();
    summable_ = true;
    reset_sum_.reset();
  }
  bool empty() const { return row_.first == nullptr; }

  void add(Timestamp t, const HistogramPtr& histogram) {
    note_reset(histogram);
    ++row_.count;
    if (empty()) {
      row_.first_ms = t;
      row_.first = histogram;
    }
    row_.last_ms = t;
    row_.last = histogram;
    sum(*histogram);
  }
  void add(const HistogramBucketRow& finer) {
    note_reset(finer.first);
    row_.count += finer.count;
    if (empty()) {
      row_.first_ms = finer.first_ms;
      row_.first = finer.first;
    }
    row_.last_ms = finer.last_ms;
    row_.last = finer.last;
    if (finer.sum != nullptr) {
      sum(*finer.sum);
    } else {
      summable_ = false;
    }
    row_.resets += finer.resets;
    if (finer.reset_sum != nullptr) lose(*finer.reset_sum);
  }
  HistogramBucketRow finish() {
    if (summable_ && sum_) {
      row_.sum = row_.count == 1 ? row_.first : std::make_shared<Histogram>(sum_->result());
    }
    if (reset_sum_) row_.reset_sum = std::make_shared<Histogram>(std::move(*reset_sum_));
    return std::move(row_);
  }

 private:
  void note_reset(const HistogramPtr& next) {
    // Of gauges too: who takes them for counters gets what their samples would give.
    if (row_.last == nullptr || !model::detect_reset(*next, *row_.last)) return;
    ++row_.resets;
    lose(*row_.last);
  }
  void lose(const Histogram& lost) {
    if (!reset_sum_) {
      reset_sum_ = lost;
    } else {
      model::add(*reset_sum_, lost);
    }
  }
  void sum(const Histogram& more) {
    if (!sum_) {
      sum_.emplace(more);
    } else {
      summable_ = sum_->add(more).compatible && summable_;
    }
  }

  HistogramBucketRow row_;
  std::optional<model::HistogramSum> sum_;
  bool summable_ = true;
  std::optional<Histogram> reset_sum_;
};

// A row for a bucket that has a stale marker and no float. Its numbers mean nothing: those of the
// one before take no space.
Bucket only_stale(Timestamp end_ms, Timestamp stale_ms, const Bucket* before) {
  Bucket bucket;
  if (before != nullptr) {
    bucket.sum = before->sum;
    bucket.first = bucket.min = before->first;
    bucket.last = bucket.max = before->last;
    bucket.first_ms = end_ms - (before->end_ms - before->first_ms);
    bucket.last_ms = end_ms - (before->end_ms - before->last_ms);
  } else {
    bucket.first_ms = bucket.last_ms = end_ms;
  }
  bucket.end_ms = end_ms;
  bucket.changes = -1;  // count - 1
  bucket.stale_ms = stale_ms;
  return bucket;
}

// Stale markers go into the float buckets: of each bucket the newest, if nothing newer is in it.
void add_stale(const std::vector<std::pair<Timestamp, Timestamp>>& markers, FoldedSeries& out) {
  std::vector<Bucket> floats;
  std::size_t next = 0;
  std::size_t next_histogram = 0;
  for (const auto& [end_ms, stale_ms] : markers) {
    while (next < out.floats.size() && out.floats[next].end_ms <= end_ms) {
      floats.push_back(std::move(out.floats[next++]));
    }
    while (next_histogram < out.histograms.size() &&
           out.histograms[next_histogram].end_ms < end_ms) {
      ++next_histogram;
    }
    if (next_histogram < out.histograms.size() &&
        out.histograms[next_histogram].end_ms == end_ms &&
        out.histograms[next_histogram].last_ms > stale_ms) {
      continue;
    }
    const bool there = !floats.empty() && floats.back().end_ms == end_ms;
    if (!there) {
      floats.push_back(only_stale(end_ms, stale_ms, floats.empty() ? nullptr : &floats.back()));
    } else if (floats.back().count == 0 || floats.back().last_ms < stale_ms) {
      floats.back().stale_ms = stale_ms;
    }
  }
  while (next < out.floats.size()) floats.push_back(std::move(out.floats[next++]));
  out.floats = std::move(floats);
}

void note_stale(Timestamp end_ms, Timestamp stale_ms,
                std::vector<std::pair<Timestamp, Timestamp>>& markers) {
  if (!markers.empty() && markers.back().first == end_ms) {
    markers.back().second = std::max(markers.back().second, stale_ms);
  } else {
    markers.emplace_back(end_ms, stale_ms);
  }
}

}  // namespace

Timestamp bucket_floor(Timestamp t, std::int64_t resolution_ms) {
  const std::int64_t rest = t % resolution_ms;
  Timestamp floor = t - rest;
  if (rest < 0 && __builtin_sub_overflow(floor, resolution_ms, &floor)) {
    return TimeRange::all().min_ms;
  }
  return floor;
}

Timestamp bucket_end(Timestamp t, std::int64_t resolution_ms) {
  const std::int64_t rest = t % resolution_ms;
  Timestamp end = t - rest;
  if (rest > 0 && __builtin_add_overflow(end, resolution_ms, &end)) return TimeRange::all().max_ms;
  return end;
}

std::int32_t sketch_schema(double relative_error) {
  for (std::int32_t schema = 0; schema < model::kExponentialSchemaMax; ++schema) {
    if (std::exp2(std::ldexp(1.0, -schema)) - 1 <= relative_error) return schema;
  }
  return model::kExponentialSchemaMax;
}

void fold_samples(const SeriesSamples& samples, const FoldOptions& options, FoldedSeries& out) {
  out.clear();
  std::vector<std::pair<Timestamp, Timestamp>> markers;
  FloatFold fold(options);
  Timestamp end_ms = TimeRange::all().min_ms;
  bool open = false;
  for (std::size_t i = 0; i < samples.float_times.size(); ++i) {
    const Timestamp t = samples.float_times[i];
    const double value = samples.float_values[i];
    if (is_stale(value)) {
      note_stale(bucket_end(t, options.resolution_ms), t, markers);
    } else if (open && t <= end_ms) {
      fold.add(t, value);
    } else {
      if (open) out.floats.push_back(fold.finish());
      end_ms = bucket_end(t, options.resolution_ms);
      fold.begin(end_ms, t, value);
      open = true;
    }
  }
  if (open) out.floats.push_back(fold.finish());

  HistogramFold histograms;
  const std::size_t float_markers = markers.size();
  end_ms = TimeRange::all().min_ms;
  for (std::size_t i = 0; i < samples.histogram_times.size(); ++i) {
    const Timestamp t = samples.histogram_times[i];
    const HistogramPtr& histogram = samples.histograms[i];
    const Timestamp own_end_ms = bucket_end(t, options.resolution_ms);
    if (histogram->is_stale()) {
      markers.emplace_back(own_end_ms, t);
      continue;
    }
    if (histograms.empty() || own_end_ms != end_ms) {
      if (!histograms.empty()) out.histograms.push_back(histograms.finish());
      histograms.begin(own_end_ms);
      end_ms = own_end_ms;
    }
    histograms.add(t, histogram);
  }
  if (!histograms.empty()) out.histograms.push_back(histograms.finish());
  if (markers.size() > float_markers) std::sort(markers.begin(), markers.end());
  if (!markers.empty()) add_stale(markers, out);
}

void fold_buckets(const FoldedSeries& finer, const FoldOptions& options, FoldedSeries& out) {
  out.clear();
  std::vector<std::pair<Timestamp, Timestamp>> markers;
  model::CompensatedSum sum;
  std::optional<Histogram> sketch;
  const auto close = [&] {
    if (out.floats.empty()) return;
    out.floats.back().sum = sum.value();
    if (sketch) out.floats.back().sketch = std::make_shared<Histogram>(std::move(*sketch));
    sketch.reset();
  };
  for (const Bucket& bucket : finer.floats) {
    const Timestamp end_ms = bucket_end(bucket.end_ms, options.resolution_ms);
    if (bucket.stale_ms != Bucket::kNotStale) note_stale(end_ms, bucket.stale_ms, markers);
    if (bucket.count == 0) continue;
    if (out.floats.empty() || out.floats.back().end_ms != end_ms) {
      close();
      out.floats.push_back(bucket);
      Bucket& fresh = out.floats.back();
      fresh.end_ms = end_ms;
      fresh.stale_ms = Bucket::kNotStale;
      fresh.sketch = nullptr;
      sum = {};
    } else {
      Bucket& into = out.floats.back();
      if (bucket.first < into.last) {
        ++into.resets;
        into.reset_sum += into.last;
      }
      if (changed(bucket.first, into.last)) ++into.changes;
      into.resets += bucket.resets;
      into.reset_sum += bucket.reset_sum;
      into.changes += bucket.changes;
      into.count += bucket.count;
      if (bucket.min < into.min || std::isnan(into.min)) into.min = bucket.min;
      if (bucket.max > into.max || std::isnan(into.max)) into.max = bucket.max;
      into.last_ms = bucket.last_ms;
      into.last = bucket.last;
    }
    sum.add(bucket.sum);
    if (options.sketch && bucket.sketch != nullptr) {
      if (!sketch) {
        sketch = *bucket.sketch;
      } else {
        model::add(*sketch, *bucket.sketch);
      }
    }
  }
  close();

  HistogramFold histograms;
  Timestamp end_ms = TimeRange::all().min_ms;
  for (const HistogramBucketRow& row : finer.histograms) {
    const Timestamp own_end_ms = bucket_end(row.end_ms, options.resolution_ms);
    if (histograms.empty() || own_end_ms != end_ms) {
      if (!histograms.empty()) out.histograms.push_back(histograms.finish());
      histograms.begin(own_end_ms);
      end_ms = own_end_ms;
    }
    histograms.add(row);
  }
  if (!histograms.empty()) out.histograms.push_back(histograms.finish());
  if (!markers.empty()) add_stale(markers, out);
}

}  // namespace varve::storage
