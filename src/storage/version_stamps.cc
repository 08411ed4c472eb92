// SPDX-License-Identifier: Apache-2.0
#include "storage/version_stamps.h"

#include <algorithm>

namespace varve::storage {
namespace {

std::int64_t bucket_of(Timestamp t) {
  const std::int64_t bucket = t / VersionStamps::kBucketMs;
  return t % VersionStamps::kBucketMs < 0 ? bucket - 1 : bucket;
}

}  // namespace

void VersionStamps::bump(TimeRange range) {
  if (range.empty()) return;
  const std::int64_t first = bucket_of(range.min_ms);
  const std::int64_t last = bucket_of(range.max_ms);
  const std::lock_guard lock(mutex_);
  if (last - first >= kBucketsMax || buckets_.size() > kBucketsMax * 4) {
    ++everything_;
    return;
  }
  for (std::int64_t bucket = first; bucket <= last; ++bucket) ++buckets_[bucket];
}

std::uint64_t VersionStamps::stamp(TimeRange range) const {
  const std::lock_guard lock(mutex_);
  // Counters only grow, so their sum is different after any of them has changed.
  std::uint64_t sum = everything_;
  if (range.empty()) return sum;
  const std::int64_t last = bucket_of(range.max_ms);
  for (auto at = buckets_.lower_bound(bucket_of(range.min_ms));
       at != buckets_.end() && at->first <= last; ++at) {
    sum += at->second;
  }
  return sum;
}

Timestamp VersionStamps::settle(Timestamp before_ms) {
  Timestamp known = settled_before_ms_.load();
  while (known < before_ms && !settled_before_ms_.compare_exchange_weak(known, before_ms)) {
  }
  return std::max(known, before_ms);
}

void VersionStamps::applied(TimeRange range) {
  const Timestamp before_ms = settled_before_ms_.load();
  if (range.min_ms < before_ms) bump({range.min_ms, std::min(range.max_ms, before_ms - 1)});
}

}  // namespace varve::storage
