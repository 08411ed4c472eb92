// SPDX-License-Identifier: Apache-2.0
// Which stretches of the past have changed. Whoever derives something from old samples (a cached
// result, a downsampled block) notes the stamps of the time it covered, and later sees whether they
// are still the same. Appending the newest sample of a series changes no stamp: what is derived
// must leave out the time that is still being written.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>

#include "varve/sample.h"

namespace varve::storage {

// Thread-safe. Stamps live as long as the process: they start again at every opening, so they must
// not be stored.
class VersionStamps {
 public:
  static constexpr std::int64_t kBucketMs = 2 * 60 * 60 * 1000;

  // Something in the range changed: an out-of-order sample, a delete, an import.
  void bump(TimeRange range);

  // A number that is different after every change within the range (buckets are counted whole).
  std::uint64_t stamp(TimeRange range) const;

  // Promises a reader that nothing before `before_ms` changes any more without a bump. The promise
  // never goes back: the largest ever made is returned.
  Timestamp settle(Timestamp before_ms);

  // Samples with times in the range have been applied and readers can see them: bumps if some of
  // them are older than what settle() promised. Called after the locks under which they were
  // applied are released, before they are acknowledged: whoever was promised more after not having
  // seen them took those locks in between, so the promise is seen here.
  void applied(TimeRange range);

 private:
  // A change of more buckets than this is kept as one of all time.
  static constexpr std::int64_t kBucketsMax = 10'000;

  mutable std::mutex mutex_;  // guards what follows
  std::map<std::int64_t, std::uint64_t> buckets_;  // by number; missing ones are 0
  std::uint64_t everything_ = 0;                   // changes that are not in buckets_
  std::atomic<Timestamp> settled_before_ms_{TimeRange::all().min_ms};
};

}  // namespace varve::storage
