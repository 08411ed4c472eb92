// SPDX-License-Identifier: Apache-2.0
// Bounds of buckets, walking them, and changing how finely they are cut.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "base/check.h"
#include "model/histogram.h"
#include "model/histogram_layout.h"

namespace varve::model {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// How far Prometheus's bounds are from the correctly rounded ones, in units of the last place: they
// come from a table that was computed with rounding at each step. Asked of Prometheus 3.5.3, by a
// histogram with all buckets of each schema. Bounds are printed and looked up, so they must be its.
constexpr std::array<std::int8_t, 256> kOffByUlps{
    0, 0, 0, 0, 0, 0, -1, 0, 0, 0, -1, 0, 0, 0, 0, 0, 0, 0, -1, -2, 0, 0, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, 0, 0, -1, 0, 0, 0, -1, 0, 0, -1, -1, -1, 0, 0, -1, -1, 0, 0, -1, -1, 0, 1, -1,
    -1, 0, 0, -1, -1, 0, 0, -1, -1, 0, 0, 0, 0, 0, 0, -1, -1, -1, -1, -2, -2, -1, 0, -2, -1, 0, 0,
    -1, 0, 0, 0, -1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 0, 0, 0, -1, 0, 1, 0, 0, -1, 0, -2, -2, 0, 0, -1,
    -1, 0, -1, -1, -1, 0, 0, -1, 0, -1, 0, -2, -2, -1, -1, -1, -1, -1, 0, -1, 0, -1, -1, -2, -2,
    -1, -1, -2, -1, -1, 0, -1, -1, -1, -1, -1, -1, -1, -1, -2, -1, -2, -1, -2, -2, -2, -1, -2, -2,
    0, 0, -1, -1, 0, 0, -1, 0, -1, -1, -2, -2, -1, 0, -2, -2, -1, -1, -2, -2, -1, 0, -1, -1, -2,
    -1, -2, -2, -1, -1, -2, -1, -1, -1, -3, -2, -1, -1, -2, -1, -2, -2, -3, -2, -2, -2, -3, -2,
    -2, -2, -2, -2, -2, -2, -3, -3, -3, -3, -4, -4, -3, -2, -4, -3, -1, -1, -2, -1, -1, -2, -2,
    -2, -2, -1, -3, -3, -1, -1, -2, -2, -2, -1, -3, -2, -1, -1, -2, -2, -2, -2, -4, -3, -2, -2,
    -3, -3};

// 2^(i/256) / 2 for i in [0, 256): the fractions of the finest schema, of which every coarser one
// uses each 2^n-th.
std::array<double, 256> make_fractions() {
  std::array<double, 256> fractions{};
  for (std::size_t i = 0; i < fractions.size(); ++i) {
    const auto exact = static_cast<double>(std::exp2(static_cast<long double>(i) / 256.0L - 1.0L));
    fractions[i] = std::bit_cast<double>(std::bit_cast<std::int64_t>(exact) + kOffByUlps[i]);
  }
  return fractions;
}

double exponential_bound(std::int64_t index, std::int32_t schema) {
  static const std::array<double, 256> kFractions = make_fractions();
  if (!is_exponential_schema(schema)) return std::numeric_limits<double>::quiet_NaN();
  // Beyond this every bound is 0 or +Inf, and ldexp takes an int.
  constexpr std::int64_t kExponentLimit = 4096;
  double fraction = 0.5;
  std::int64_t exponent = 0;
  if (schema < 0) {
    const std::int64_t limit = kExponentLimit >> -schema;
    exponent = std::clamp(index, -limit, limit) * (std::int64_t{1} << -schema) + 1;
  } else {
    const std::int64_t within = index & ((std::int64_t{1} << schema) - 1);
    fraction = kFractions[static_cast<std::size_t>(within) << (kExponentialSchemaMax - schema)];
    exponent = std::clamp((index >> schema) + 1, -kExponentLimit, kExponentLimit);
  }
  // 2^1024 would be the end of the last bucket of finite numbers.
  if (fraction == 0.5 && exponent == 1025) return std::numeric_limits<double>::max();
  return std::ldexp(fraction, static_cast<int>(exponent));
}

void compact_side(std::vector<HistogramSpan>& spans, std::vector<double>& counts,
                  std::size_t empty_buckets_max) {
  const layout::Cells cells = layout::cells_of(spans, counts);
  layout::Cells kept;
  kept.reserve(cells.size());
  for (const layout::Cell& cell : cells) {
    if (cell.count == 0) continue;
    if (!kept.empty()) {
      const std::int64_t gap = cell.index - kept.back().index - 1;
      if (gap > 0 && static_cast<std::uint64_t>(gap) <= empty_buckets_max) {
        for (std::int64_t i = 0; i < gap; ++i) kept.push_back({kept.back().index + 1, 0, 0});
      }
    }
    kept.push_back(cell);
  }
  layout::store(kept, spans, counts);
}

bool is_compact(std::span<const HistogramSpan> spans, std::span<const double> counts) {
  if (std::find(counts.begin(), counts.end(), 0.0) != counts.end()) return false;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    if (spans[i].length == 0 || (i > 0 && spans[i].offset <= 0)) return false;
  }
  return true;
}

}  // namespace

double bucket_bound(std::int64_t index, std::int32_t schema,
                    std::span<const double> custom_bounds) {
  if (schema != kCustomBucketsSchema) return exponential_bound(index, schema);
  if (index < 0) return -kInfinity;
  if (index >= static_cast<std::int64_t>(custom_bounds.size())) return kInfinity;
  return custom_bounds[static_cast<std::size_t>(index)];
}

BucketIterator::BucketIterator(const Histogram& histogram, HistogramSide side)
    : histogram_(histogram),
      side_(side),
      spans_(side == HistogramSide::kPositive ? histogram.positive_spans
                                              : histogram.negative_spans),
      counts_(side == HistogramSide::kPositive ? histogram.positive_counts
                                               : histogram.negative_counts) {
  if (!spans_.empty()) index_ = spans_[0].offset;
}

std::optional<HistogramBucket> BucketIterator::next() {
  while (span_ < spans_.size() && in_span_ == spans_[span_].length) {
    in_span_ = 0;
    ++span_;
    if (span_ < spans_.size()) index_ += spans_[span_].offset;
  }
  if (span_ >= spans_.size() || bucket_ >= counts_.size()) return std::nullopt;

  HistogramBucket bucket;
  bucket.index = static_cast<std::int32_t>(index_);
  bucket.count = counts_[bucket_];
  const double outer = bucket_bound(index_, histogram_.schema, histogram_.custom_bounds);
  const double inner = bucket_bound(index_ - 1, histogram_.schema, histogram_.custom_bounds);
  bucket.lower = side_ == HistogramSide::kPositive ? inner : -outer;
  bucket.upper = side_ == HistogramSide::kPositive ? outer : -inner;
  if (histogram_.custom_buckets()) {
    bucket.lower_inclusive = index_ == 0;
    bucket.upper_inclusive = true;
  } else {
    bucket.lower_inclusive = bucket.lower < 0;
    bucket.upper_inclusive = bucket.upper > 0;
  }
  ++index_;
  ++in_span_;
  ++bucket_;
  return bucket;
}

HistogramBucket zero_bucket(const Histogram& histogram) {
  return {-histogram.zero_threshold, histogram.zero_threshold, true, true, histogram.zero_count, 0};
}

std::vector<HistogramBucket> all_buckets(const Histogram& histogram) {
  std::vector<HistogramBucket> buckets;
  buckets.reserve(histogram.negative_counts.size() + histogram.positive_counts.size() + 1);
  BucketIterator negative(histogram, HistogramSide::kNegative);
  while (auto bucket = negative.next()) buckets.push_back(*bucket);
  std::reverse(buckets.begin(), buckets.end());
  if (histogram.zero_count > 0) buckets.push_back(zero_bucket(histogram));
  const std::size_t middle = buckets.size();
  BucketIterator positive(histogram, HistogramSide::kPositive);
  while (auto bucket = positive.next()) buckets.push_back(*bucket);

  const double threshold = histogram.zero_threshold;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    if (i + 1 == middle && histogram.zero_count > 0) continue;
    HistogramBucket& bucket = buckets[i];
    if (bucket.upper < 0 && bucket.upper > -threshold) bucket.upper = -threshold;
    if (bucket.lower > 0 && bucket.lower < threshold) bucket.lower = threshold;
  }
  return buckets;
}

void compact(Histogram& histogram, std::size_t empty_buckets_max) {
  if (empty_buckets_max > 0 || !is_compact(histogram.positive_spans, histogram.positive_counts)) {
    compact_side(histogram.positive_spans, histogram.positive_counts, empty_buckets_max);
  }
  if (empty_buckets_max > 0 || !is_compact(histogram.negative_spans, histogram.negative_counts)) {
    compact_side(histogram.negative_spans, histogram.negative_counts, empty_buckets_max);
  }
}

void reduce_resolution(Histogram& histogram, std::int32_t schema) {
  if (schema == histogram.schema) return;
  VARVE_CHECK(is_exponential_schema(schema));
  VARVE_CHECK(is_exponential_schema(histogram.schema));
  VARVE_CHECK(schema < histogram.schema);
  layout::Cells cells = layout::cells_of(histogram.positive_spans, histogram.positive_counts);
  layout::reduce(cells, histogram.schema, schema, layout::Summation::kPlain);
  layout::store(cells, histogram.positive_spans, histogram.positive_counts);
  cells = layout::cells_of(histogram.negative_spans, histogram.negative_counts);
  layout::reduce(cells, histogram.schema, schema, layout::Summation::kPlain);
  layout::store(cells, histogram.negative_spans, histogram.negative_counts);
  histogram.schema = schema;
}

Histogram copy_to_schema(const Histogram& histogram, std::int32_t schema) {
  Histogram copy = histogram;
  reduce_resolution(copy, schema);
  return copy;
}

}  // namespace varve::model
