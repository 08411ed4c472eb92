// SPDX-License-Identifier: Apache-2.0
// Reading across blocks and the head: what each has alone and together, and what is left when a
// block is damaged.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "db_fixture.h"

namespace varve::storage::test {
namespace {

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kHourMs = 60 * kMinuteMs;

Labels series_of(std::string_view s) { return Labels{{"__name__", "m"}, {"s", s}}; }

// Five hours and ten minutes of series "both", the first three of "old", the last of "new": the
// first four of all are in two blocks.
std::unique_ptr<Db> open_with_blocks(World& world, Options options) {
  options.retention = std::chrono::milliseconds(0);
  options.idle_after = std::chrono::hours(100);
  options.block_windows = {std::chrono::hours(2)};
  auto db = world.open(options);
  std::uint64_t random = 1;
  for (std::int64_t minute = 0; minute < 310; ++minute) {
    BatchBuilder builder;
    const Timestamp t = kStart + minute * kMinuteMs;
    // Does not compress: damage then falls into chunks.
    random = random * 6364136223846793005ULL + 1442695040888963407ULL;
    builder.add(series_of("both"), t, static_cast<double>(random >> 11) * 0x1p-53);
    if (minute < 180) builder.add(series_of("old"), t, static_cast<double>(-minute));
    if (minute >= 240) builder.add(series_of("new"), t, static_cast<double>(2 * minute));
    append(*db, builder.batch);
  }
  const Status compacted = db->compact();
  if (!compacted.ok()) FAIL(compacted.error().message());
  REQUIRE(db->blocks().size() == 2);
  return db;
}

const std::vector<model::Matcher> kAll{equal("__name__", "m")};

std::map<std::string, std::size_t> counts(const Db& db, TimeRange range,
                                          std::vector<std::string>& warnings) {
  auto querier = db.querier(range);
  REQUIRE(querier.ok());
  auto selection = (*querier)->select(kAll, range);
  REQUIRE(selection.ok());
  std::map<std::string, std::size_t> result;
  SeriesSamples samples;
  const LabelColumn column = (*selection)->label_column("s");
  for (std::size_t i = 0; i < (*selection)->size(); ++i) {
    REQUIRE((*selection)->read(i, range, samples).ok());
    const std::string_view name = column.values[column.ids[i]];
    if (!samples.float_times.empty()) result[std::string(name)] = samples.float_times.size();
  }
  warnings = (*querier)->warnings();
  return result;
}

using Counts = std::map<std::string, std::size_t>;

TEST_CASE("db: selections of one querier share what is decoded, and outlive each other",
          "[storage]") {
  World world;
  auto db = open_with_blocks(world, world.options());
  auto querier = db->querier(TimeRange::all());
  REQUIRE(querier.ok());
  const auto read = [](const Selection& selection, TimeRange range) {
    SeriesSamples samples;
    REQUIRE(selection.size() == 1);
    REQUIRE(selection.read(0, range, samples).ok());
    return samples.float_times.size();
  };
  const auto select = [&](std::string_view s, TimeRange range) {
    auto selection = (*querier)->select(
        std::vector<model::Matcher>{equal("s", std::string(s))}, range);
    REQUIRE(selection.ok());
    return std::move(selection).value();
  };
  const TimeRange evening{kStart + 4 * kHourMs, kStart + 9 * kHourMs};
  auto both = select("both", TimeRange::all());
  CHECK(read(*both, TimeRange::all()) == 310);
  const auto fresh = select("new", evening);
  CHECK(read(*fresh, evening) == 70);
  CHECK(read(*both, evening) == 70);
  both.reset();
  CHECK(read(*fresh, evening) == 70);
  CHECK(read(*select("old", TimeRange::all()), TimeRange::all()) == 180);
  CHECK((*querier)->warnings().empty());
}

TEST_CASE("db: a series of blocks and the head is one series", "[storage]") {
  World world;
  auto db = open_with_blocks(world, world.options());
  std::vector<std::string> warnings;
  CHECK(counts(*db, TimeRange::all(), warnings) ==
        Counts{{"both", 310}, {"old", 180}, {"new", 70}});
  CHECK(counts(*db, {kStart, kStart + kHourMs - 1}, warnings) == Counts{{"both", 60}, {"old", 60}});
  CHECK(counts(*db, {kStart + 4 * kHourMs, kStart + 9 * kHourMs}, warnings) ==
        Counts{{"both", 70}, {"new", 70}});
  CHECK(warnings.empty());

  auto querier = db->querier(TimeRange::all());
  auto values = (*querier)->label_values("s", {}, TimeRange::all());
  CHECK(values->names == std::vector<std::string>{"both", "new", "old"});
  values = (*querier)->label_values("s", kAll, {kStart, kStart + kHourMs});
  CHECK(std::set<std::string>(values->names.begin(), values->names.end()).count("old") == 1);
  SelectHints hints;
  hints.series_max = 2;
  auto refused = (*querier)->select(kAll, TimeRange::all(), hints);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code() == ErrorCode::kLimitExceeded);
}

TEST_CASE("db: series of one scrape share their times across blocks and the head", "[storage]") {
  World world;
  Options options = world.options();
  options.block_windows = {std::chrono::hours(2)};
  auto db = world.open(options);
  for (std::int64_t minute = 0; minute < 300; ++minute) {
    BatchBuilder builder;
    for (const char* s : {"a", "b", "c"}) {
      builder.add(series_of(s), kStart + minute * kMinuteMs, static_cast<double>(minute));
    }
    append(*db, builder.batch);
  }
  REQUIRE(db->compact().ok());
  auto querier = db->querier(TimeRange::all());
  const TimeRange range{kStart + 100 * kMinuteMs, kStart + 290 * kMinuteMs};
  auto selection = (*querier)->select(kAll, range);
  REQUIRE((*selection)->size() == 3);
  std::set<std::uint64_t> ids;
  SeriesSamples samples;
  for (std::size_t i = 0; i < 3; ++i) {
    REQUIRE((*selection)->read(i, range, samples).ok());
    CHECK(samples.float_times.size() == 191);
    ids.insert(samples.times_id);
  }
  CHECK(ids.size() == 1);
  CHECK(ids.count(0) == 0);
}

TEST_CASE("db: times of different blocks are told apart, however many blocks there are",
          "[storage]") {
  World world(kStart + 60 * Timestamp{86'400'000});
  Options options = world.options();
  options.retention = std::chrono::milliseconds(0);
  options.idle_after = std::chrono::hours(10'000);
  options.block_windows = {std::chrono::hours(2)};
  auto db = world.open(options);
  // A series of each window, which is the first of its block.
  constexpr std::int64_t kWindows = 300;
  for (std::int64_t window = 0; window < kWindows; ++window) {
    BatchBuilder builder;
    builder.add(series_of(std::to_string(window)), kStart + window * 2 * kHourMs, 1);
    append(*db, builder.batch);
  }
  REQUIRE(db->compact().ok());
  REQUIRE(db->blocks().size() > 256);
  auto querier = db->querier(TimeRange::all());
  auto selection = (*querier)->select(kAll, TimeRange::all());
  REQUIRE(selection.ok());
  REQUIRE((*selection)->size() == kWindows);
  std::set<std::uint64_t> ids;
  SeriesSamples samples;
  for (std::size_t i = 0; i < kWindows; ++i) {
    REQUIRE((*selection)->read(i, TimeRange::all(), samples).ok());
    REQUIRE(samples.float_times.size() == 1);
    CHECK(samples.times_id != 0);
    ids.insert(samples.times_id);
  }
  CHECK(ids.size() == kWindows);
}

TEST_CASE("db: of several late samples of one time the first stays", "[storage]") {
  // Where the block of the second begins and ends beside that of the first.
  constexpr Timestamp kDay = kStart - kStart % (24 * kHourMs);
  const Timestamp beside_ms = GENERATE(Timestamp{0}, -30 * kMinuteMs, 30 * kMinuteMs);
  CAPTURE(beside_ms);
  World world(kDay + 10 * 24 * kHourMs);
  Options options = world.options();
  options.out_of_order_window = std::chrono::hours(24);
  options.retention = std::chrono::milliseconds(0);
  options.idle_after = std::chrono::hours(1000);
  // Nothing is merged unless asked for.
  options.block_windows = {std::chrono::hours(24)};
  auto db = world.open(options);
  const Labels labels = series_of("late");
  const Timestamp late_ms = kDay + kHourMs + 1;
  const auto write = [&](Timestamp t, double value) {
    BatchBuilder builder;
    builder.add(labels, t, value);
    REQUIRE(append(*db, builder.batch).first_error.empty());
  };
  // The block of a round is younger than those before.
  const auto cut = [&](Timestamp until_ms) {
    write(until_ms, 0);
    world.clock.advance(std::chrono::hours(1));
    REQUIRE(db->maintain().ok());
  };
  const auto check = [&] {
    const TimeRange range{late_ms, late_ms};
    auto querier = db->querier(TimeRange::all());
    auto selection = (*querier)->select(kAll, TimeRange::all());
    REQUIRE((*selection)->size() == 1);
    SeriesSamples samples;
    REQUIRE((*selection)->read(0, TimeRange::all(), samples).ok());
    const auto at = std::find(samples.float_times.begin(), samples.float_times.end(), late_ms);
    REQUIRE(at != samples.float_times.end());
    CHECK(samples.float_values[static_cast<std::size_t>(at - samples.float_times.begin())] == 1);
    const std::vector<std::uint32_t> which{0};
    std::vector<LastSample> last(1);
    REQUIRE((*selection)->read_last(which, range, last).ok());
    CHECK(last[0].timestamp_ms == late_ms);
    CHECK(last[0].value == 1);
  };
  write(kDay, 0);
  cut(kDay + 5 * kHourMs);
  write(late_ms, 1);
  check();
  cut(kDay + 7 * kHourMs);
  check();
  write(late_ms, 2);
  if (beside_ms != 0) write(late_ms + beside_ms, 3);
  check();  // a block and the head
  cut(kDay + 9 * kHourMs);
  const auto blocks = db->blocks();
  REQUIRE(std::count_if(blocks.begin(), blocks.end(),
                        [](const auto& meta) { return meta.out_of_order; }) == 2);
  check();  // two blocks
  REQUIRE(db->compact().ok());
  REQUIRE(db->blocks().size() < blocks.size());
  check();  // the block made of both
}

TEST_CASE("db: what is damaged in a block is left out, and the result says so", "[storage]") {
  World world;
  {
    auto db = open_with_blocks(world, world.options());
    REQUIRE(db->close().ok());
  }
  std::string ulid;
  {
    auto db = world.open();
    ulid = db->blocks()[0].ulid;
    REQUIRE(db->close().ok());
  }
  const std::string data = fmt::format("data/varve/dense/{}/data", ulid);
  world.files.flip_bit(data, 64, 1);
  auto db = world.open();
  std::vector<std::string> warnings;
  const Counts all = counts(*db, TimeRange::all(), warnings);
  CHECK(all.at("new") == 70);
  CHECK(all.at("both") == 190);  // of 310: the other block and the head
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].find("block " + ulid) != std::string::npos);
  CAPTURE(warnings[0]);
  CHECK(warnings[0].find("checksum") != std::string::npos);
  // Twice asked, logged once; a query of another time is not concerned.
  counts(*db, TimeRange::all(), warnings);
  CHECK(warnings.size() == 1);
  CHECK(world.log_text.find(ulid) != std::string::npos);
  CHECK(world.log_text.find(ulid, world.log_text.find("queries go on without") + 200) ==
        std::string::npos);
  CHECK(counts(*db, {kStart + 4 * kHourMs, kStart + 5 * kHourMs - 1}, warnings).at("both") == 60);
  CHECK(warnings.empty());
}

TEST_CASE("db: a block that was set aside is missed only where it had samples", "[storage]") {
  World world;
  std::string ulid;
  {
    auto db = open_with_blocks(world, world.options());
    ulid = db->blocks()[0].ulid;
    REQUIRE(db->close().ok());
  }
  const std::string index = fmt::format("data/varve/dense/{}/index", ulid);
  const auto size = world.files.size(index);
  REQUIRE(size.ok());
  world.files.flip_bit(index, *size - 4, 1);  // the footer: nothing of it can be read
  auto opened = world.try_open(world.options());
  REQUIRE(opened.ok());
  std::vector<std::string> warnings;
  CHECK(counts(**opened, TimeRange::all(), warnings).at("both") == 190);
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].find("block " + ulid) != std::string::npos);
  counts(**opened, {kStart + 4 * kHourMs, kStart + 5 * kHourMs}, warnings);
  CHECK(warnings.empty());
}

}  // namespace
}  // namespace varve::storage::test
