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

TEST_CASE("shard: the oldest late sample is looked for only where there may be one as old",
          "[storage][head]") {
  fs::FaultFs files;
  const auto head = Head::create(files, "head", index::SeriesHasher::random(), 0).value();
  constexpr SeriesId kId{1};
  constexpr Timestamp kNever = TimeRange::all().max_ms;
  REQUIRE(head->reserve_series(kId).ok());
  head->mark_known(kId);
  HotSeries& series = head->series(kId);
  Shard& shard = head->shard(kId);
  const std::lock_guard lock(shard.mutex);
  const OutOfOrderRule rule{0, true};
  CHECK(shard.oldest_late_ms(0, kNever) == kNever);
  REQUIRE(shard.append_float(series, kId, 9000, 1, rule) == Appended::kAppended);
  for (const Timestamp t : {6000, 5000, 7000}) {
    REQUIRE(shard.append_float(series, kId, t, 1, rule) == Appended::kOutOfOrder);
  }
  CHECK(shard.oldest_late_ms(0, 5000) == 5000);
  CHECK(shard.oldest_late_ms(5000, 6000) == 6000);
  CHECK(shard.oldest_late_ms(0, 4999) > 4999);
  shard.freeze(6500);
  CHECK(shard.oldest_late_ms(0, 8000) == 5000);
  shard.expire(series, kId, 6500);
  shard.trim(series, kId, 6500);
  CHECK(shard.oldest_late_ms(0, 6999) > 6999);
  CHECK(shard.oldest_late_ms(0, 7000) == 7000);
  shard.expire(series, kId, 7001);
  CHECK(shard.oldest_late_ms(0, 7000) > 7000);
  CHECK(shard.oldest_late_ms(0, kNever) == kNever);
  Histogram histogram;
  REQUIRE(shard.append_histogram(series, kId, 8000, histogram, rule) == Appended::kOutOfOrder);
  CHECK(shard.oldest_late_ms(0, 8000) == 8000);
}

TEST_CASE("shard: late samples of time in blocks stay shown until their block is, or are as before",
          "[storage][head]") {
  fs::FaultFs files;
  const auto head = Head::create(files, "head", index::SeriesHasher::random(), 0).value();
  constexpr SeriesId kId{1};
  REQUIRE(head->reserve_series(kId).ok());
  head->mark_known(kId);
  HotSeries& series = head->series(kId);
  Shard& shard = head->shard(kId);
  const std::lock_guard lock(shard.mutex);
  const OutOfOrderRule rule{0, true};
  REQUIRE(shard.append_float(series, kId, 9000, 1, rule) == Appended::kAppended);
  constexpr Timestamp kCut = 6500;
  shard.freeze(kCut);
  const auto late_times = [&] {
    SeriesSnapshot seen;
    shard.snapshot(series, kId, TimeRange::all(), seen, kCut);
    std::vector<Timestamp> times;
    for (const Sample& sample : seen.late_floats) times.push_back(sample.timestamp_ms);
    CHECK(shard.may_have(series, kId, {0, 6000}, kCut) ==
          (!times.empty() && times.front() <= 6000));
    return times;
  };
  for (const Timestamp t : {6000, 5000, 7000}) {
    REQUIRE(shard.append_float(series, kId, t, 1, rule) == Appended::kOutOfOrder);
  }
  const std::int64_t charged = head->memory().side.bytes();
  const std::vector<Timestamp> all{5000, 6000, 7000};
  CHECK(late_times() == all);
  shard.freeze_late(kCut);
  CHECK(late_times() == all);
  CHECK(shard.append_float(series, kId, 6000, 1, rule) == Appended::kSame);
  REQUIRE(shard.append_float(series, kId, 5500, 1, rule) == Appended::kOutOfOrder);
  SECTION("the block is there") {
    shard.trim(series, kId, kCut);
    CHECK(late_times() == std::vector<Timestamp>{5500, 7000});
    // What a cut of more time freezes is found in blocks by those who take them from there.
    shard.freeze(8000);
    SeriesSnapshot seen;
    shard.snapshot(series, kId, TimeRange::all(), seen, 8000);
    CHECK(seen.late_floats.empty());
    CHECK(late_times() == std::vector<Timestamp>{5500, 7000});
  }
  SECTION("it was not written") {
    shard.thaw();
    CHECK(late_times() == std::vector<Timestamp>{5000, 5500, 6000, 7000});
    shard.trim(series, kId, kCut);
    CHECK(late_times() == std::vector<Timestamp>{5000, 5500, 6000, 7000});
    shard.expire(series, kId, 5001);
    CHECK(head->memory().side.bytes() == charged);
  }
}
