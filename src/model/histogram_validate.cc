// SPDX-License-Identifier: Apache-2.0
// Checks of histograms that come from outside, in Prometheus's order and words: senders and users
// search for these texts.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include "model/histogram.h"
#include "model/number.h"

namespace varve::model {
namespace {

Error invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

Error spans_mismatch(std::uint64_t needed, std::size_t have) {
  return invalid("spans need " + std::to_string(needed) + " buckets, have " + std::to_string(have) +
                 " buckets: histogram spans specify different number of buckets than provided");
}

Error negative_offset(std::size_t span, std::int32_t offset) {
  return invalid("span number " + std::to_string(span + 1) + " with offset " +
                 std::to_string(offset) + ": histogram has a span whose offset is negative");
}

Status check_spans(std::span<const HistogramSpan> spans, std::size_t bucket_count) {
  std::uint64_t needed = 0;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    if (i > 0 && spans[i].offset < 0) return negative_offset(i, spans[i].offset);
    needed += spans[i].length;
  }
  if (needed != bucket_count) return spans_mismatch(needed, bucket_count);
  return {};
}

Status check_counts(std::span<const double> counts, bool integer) {
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] < 0) {
      const std::string count =
          integer ? std::to_string(static_cast<std::int64_t>(std::max(counts[i], -9e18)))
                  : format_float_g(counts[i]);
      return invalid("bucket number " + std::to_string(i + 1) + " has observation count of " +
                     count + ": histogram has a bucket whose observation count is negative");
    }
  }
  return {};
}

Status check_custom_bounds(const Histogram& histogram) {
  const std::vector<double>& bounds = histogram.custom_bounds;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    if (std::isnan(bounds[i])) return invalid("histogram custom bounds must not be NaN");
    if (i > 0 && bounds[i] <= bounds[i - 1]) {
      return invalid("previous bound is " + format_float_fixed(bounds[i - 1]) + " and current is " +
                     format_float_fixed(bounds[i]) +
                     ": histogram custom bounds must be in strictly increasing order");
    }
  }
  if (!bounds.empty() && bounds.back() == std::numeric_limits<double>::infinity()) {
    return invalid(
        "last +Inf bound must not be explicitly defined: histogram custom bounds must be finite");
  }
  std::uint64_t needed = 0;
  std::uint64_t covered = 0;
  const std::vector<HistogramSpan>& spans = histogram.positive_spans;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    if (spans[i].offset < 0) return negative_offset(i, spans[i].offset);
    needed += spans[i].length;
    covered += spans[i].length + static_cast<std::uint64_t>(spans[i].offset);
  }
  if (needed != histogram.positive_counts.size()) {
    return spans_mismatch(needed, histogram.positive_counts.size());
  }
  if (bounds.size() + 1 < covered) {
    return invalid("only " + std::to_string(bounds.size()) +
                   " custom bounds defined which is insufficient to cover total span length of " +
                   std::to_string(covered) + ": histogram custom bounds are too few");
  }
  return {};
}

Status on_side(std::string_view side, Status status) {
  if (status.ok()) return status;
  return std::move(status).error().with(side);
}

// Integer histograms are exact, so their parts must add up; floats may have lost digits.
Status check_integer_count(const Histogram& histogram) {
  double in_buckets = histogram.zero_count;
  for (const double count : histogram.positive_counts) in_buckets += count;
  for (const double count : histogram.negative_counts) in_buckets += count;
  const auto found = [&] {
    return format_float_positional(in_buckets) + " observations found in buckets, but the Count " +
           "field is " + format_float_positional(histogram.count) + ": ";
  };
  if (std::isnan(histogram.sum)) {
    if (in_buckets > histogram.count) {
      return invalid(found() + "histogram's observation count should be at least the number of " +
                     "observations found in the buckets");
    }
  } else if (in_buckets != histogram.count) {
    return invalid(found() + "histogram's observation count should equal the number of " +
                   "observations found in the buckets (in absence of NaN)");
  }
  return {};
}

Status check_parts(const Histogram& histogram) {
  if (histogram.custom_buckets()) {
    if (Status bounds = on_side("custom buckets", check_custom_bounds(histogram)); !bounds.ok()) {
      return bounds;
    }
    if (histogram.zero_count != 0) return invalid("custom buckets: must have zero count of 0");
    if (histogram.zero_threshold != 0) {
      return invalid("custom buckets: must have zero threshold of 0");
    }
    if (!histogram.negative_spans.empty()) {
      return invalid("custom buckets: must not have negative spans");
    }
    if (!histogram.negative_counts.empty()) {
      return invalid("custom buckets: must not have negative buckets");
    }
    return {};
  }
  if (!is_exponential_schema(histogram.schema)) {
    return invalid(
        "histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, "
        "or -53 for custom buckets, got schema " +
        std::to_string(histogram.schema));
  }
  Status status = on_side("positive side", check_spans(histogram.positive_spans,
                                                       histogram.positive_counts.size()));
  if (!status.ok()) return status;
  status = on_side("negative side",
                   check_spans(histogram.negative_spans, histogram.negative_counts.size()));
  if (!status.ok()) return status;
  status = on_side("negative side", check_counts(histogram.negative_counts, histogram.integer));
  if (!status.ok()) return status;
  if (!histogram.integer && histogram.zero_count < 0) {
    return invalid("zero bucket has observation count of " + format_float_g(histogram.zero_count) +
                   ": histogram has a bucket whose observation count is negative");
  }
  if (!histogram.custom_bounds.empty()) {
    return invalid("histogram with exponential schema must not have custom bounds");
  }
  return {};
}

bool same_bits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

bool same_counts(std::span<const double> a, std::span<const double> b) {
  return std::ranges::equal(a, b, same_bits);
}

// Spans without the empty ones.
std::vector<HistogramSpan> without_empty(std::span<const HistogramSpan> spans) {
  std::vector<HistogramSpan> kept;
  std::int32_t gap = 0;
  for (const HistogramSpan& span : spans) {
    gap += span.offset;
    if (span.length == 0) continue;
    kept.push_back({gap, span.length});
    gap = 0;
  }
  return kept;
}

bool same_layout(std::span<const HistogramSpan> a, std::span<const HistogramSpan> b) {
  return std::ranges::equal(a, b) || without_empty(a) == without_empty(b);
}

}  // namespace

Status validate(const Histogram& histogram) {
  if (Status parts = check_parts(histogram); !parts.ok()) return parts;
  if (!histogram.integer && histogram.count < 0) {
    return invalid("observation count is  " + format_float_g(histogram.count) +
                   ": histogram's observation count is negative");
  }
  Status counts =
      on_side("positive side", check_counts(histogram.positive_counts, histogram.integer));
  if (!counts.ok()) return counts;
  if (histogram.integer) return check_integer_count(histogram);
  return {};
}

bool same_custom_bounds(std::span<const double> a, std::span<const double> b) {
  return std::ranges::equal(a, b);
}

bool same_data(const Histogram& a, const Histogram& b) {
  return a.schema == b.schema && same_bits(a.count, b.count) && same_bits(a.sum, b.sum) &&
         (!a.custom_buckets() || same_custom_bounds(a.custom_bounds, b.custom_bounds)) &&
         a.zero_threshold == b.zero_threshold && same_bits(a.zero_count, b.zero_count) &&
         same_layout(a.negative_spans, b.negative_spans) &&
         same_counts(a.negative_counts, b.negative_counts) &&
         same_layout(a.positive_spans, b.positive_spans) &&
         same_counts(a.positive_counts, b.positive_counts);
}

}  // namespace varve::model
