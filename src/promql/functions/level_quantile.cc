// SPDX-License-Identifier: Apache-2.0
// The sketches of a window are added up and asked for the two samples between which the quantile
// lies (as quantile_over_time interpolates), each of which is known to a bucket of the sketch:
// within half its width, relatively. The smallest and the largest sample are known exactly.
#include "promql/functions/level_quantile.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "model/histogram.h"
#include "promql/functions/annotation_texts.h"

namespace varve::promql::function_impls {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

// Counts by bucket index, from the smallest index to the largest that was seen.
class Side {
 public:
  void clear() { counts_.clear(); }
  void add(std::int64_t index, double count) {
    if (count == 0) return;
    if (counts_.empty()) base_ = index;
    if (index < base_) {
      counts_.insert(counts_.begin(), static_cast<std::size_t>(base_ - index), 0.0);
      base_ = index;
    }
    const auto at = static_cast<std::size_t>(index - base_);
    if (at >= counts_.size()) counts_.resize(at + 1);
    counts_[at] += count;
  }
  // Merges 2^by buckets into one.
  void reduce(std::int32_t by) {
    const std::vector<double> old = std::exchange(counts_, {});
    const std::int64_t base = base_;
    for (std::size_t i = 0; i < old.size(); ++i) {
      add(reduced(base + static_cast<std::int64_t>(i), by), old[i]);
    }
  }
  static std::int64_t reduced(std::int64_t index, std::int32_t by) {
    return -((-index) >> by);  // rounded up
  }
  std::span<const double> counts() const { return counts_; }
  std::int64_t base() const { return base_; }

 private:
  std::vector<double> counts_;
  std::int64_t base_ = 0;
};

// What the values of a window are known to be.
class Sketch {
 public:
  void clear() {
    positive_.clear();
    negative_.clear();
    zeros_ = nans_ = total_ = 0;
    min_ = kInf;
    max_ = -kInf;
    schema_ = model::kExponentialSchemaMax;
  }

  void add(const Histogram& sketch, double count, double min, double max) {
    const std::int32_t by = meet(sketch.schema);
    add_side(positive_, sketch.positive_spans, sketch.positive_counts, by);
    add_side(negative_, sketch.negative_spans, sketch.negative_counts, by);
    zeros_ += sketch.zero_count;
    nans_ += count - sketch.count;
    total_ += count;
    bound(min, max);
  }

  void add(double value) {
    total_ += 1;
    if (std::isnan(value)) {
      nans_ += 1;
      return;
    }
    bound(value, value);
    if (value == 0) {
      zeros_ += 1;
    } else {
      const double size = std::min(std::fabs(value), std::numeric_limits<double>::max());
      const auto index = static_cast<std::int64_t>(
          std::ceil(std::ldexp(std::log2(size), static_cast<int>(schema_))));
      (value > 0 ? positive_ : negative_).add(index, 1);
    }
  }

  // Of values that are no histogram: NaN below all.
  double quantile(double q) const {
    if (std::isnan(q)) return kNan;
    if (q < 0) return -kInf;
    if (q > 1) return kInf;
    const double rank = q * (total_ - 1);
    const double lower = std::floor(rank);
    const double low = value_at(lower);
    if (rank == lower) return low;
    const double high = value_at(std::min(lower + 1, total_ - 1));
    if (low == high) return low;
    const double weight = rank - lower;
    return low * (1 - weight) + high * weight;
  }

 private:
  // Lowers the resolution of one of the two to that of the other; by how much that of `schema` is.
  std::int32_t meet(std::int32_t schema) {
    if (schema < schema_) {
      positive_.reduce(schema_ - schema);
      negative_.reduce(schema_ - schema);
      schema_ = schema;
    }
    return schema - schema_;
  }

  static void add_side(Side& side, const std::vector<HistogramSpan>& spans,
                       const std::vector<double>& counts, std::int32_t by) {
    std::int64_t index = 0;
    std::size_t at = 0;
    for (const HistogramSpan& span : spans) {
      index += span.offset;
      for (std::uint32_t i = 0; i < span.length && at < counts.size(); ++i) {
        side.add(Side::reduced(index++, by), counts[at++]);
      }
    }
  }

  void bound(double min, double max) {
    if (min < min_) min_ = min;
    if (max > max_) max_ = max;
  }

  double value_at(double rank) const {
    if (rank < nans_) return kNan;
    if (rank == nans_) return min_;
    if (rank == total_ - 1) return max_;
    double before = nans_;
    const auto negative = negative_.counts();
    for (std::size_t i = negative.size(); i-- > 0;) {
      before += negative[i];
      if (rank < before) {
        return clamped(-middle(negative_.base() + static_cast<std::int64_t>(i)));
      }
    }
    before += zeros_;
    if (rank < before) return clamped(0);
    const auto positive = positive_.counts();
    for (std::size_t i = 0; i < positive.size(); ++i) {
      before += positive[i];
      if (rank < before) return clamped(middle(positive_.base() + static_cast<std::int64_t>(i)));
    }
    return max_;
  }

  // Equally far from both bounds, relatively.
  double middle(std::int64_t index) const {
    const double upper = model::bucket_bound(index, schema_, {});
    const double lower = model::bucket_bound(index - 1, schema_, {});
    if (std::isinf(upper)) return upper;
    return lower * (2 / (1 + lower / upper));
  }
  double clamped(double value) const { return std::clamp(value, min_, max_); }

  Side positive_;
  Side negative_;
  double zeros_ = 0;
  double nans_ = 0;
  double total_ = 0;
  double min_ = kInf;
  double max_ = -kInf;
  std::int32_t schema_ = model::kExponentialSchemaMax;
};

}  // namespace

void level_quantile_kernel(const LevelWindows& windows, const CallArgs& args, EvalContext& context,
                           StepSeries& out) {
  const storage::SeriesBuckets& buckets = windows.buckets;
  auto& sketch = windows.memo->get<Sketch>();
  for (std::size_t step = 0; step < windows.steps(); ++step) {
    if (windows.lo[step] >= windows.hi[step]) continue;
    const double q = args.scalar(0, step);
    if (!(q >= 0 && q <= 1)) {
      context.annotations.warning(texts::invalid_quantile(q), args.position(0));
    }
    sketch.clear();
    for (std::size_t i = windows.lo[step]; i < windows.hi[step]; ++i) {
      if (i < buckets.sketches.size() && buckets.sketches[i] != nullptr) {
        sketch.add(*buckets.sketches[i], buckets.counts[i], buckets.mins[i], buckets.maxs[i]);
      } else {
        sketch.add(buckets.firsts[i]);
      }
    }
    out.set(step, sketch.quantile(q));
  }
}

}  // namespace varve::promql::function_impls
