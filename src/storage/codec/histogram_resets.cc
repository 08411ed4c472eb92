// SPDX-License-Identifier: Apache-2.0
// Whether a native histogram continues the one before it. Rules and their order are those of
// prometheus tsdb/chunkenc/histogram.go, appendable(), and histogram_meta.go, counterResetHint().
#include "storage/codec/histogram.h"

namespace varve::storage::codec {
namespace {

// Walks the buckets of one sign in order of their indexes; indexes are 64-bit so that the offsets
// of hostile spans cannot overflow them.
class BucketWalk {
 public:
  BucketWalk(const std::vector<HistogramSpan>& spans, const std::vector<double>& counts)
      : spans_(spans), counts_(counts) {
    enter_span();
  }
  bool done() const { return span_ == spans_.size(); }
  std::int64_t index() const { return index_; }
  double count() const { return counts_[bucket_]; }
  void next() {
    ++bucket_;
    ++index_;
    if (++in_span_ == spans_[span_].length) {
      ++span_;
      enter_span();
    }
  }

 private:
  void enter_span() {
    in_span_ = 0;
    for (; span_ < spans_.size(); ++span_) {
      index_ += spans_[span_].offset;
      if (spans_[span_].length > 0) return;
    }
  }

  const std::vector<HistogramSpan>& spans_;
  const std::vector<double>& counts_;
  std::size_t span_ = 0;
  std::uint32_t in_span_ = 0;
  std::size_t bucket_ = 0;
  std::int64_t index_ = 0;
};

// Whether a bucket counts less than before, or one that counted something is missing.
bool any_bucket_fell(BucketWalk before, BucketWalk after) {
  for (; !before.done(); before.next()) {
    while (!after.done() && after.index() < before.index()) after.next();
    const bool present = !after.done() && after.index() == before.index();
    if (present ? after.count() < before.count() : before.count() != 0) return true;
  }
  return false;
}

}  // namespace

CounterResetHint next_reset_hint(const Histogram* previous, const Histogram& next) {
  // A decoded stale marker carries no hint, whatever it was written with.
  if (next.is_stale()) return CounterResetHint::kUnknown;
  if (next.counter_reset_hint == CounterResetHint::kGauge) return CounterResetHint::kGauge;
  if (next.counter_reset_hint == CounterResetHint::kReset) return CounterResetHint::kReset;
  // What follows here are the cases in which Prometheus begins a chunk without knowing of a reset.
  if (previous == nullptr || previous->is_stale() || previous->integer != next.integer ||
      previous->counter_reset_hint == CounterResetHint::kGauge) {
    return CounterResetHint::kUnknown;
  }
  if (next.count < previous->count) return CounterResetHint::kReset;
  if (next.schema != previous->schema || next.zero_threshold != previous->zero_threshold) {
    return CounterResetHint::kUnknown;
  }
  if (next.custom_buckets() && next.custom_bounds != previous->custom_bounds) {
    return CounterResetHint::kReset;
  }
  if (next.zero_count < previous->zero_count ||
      any_bucket_fell({previous->positive_spans, previous->positive_counts},
                      {next.positive_spans, next.positive_counts}) ||
      any_bucket_fell({previous->negative_spans, previous->negative_counts},
                      {next.negative_spans, next.negative_counts})) {
    return CounterResetHint::kReset;
  }
  return CounterResetHint::kNotReset;
}

}  // namespace varve::storage::codec
