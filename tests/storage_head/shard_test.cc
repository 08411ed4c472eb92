// SPDX-License-Identifier: Apache-2.0
#include "storage/head/shard.h"

#include <catch2/catch.hpp>

#include "fs/fault_fs.h"
#include "storage/head/head.h"

using namespace varve;
using namespace varve::storage;
using namespace varve::storage::head;

TEST_CASE("shard: late floats and histograms are charged while they are held", "[storage][head]") {
  fs::FaultFs files;
  const auto head = Head::create(files, "head", index::SeriesHasher::random(), 0).value();
  constexpr SeriesId kId{1};
  REQUIRE(head->reserve_series(kId).ok());
  head->mark_known(kId);
  HotSeries& series = head->series(kId);
  Shard& shard = head->shard(kId);
  const std::lock_guard lock(shard.mutex);

  Histogram histogram;
  histogram.integer = true;
  histogram.positive_spans = {{0, 100}};
  histogram.positive_counts.assign(100, 1);
  histogram.count = 100;
  const OutOfOrderRule rule{0, true};
  REQUIRE(shard.append_histogram(series, kId, 9000, histogram, rule) == Appended::kAppended);
  const std::int64_t in_order = head->memory().side.bytes();

  REQUIRE(shard.append_histogram(series, kId, 5000, histogram, rule) == Appended::kOutOfOrder);
  const std::int64_t with_histogram = head->memory().side.bytes();
  CHECK(with_histogram - in_order > 100 * 8);
  REQUIRE(shard.append_histogram(series, kId, 5000, histogram, rule) == Appended::kSame);
  CHECK(head->memory().side.bytes() == with_histogram);
  REQUIRE(shard.append_float(series, kId, 6000, 1, rule) == Appended::kOutOfOrder);
  CHECK(head->memory().side.bytes() == with_histogram + std::int64_t{sizeof(Sample)});

  shard.expire(series, kId, 6000);
  CHECK(head->memory().side.bytes() == in_order + std::int64_t{sizeof(Sample)});
  shard.expire(series, kId, 6001);
  CHECK(head->memory().side.bytes() == in_order);
}
