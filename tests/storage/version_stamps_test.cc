// SPDX-License-Identifier: Apache-2.0
#include "storage/version_stamps.h"

#include <catch2/catch.hpp>

#include <vector>

namespace varve::storage {
namespace {

TEST_CASE("version stamps: a change shows in the buckets it touches and in no others",
          "[storage]") {
  constexpr std::int64_t kBucket = VersionStamps::kBucketMs;
  VersionStamps stamps;
  const TimeRange before{-kBucket, -1};
  const TimeRange first{0, kBucket - 1};
  const TimeRange second{kBucket, 2 * kBucket - 1};
  const auto all = [&] {
    return std::vector{stamps.stamp(before), stamps.stamp(first), stamps.stamp(second)};
  };
  const auto start = all();
  stamps.bump({5, 5});
  auto now = all();
  CHECK(now[0] == start[0]);
  CHECK(now[1] != start[1]);
  CHECK(now[2] == start[2]);
  stamps.bump({-1, -1});
  CHECK(stamps.stamp(before) != start[0]);
  CHECK(stamps.stamp(first) == now[1]);
  now = all();
  stamps.bump({kBucket - 1, kBucket});
  CHECK(stamps.stamp(first) != now[1]);
  CHECK(stamps.stamp(second) != now[2]);
  now = all();
  stamps.bump(TimeRange::all());
  CHECK(stamps.stamp(before) != now[0]);
  CHECK(stamps.stamp(second) != now[2]);
  const auto whole = stamps.stamp(TimeRange::all());
  stamps.bump({1, 0});
  CHECK(stamps.stamp(TimeRange::all()) == whole);
}

TEST_CASE(
    "version stamps: what is applied before the settled time bumps, what is after it does not",
    "[storage]") {
  VersionStamps stamps;
  const auto whole = [&] { return stamps.stamp(TimeRange::all()); };
  const auto start = whole();
  stamps.applied({0, 1'000'000});
  CHECK(whole() == start);
  CHECK(stamps.settle(1000) == 1000);
  CHECK(stamps.settle(400) == 1000);  // a promise does not go back
  stamps.applied({1000, 2000});
  CHECK(whole() == start);
  stamps.applied({999, 2000});
  CHECK(whole() != start);
  // Only the settled part of a batch is a change of the past.
  CHECK(stamps.settle(VersionStamps::kBucketMs) == VersionStamps::kBucketMs);
  const TimeRange second{VersionStamps::kBucketMs, 2 * VersionStamps::kBucketMs};
  const auto later = stamps.stamp(second);
  stamps.applied({500, 2 * VersionStamps::kBucketMs});
  CHECK(stamps.stamp(second) == later);
}

}  // namespace
}  // namespace varve::storage
