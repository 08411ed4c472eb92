// SPDX-License-Identifier: Apache-2.0
// Samples: what a series consists of. A sample is a float or a native histogram at a millisecond.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

namespace varve {

// Milliseconds since the Unix epoch. Any int64 is a valid time.
using Timestamp = std::int64_t;

// Both ends are included. Empty if min_ms > max_ms.
struct TimeRange {
  Timestamp min_ms = 0;
  Timestamp max_ms = 0;

  static constexpr TimeRange all() {
    return {std::numeric_limits<Timestamp>::min(), std::numeric_limits<Timestamp>::max()};
  }
  constexpr bool empty() const { return min_ms > max_ms; }
  constexpr bool contains(Timestamp t) const { return t >= min_ms && t <= max_ms; }
  constexpr bool overlaps(const TimeRange& other) const {
    return min_ms <= other.max_ms && other.min_ms <= max_ms;
  }
  friend bool operator==(const TimeRange&, const TimeRange&) = default;
};

// The NaN payload by which Prometheus marks the end of a series, and the NaN it stores for an
// ordinary not-a-number (prometheus model/value/value.go). They are told apart by bits only; never
// let arithmetic touch a stale marker that must be stored.
inline constexpr std::uint64_t kStaleNanBits = 0x7ff0000000000002ULL;
inline constexpr std::uint64_t kNormalNanBits = 0x7ff8000000000001ULL;

inline bool is_stale(double value) { return std::bit_cast<std::uint64_t>(value) == kStaleNanBits; }
inline double stale_marker() { return std::bit_cast<double>(kStaleNanBits); }
inline double normal_nan() { return std::bit_cast<double>(kNormalNanBits); }

struct Sample {
  Timestamp timestamp_ms = 0;
  double value = 0;
};

enum class CounterResetHint : std::uint8_t { kUnknown = 0, kReset = 1, kNotReset = 2, kGauge = 3 };

// A run of consecutive buckets: offset is the gap to the end of the previous span (for the first
// span: the index of its first bucket), length the number of buckets.
struct HistogramSpan {
  std::int32_t offset = 0;
  std::uint32_t length = 0;
  friend bool operator==(const HistogramSpan&, const HistogramSpan&) = default;
};

inline constexpr std::int32_t kCustomBucketsSchema = -53;

// A native histogram with absolute (not delta-coded, not cumulative) bucket counts. Integer
// histograms are held in doubles too, which is exact to 2^53 and what PromQL computes with;
// `integer` remembers the kind so that it can be handed on unchanged.
// Schemas -4..8 are exponential: bucket i of schema s covers (2^((i-1)*2^-s), 2^(i*2^-s)].
// Schema -53 has custom bounds: bucket i covers (custom_bounds[i-1], custom_bounds[i]], the first
// begins at -Inf, the last ends at +Inf; it has no zero bucket and no negative buckets.
// A stale marker is a histogram whose sum has kStaleNanBits.
// Source: prometheus model/histogram/float_histogram.go.
struct Histogram {
  std::int32_t schema = 0;
  CounterResetHint counter_reset_hint = CounterResetHint::kUnknown;
  bool integer = false;
  double zero_threshold = 0;
  double zero_count = 0;
  double count = 0;
  double sum = 0;
  std::vector<HistogramSpan> positive_spans;
  std::vector<HistogramSpan> negative_spans;
  std::vector<double> positive_counts;  // one per bucket of positive_spans
  std::vector<double> negative_counts;  // one per bucket of negative_spans
  std::vector<double> custom_bounds;    // upper bounds, ascending, without +Inf

  bool is_stale() const { return varve::is_stale(sum); }
  bool custom_buckets() const { return schema == kCustomBucketsSchema; }
};

// Histograms are shared between the decoder, the evaluator and the result; never changed once
// shared.
using HistogramPtr = std::shared_ptr<const Histogram>;

}  // namespace varve
