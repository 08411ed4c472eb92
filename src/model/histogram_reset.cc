// SPDX-License-Identifier: Apache-2.0
// Was the counter behind a histogram reset between two samples? Yes if anything fell or vanished
// that can only rise; a coarser resolution or a wider zero bucket alone is no reset.
#include <algorithm>

#include "model/histogram.h"
#include "model/histogram_layout.h"

namespace varve::model {
namespace {

using layout::Cells;

// Whether a populated bucket of `previous` is gone from `current` or has fallen.
bool any_fell(const Cells& current, const Cells& previous) {
  std::size_t at = 0;
  for (const layout::Cell& before : previous) {
    while (at < current.size() && current[at].index < before.index) ++at;
    if (at < current.size() && current[at].index == before.index) {
      if (current[at].count < before.count) return true;
    } else if (before.count != 0) {
      return true;
    }
  }
  return false;
}

bool side_fell(const Histogram& current, std::span<const HistogramSpan> spans,
               std::span<const double> counts, const Histogram& previous,
               std::span<const HistogramSpan> previous_spans,
               std::span<const double> previous_counts) {
  if (current.schema == previous.schema && current.zero_threshold == previous.zero_threshold &&
      counts.size() == previous_counts.size() && std::ranges::equal(spans, previous_spans)) {
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] < previous_counts[i]) return true;
    }
    return false;
  }
  Cells cells = layout::cells_of(spans, counts);
  Cells before = layout::cells_of(previous_spans, previous_counts);
  if (is_exponential_schema(current.schema)) {
    layout::reduce(before, previous.schema, current.schema, layout::Summation::kPlain);
    layout::drop_below(cells, current.schema, current.zero_threshold);
    layout::drop_below(before, current.schema, current.zero_threshold);
  }
  return any_fell(cells, before);
}

// The observations of `previous` within ±threshold, or nothing if a populated bucket straddles it.
std::optional<double> count_within(const Histogram& previous, double threshold) {
  double count = previous.zero_count;
  if (threshold == previous.zero_threshold) return count;
  for (const HistogramSide side : {HistogramSide::kPositive, HistogramSide::kNegative}) {
    BucketIterator buckets(previous, side);
    while (auto bucket = buckets.next()) {
      const double inner = side == HistogramSide::kPositive ? bucket->lower : -bucket->upper;
      const double outer = side == HistogramSide::kPositive ? bucket->upper : -bucket->lower;
      if (inner >= threshold) break;
      if (outer > threshold) {
        if (bucket->count != 0) return std::nullopt;
        break;
      }
      count += bucket->count;
    }
  }
  return count;
}

bool custom_fell(const Histogram& current, const Histogram& previous) {
  const std::vector<double> bounds =
      layout::shared_bounds(current.custom_bounds, previous.custom_bounds);
  Cells now(bounds.size() + 1);
  Cells before(bounds.size() + 1);
  layout::map_custom(layout::cells_of(current.positive_spans, current.positive_counts),
                     current.custom_bounds, bounds, 1, now);
  layout::map_custom(layout::cells_of(previous.positive_spans, previous.positive_counts),
                     previous.custom_bounds, bounds, 1, before);
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (now[i].count < before[i].count) return true;
  }
  return false;
}

}  // namespace

bool detect_reset(const Histogram& current, const Histogram& previous) {
  if (current.counter_reset_hint == CounterResetHint::kReset) return true;
  if (current.counter_reset_hint == CounterResetHint::kNotReset) return false;
  if (current.count < previous.count) return true;
  if (current.custom_buckets()) {
    if (!previous.custom_buckets()) return true;
    if (!same_custom_bounds(current.custom_bounds, previous.custom_bounds)) {
      return custom_fell(current, previous);
    }
  }
  if (current.schema > previous.schema) return true;
  if (current.zero_threshold < previous.zero_threshold) return true;
  const std::optional<double> zero_count = count_within(previous, current.zero_threshold);
  if (!zero_count || current.zero_count < *zero_count) return true;
  return side_fell(current, current.positive_spans, current.positive_counts, previous,
                   previous.positive_spans, previous.positive_counts) ||
         side_fell(current, current.negative_spans, current.negative_counts, previous,
                   previous.negative_spans, previous.negative_counts);
}

}  // namespace varve::model
