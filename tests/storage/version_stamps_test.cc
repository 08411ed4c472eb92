// SPDX-License-Identifier: Apache-2.0
#include "storage/version_stamps.h"

#include <catch2/catch.hpp>

#include <vector>

namespace varve::storage {
namespace {

TEST_CASE("version stamps: a change shows in the buckets it touches and in no others", "[storage]") {
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

}  // namespace
}  // namespace varve::storage
