// SPDX-License-Identifier: Apache-2.0
// Sums, differences and scaling of histograms. Before two histograms can be added they are brought
// to one layout: the lower schema, a zero bucket wide enough for both and not inside a populated
// bucket of either, and for custom buckets the bounds both have.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "model/compensated_sum.h"
#include "model/histogram.h"
#include "model/histogram_layout.h"

namespace varve::model {
namespace {

using layout::Cells;
using layout::Summation;

// The zero bucket a histogram would have at a higher threshold.
struct ZeroBucket {
  double threshold = 0;
  double count = 0;
  double error = 0;
};

// Widens the zero bucket of `histogram` to at least `threshold`, further if that lies in a
// populated bucket. `errors` is the compensation histogram or null.
ZeroBucket widened_zero_bucket(const Histogram& histogram, double threshold,
                               const Histogram* errors) {
  const double error = errors != nullptr ? errors->zero_count : 0;
  ZeroBucket zero{threshold, histogram.zero_count, error};
  if (threshold == histogram.zero_threshold) return zero;
  for (bool settled = false; !settled;) {
    settled = true;
    zero.count = histogram.zero_count;
    zero.error = error;
    for (const HistogramSide side : {HistogramSide::kPositive, HistogramSide::kNegative}) {
      const bool positive = side == HistogramSide::kPositive;
      BucketIterator buckets(histogram, side);
      std::size_t at = 0;
      for (auto bucket = buckets.next(); bucket; bucket = buckets.next(), ++at) {
        const double inner = positive ? bucket->lower : -bucket->upper;
        const double outer = positive ? bucket->upper : -bucket->lower;
        if (inner >= zero.threshold) break;
        add_compensated(bucket->count, zero.count, zero.error);
        if (errors != nullptr) {
          const auto& side_errors = positive ? errors->positive_counts : errors->negative_counts;
          add_compensated(side_errors[at], zero.count, zero.error);
        }
        if (outer > zero.threshold) {
          if (bucket->count != 0) {
            zero.threshold = outer;
            // What the positive side took in was for the old threshold.
            if (!positive) settled = false;
          }
          break;
        }
      }
      if (!settled) break;
    }
  }
  return zero;
}

void drop_within_zero(std::vector<HistogramSpan>& spans, std::vector<double>& counts,
                      std::vector<double>* errors, std::int32_t schema, double threshold) {
  Cells cells = layout::cells_of(
      spans, counts,
      errors != nullptr ? std::span<const double>(*errors) : std::span<const double>());
  const auto first = std::find_if(cells.begin(), cells.end(), [&](const layout::Cell& cell) {
    return !(bucket_bound(cell.index - 1, schema, {}) < threshold);
  });
  cells.erase(cells.begin(), first);
  layout::store(cells, spans, counts, errors);
}

void widen_zero_bucket(Histogram& histogram, double threshold, Histogram* errors) {
  const ZeroBucket zero = widened_zero_bucket(histogram, threshold, errors);
  histogram.zero_threshold = zero.threshold;
  histogram.zero_count = zero.count;
  if (errors != nullptr) {
    errors->zero_threshold = zero.threshold;
    errors->zero_count = zero.error;
  }
  drop_within_zero(histogram.positive_spans, histogram.positive_counts,
                   errors != nullptr ? &errors->positive_counts : nullptr, histogram.schema,
                   zero.threshold);
  drop_within_zero(histogram.negative_spans, histogram.negative_counts,
                   errors != nullptr ? &errors->negative_counts : nullptr, histogram.schema,
                   zero.threshold);
}

// Makes the zero buckets of both equally wide; answers what that makes of the other's.
ZeroBucket reconcile_zero_buckets(Histogram& histogram, const Histogram& other, Histogram* errors) {
  ZeroBucket theirs{other.zero_threshold, other.zero_count, 0};
  // A NaN threshold has no order and nothing to reconcile.
  while (theirs.threshold < histogram.zero_threshold ||
         theirs.threshold > histogram.zero_threshold) {
    if (histogram.zero_threshold > theirs.threshold) {
      theirs = widened_zero_bucket(other, histogram.zero_threshold, nullptr);
    }
    if (theirs.threshold > histogram.zero_threshold) {
      widen_zero_bucket(histogram, theirs.threshold, errors);
    }
  }
  return theirs;
}

// True if the hints contradict each other.
bool merge_reset_hints(Histogram& histogram, const Histogram& other) {
  CounterResetHint& hint = histogram.counter_reset_hint;
  const CounterResetHint theirs = other.counter_reset_hint;
  if (hint == theirs || hint == CounterResetHint::kGauge) return false;
  if (theirs == CounterResetHint::kGauge) {
    hint = CounterResetHint::kGauge;
    return false;
  }
  const bool collide = hint != CounterResetHint::kUnknown && theirs != CounterResetHint::kUnknown;
  hint = CounterResetHint::kUnknown;
  return collide;
}

// One side of both operands, brought to `schema`, as the sum of both.
struct Side {
  std::vector<HistogramSpan>& spans;
  std::vector<double>& counts;
  std::vector<double>* errors;  // null: plain summation
};

void add_side(const Side& side, std::int32_t schema_before,
              const std::vector<HistogramSpan>& other_spans,
              const std::vector<double>& other_counts, std::int32_t other_schema, double sign,
              double zero_threshold) {
  const std::int32_t schema = std::min(schema_before, other_schema);
  const Summation summation = side.errors != nullptr ? Summation::kCompensated : Summation::kPlain;
  const bool threshold_cuts =
      zero_threshold != 0 && schema != kCustomBucketsSchema && !other_spans.empty() &&
      bucket_bound(other_spans[0].offset, schema, {}) <= zero_threshold;
  if (schema_before == other_schema && side.spans == other_spans && !threshold_cuts &&
      side.counts.size() == other_counts.size()) {
    // The usual case: neighbours in time or instances of one program share a layout.
    for (std::size_t i = 0; i < other_counts.size(); ++i) {
      if (side.errors != nullptr) {
        add_compensated(sign * other_counts[i], side.counts[i], (*side.errors)[i]);
      } else {
        side.counts[i] += sign * other_counts[i];
      }
    }
    return;
  }
  Cells cells = layout::cells_of(
      side.spans, side.counts,
      side.errors != nullptr ? std::span<const double>(*side.errors) : std::span<const double>());
  layout::reduce(cells, schema_before, schema, summation);
  Cells others = layout::cells_of(other_spans, other_counts);
  layout::reduce(others, other_schema, schema, summation);
  layout::drop_below(others, schema, zero_threshold);
  layout::merge(cells, others, sign, summation);
  layout::store(cells, side.spans, side.counts, side.errors);
}

void add_custom_to_shared_bounds(Histogram& histogram, const Histogram& other, double sign,
                                 Histogram* errors) {
  std::vector<double> bounds = layout::shared_bounds(histogram.custom_bounds, other.custom_bounds);
  Cells target(bounds.size() + 1);
  for (std::size_t i = 0; i < target.size(); ++i) target[i].index = static_cast<std::int64_t>(i);
  layout::map_custom(
      layout::cells_of(histogram.positive_spans, histogram.positive_counts,
                       errors != nullptr ? std::span<const double>(errors->positive_counts)
                                         : std::span<const double>()),
      histogram.custom_bounds, bounds, 1, target);
  layout::map_custom(layout::cells_of(other.positive_spans, other.positive_counts),
                     other.custom_bounds, bounds, sign, target);
  std::erase_if(target,
                [](const layout::Cell& cell) { return cell.count == 0 && cell.error == 0; });
  layout::store(target, histogram.positive_spans, histogram.positive_counts,
                errors != nullptr ? &errors->positive_counts : nullptr);
  histogram.custom_bounds = std::move(bounds);
}

// histogram += sign * other; with `errors` by compensated summation.
ArithmeticOutcome combine(Histogram& histogram, const Histogram& other, double sign,
                          Histogram* errors) {
  ArithmeticOutcome outcome;
  if (histogram.custom_buckets() != other.custom_buckets()) {
    outcome.compatible = false;
    return outcome;
  }
  outcome.reset_hints_collide = merge_reset_hints(histogram, other);
  histogram.integer = false;  // what PromQL computes is a float histogram

  ZeroBucket zero;
  if (!histogram.custom_buckets()) zero = reconcile_zero_buckets(histogram, other, errors);
  if (errors != nullptr) {
    add_compensated(sign * zero.count, histogram.zero_count, errors->zero_count);
    add_compensated(sign * zero.error, histogram.zero_count, errors->zero_count);
    add_compensated(sign * other.count, histogram.count, errors->count);
    add_compensated(sign * other.sum, histogram.sum, errors->sum);
  } else {
    histogram.zero_count += sign * zero.count;
    histogram.count += sign * other.count;
    histogram.sum += sign * other.sum;
  }

  if (histogram.custom_buckets() &&
      !same_custom_bounds(histogram.custom_bounds, other.custom_bounds)) {
    outcome.bounds_reconciled = true;
    add_custom_to_shared_bounds(histogram, other, sign, errors);
    return outcome;
  }
  const Side positive{histogram.positive_spans, histogram.positive_counts,
                      errors != nullptr ? &errors->positive_counts : nullptr};
  add_side(positive, histogram.schema, other.positive_spans, other.positive_counts, other.schema,
           sign, histogram.zero_threshold);
  if (!histogram.custom_buckets()) {
    const Side negative{histogram.negative_spans, histogram.negative_counts,
                        errors != nullptr ? &errors->negative_counts : nullptr};
    add_side(negative, histogram.schema, other.negative_spans, other.negative_counts, other.schema,
             sign, histogram.zero_threshold);
  }
  histogram.schema = std::min(histogram.schema, other.schema);
  return outcome;
}

template <typename Operation>
void for_each_count(Histogram& histogram, Operation operation) {
  operation(histogram.zero_count);
  operation(histogram.count);
  operation(histogram.sum);
  for (double& count : histogram.positive_counts) operation(count);
  for (double& count : histogram.negative_counts) operation(count);
}

}  // namespace

ArithmeticOutcome add(Histogram& to, const Histogram& other) {
  return combine(to, other, 1, nullptr);
}

ArithmeticOutcome subtract(Histogram& from, const Histogram& other) {
  return combine(from, other, -1, nullptr);
}

void multiply(Histogram& histogram, double factor) {
  for_each_count(histogram, [factor](double& count) { count *= factor; });
  histogram.integer = false;
  if (factor < 0) histogram.counter_reset_hint = CounterResetHint::kGauge;
}

void divide(Histogram& histogram, double divisor) {
  histogram.integer = false;
  if (divisor == 0) {
    histogram.positive_spans.clear();
    histogram.positive_counts.clear();
    histogram.negative_spans.clear();
    histogram.negative_counts.clear();
  }
  for_each_count(histogram, [divisor](double& count) { count /= divisor; });
  if (divisor < 0) histogram.counter_reset_hint = CounterResetHint::kGauge;
}

bool has_overflow(const Histogram& histogram) {
  const auto is_infinite = [](double value) { return std::isinf(value); };
  return std::isinf(histogram.zero_count) || std::isinf(histogram.count) ||
         std::isinf(histogram.sum) ||
         std::any_of(histogram.positive_counts.begin(), histogram.positive_counts.end(),
                     is_infinite) ||
         std::any_of(histogram.negative_counts.begin(), histogram.negative_counts.end(),
                     is_infinite) ||
         std::any_of(histogram.custom_bounds.begin(), histogram.custom_bounds.end(), is_infinite);
}

ArithmeticOutcome HistogramSum::add(const Histogram& other) {
  if (sum_.custom_buckets() != other.custom_buckets()) return {.compatible = false};
  if (!compensated_) {
    compensated_ = true;
    compensation_ = Histogram();
    compensation_.positive_counts.resize(sum_.positive_counts.size());
    compensation_.negative_counts.resize(sum_.negative_counts.size());
  }
  return combine(sum_, other, 1, &compensation_);
}

void HistogramSum::multiply(double factor) {
  model::multiply(sum_, factor);
  if (compensated_) model::multiply(compensation_, factor);
}

void HistogramSum::divide(double divisor) {
  model::divide(sum_, divisor);
  if (compensated_) model::divide(compensation_, divisor);
}

Histogram HistogramSum::result() const {
  Histogram result = sum_;
  if (!compensated_) return result;
  result.zero_count += compensation_.zero_count;
  result.count += compensation_.count;
  result.sum += compensation_.sum;
  for (std::size_t i = 0; i < result.positive_counts.size(); ++i) {
    result.positive_counts[i] += compensation_.positive_counts[i];
  }
  for (std::size_t i = 0; i < result.negative_counts.size(); ++i) {
    result.negative_counts[i] += compensation_.negative_counts[i];
  }
  return result;
}

}  // namespace varve::model
