// SPDX-License-Identifier: Apache-2.0
// Histograms as text: Prometheus's printed form and the notation of the PromQL test language.
#include <string>
#include <string_view>
#include <vector>

#include "model/histogram.h"
#include "model/histogram_layout.h"
#include "model/number.h"

namespace varve::model {
namespace {

void append_bucket(std::string& out, const HistogramBucket& bucket) {
  out.append(bucket.lower_inclusive ? ", [" : ", (").append(format_float_g(bucket.lower));
  out.append(",").append(format_float_g(bucket.upper));
  out.append(bucket.upper_inclusive ? "]:" : "):").append(format_float_g(bucket.count));
}

void append_field(std::string& out, std::string_view key, std::string_view value) {
  if (out.size() > 2) out.append(" ");
  out.append(key).append(":").append(value);
}

void append_number(std::string& out, std::string_view key, double value) {
  if (value != 0) append_field(out, key, format_float_g(value));
}

std::string list_of(const std::vector<double>& values) {
  std::string list = "[";
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) list.append(" ");
    list.append(format_float_g(values[i]));
  }
  return list.append("]");
}

// The test language has one list of buckets per side, so gaps are written as zeros. Gaps wider than
// any real layout are left out: the form is for people.
constexpr std::size_t kGapMax = 100'000;

void append_side(std::string& out, std::string_view offset_key, std::string_view buckets_key,
                 const std::vector<HistogramSpan>& spans, const std::vector<double>& counts) {
  if (counts.empty() || spans.empty()) return;
  if (spans[0].offset != 0) append_field(out, offset_key, std::to_string(spans[0].offset));
  append_field(out, buckets_key, list_of(counts));
}

}  // namespace

std::string to_string(const Histogram& histogram) {
  std::string out = "{count:" + format_float_g(histogram.count);
  out.append(", sum:").append(format_float_g(histogram.sum));
  std::vector<HistogramBucket> negative;
  BucketIterator downwards(histogram, HistogramSide::kNegative);
  while (auto bucket = downwards.next()) {
    if (bucket->count != 0) negative.push_back(*bucket);
  }
  for (auto bucket = negative.rbegin(); bucket != negative.rend(); ++bucket) {
    append_bucket(out, *bucket);
  }
  if (histogram.zero_count != 0) append_bucket(out, zero_bucket(histogram));
  BucketIterator upwards(histogram, HistogramSide::kPositive);
  while (auto bucket = upwards.next()) {
    if (bucket->count != 0) append_bucket(out, *bucket);
  }
  return out.append("}");
}

std::string to_test_expression(const Histogram& histogram) {
  Histogram joined = histogram;
  compact(joined, kGapMax);
  std::string out = "{{";
  if (joined.schema != 0) append_field(out, "schema", std::to_string(joined.schema));
  append_number(out, "count", joined.count);
  append_number(out, "sum", joined.sum);
  append_number(out, "z_bucket", joined.zero_count);
  append_number(out, "z_bucket_w", joined.zero_threshold);
  if (joined.custom_buckets()) append_field(out, "custom_values", list_of(joined.custom_bounds));
  switch (joined.counter_reset_hint) {
    case CounterResetHint::kUnknown:
      break;
    case CounterResetHint::kReset:
      append_field(out, "counter_reset_hint", "reset");
      break;
    case CounterResetHint::kNotReset:
      append_field(out, "counter_reset_hint", "not_reset");
      break;
    case CounterResetHint::kGauge:
      append_field(out, "counter_reset_hint", "gauge");
      break;
  }
  append_side(out, "offset", "buckets", joined.positive_spans, joined.positive_counts);
  append_side(out, "n_offset", "n_buckets", joined.negative_spans, joined.negative_counts);
  return out.append("}}");
}

}  // namespace varve::model
