// SPDX-License-Identifier: Apache-2.0
// The wording of the remarks that functions make. They are Prometheus's, byte by byte: dashboards
// and rule tests match on them. Prefix and position are the sink's business.
#pragma once

#include <string>
#include <string_view>

#include "model/number.h"
#include "promql/parser.h"

namespace varve::promql::texts {

// "… for metric name "x"", or nothing for a series without a name.
inline std::string for_metric_name(std::string_view name) {
  return name.empty() ? std::string() : " for metric name " + quote(name);
}

// ---- warnings ----------------------------------------------------------------------------------

inline std::string invalid_quantile(double q) {
  return "quantile value should be between 0 and 1, got " + model::format_float_g(q);
}
inline std::string bad_bucket_label(std::string_view name, std::string_view le) {
  return "bucket label \"le\" is missing or has a malformed value of " + quote(le) +
         for_metric_name(name);
}
inline std::string mixed_floats_and_histograms(std::string_view name) {
  return "encountered a mix of histograms and floats for metric name " + quote(name);
}
inline std::string mixed_classic_and_native(std::string_view name) {
  return "vector contains a mix of classic and native histograms" + for_metric_name(name);
}
inline std::string not_a_counter(std::string_view name) {
  return "this native histogram metric is not a counter: " + quote(name);
}
inline std::string not_a_gauge(std::string_view name) {
  return "this native histogram metric is not a gauge: " + quote(name);
}
inline std::string mixed_bucket_schemas(std::string_view name) {
  return "vector contains a mix of histograms with exponential and custom buckets schemas for "
         "metric name " +
         quote(name);
}
inline std::string start_time_overlap(std::string_view name) {
  return "sample has start time that overlaps with previous sample timestamp for metric " +
         quote(name);
}
inline constexpr std::string_view kSortInRangeQuery =
    "sort is ineffective for range queries since results are always ordered by labels";
inline constexpr std::string_view kResetCollisionInAggregation =
    "conflicting counter resets during histogram aggregation";

// ---- infos -------------------------------------------------------------------------------------

inline std::string histograms_ignored_in_mixed_range(std::string_view name) {
  return "ignored histograms in a range containing both floats and histograms for metric name " +
         quote(name);
}
inline std::string quantile_is_nan(std::string_view name) {
  return "input to histogram_quantile has NaN observations, result is NaN" + for_metric_name(name);
}
inline std::string quantile_is_skewed(std::string_view name) {
  return "input to histogram_quantile has NaN observations, result is skewed higher" +
         for_metric_name(name);
}
inline std::string fraction_excludes_nan(std::string_view name) {
  return "input to histogram_fraction has NaN observations, which are excluded from all fractions" +
         for_metric_name(name);
}
inline constexpr std::string_view kBoundsReconciledInAddition =
    "mismatched custom buckets were reconciled during addition";
inline constexpr std::string_view kBoundsReconciledInSubtraction =
    "mismatched custom buckets were reconciled during subtraction";
inline constexpr std::string_view kBoundsReconciledInAggregation =
    "mismatched custom buckets were reconciled during aggregation";

}  // namespace varve::promql::texts
