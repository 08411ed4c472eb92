// SPDX-License-Identifier: Apache-2.0
// Series that get no samples any more: when they leave memory, and that nobody notices.
#include <fmt/format.h>

#include <functional>
#include <thread>

#include "db_fixture.h"

namespace varve::storage::test {
namespace {

constexpr std::int64_t kMinuteMs = 60'000;

Labels series_of(int generation, int s) {
  return Labels{{"__name__", "m"}, {"g", std::to_string(generation)}, {"s", std::to_string(s)}};
}

Options idle_options(const World& world) {
  Options options = world.options();
  options.retention = std::chrono::milliseconds(0);
  options.idle_after = std::chrono::hours(1);
  return options;
}

// One sample a minute of `count` series of a generation, for `minutes` from `at`, which it moves.
void write(Db& db, int generation, int count, int minutes, Timestamp& at) {
  for (int minute = 0; minute < minutes; ++minute, at += kMinuteMs) {
    BatchBuilder builder;
    for (int s = 0; s < count; ++s) {
      builder.add(series_of(generation, s), at, static_cast<double>(minute));
    }
    REQUIRE(append(db, builder.batch).all_accepted());
  }
}

void maintain(Db& db) {
  const Status status = db.maintain();
  if (!status.ok()) FAIL(status.error().message());
}

std::size_t samples_of(const Db& db, const Labels& labels) {
  const Contents contents = read_all(db, {equal("g", std::string(labels.get("g"))),
                                          equal("s", std::string(labels.get("s")))});
  return contents.empty() ? 0 : contents.at(labels.to_string()).size();
}

TEST_CASE("db: series that are idle leave memory and stay readable", "[storage]") {
  World world;
  auto db = world.open(idle_options(world));
  Timestamp at = kStart;
  write(*db, 0, 40, 30, at);
  write(*db, 1, 10, 50, at);
  maintain(*db);
  CHECK(db->stats(1).series_count == 50);  // quiet for 50 minutes only
  write(*db, 1, 10, 20, at);
  maintain(*db);
  CHECK(db->stats(1).series_count == 10);
  CHECK(samples_of(*db, series_of(0, 7)) == 30);
  CHECK(samples_of(*db, series_of(1, 7)) == 70);
  const auto all = read_all(*db, {equal("__name__", "m")});
  CHECK(all.size() == 50);

  // One comes back: a new series in memory, one series to readers.
  write(*db, 0, 1, 5, at);
  CHECK(db->stats(1).series_count == 11);
  CHECK(samples_of(*db, series_of(0, 0)) == 35);

  const bool orderly = GENERATE(true, false);
  CAPTURE(orderly);
  if (orderly) {
    REQUIRE(db->close().ok());
    db.reset();
  } else {
    const auto outcome = append(*db, BatchBuilder().add(Labels{{"x", "y"}}, at, 1).batch);
    REQUIRE(wait(*db, outcome.ticket).ok());
    db.reset();
    world.files.reboot(fs::FaultFs::Keep::kNothing);
  }
  db = world.open(idle_options(world));
  CHECK(db->stats(1).series_count == (orderly ? 11 : 12));
  CHECK(samples_of(*db, series_of(0, 0)) == 35);
  CHECK(samples_of(*db, series_of(0, 7)) == 30);
  write(*db, 0, 2, 1, at);
  CHECK(samples_of(*db, series_of(0, 0)) == 36);
  CHECK(samples_of(*db, series_of(0, 1)) == 31);
}

TEST_CASE("db: a few idle series are not worth blocks of their own", "[storage]") {
  World world;
  auto db = world.open(idle_options(world));
  Timestamp at = kStart;
  write(*db, 0, 2, 1, at);
  write(*db, 1, 40, 90, at);
  maintain(*db);
  CHECK(db->stats(1).series_count == 42);
  CHECK(db->blocks().empty());
}

TEST_CASE("db: idle series wait for the readers that still look for them in memory", "[storage]") {
  World world;
  auto db = world.open(idle_options(world));
  Timestamp at = kStart;
  write(*db, 0, 40, 30, at);
  write(*db, 1, 10, 70, at);
  auto querier = db->querier(TimeRange::all());
  const std::vector matchers{equal("g", "0")};
  auto selection = (*querier)->select(matchers, TimeRange::all());
  REQUIRE((*selection)->size() == 40);
  maintain(*db);
  CHECK(db->stats(1).series_count == 50);
  CHECK_FALSE(db->blocks().empty());
  const std::size_t blocks = db->blocks().size();
  SeriesSamples samples;
  for (std::size_t i = 0; i < 40; ++i) {
    REQUIRE((*selection)->read(i, TimeRange::all(), samples).ok());
    CHECK(samples.float_times.size() == 30);
  }
  maintain(*db);
  CHECK(db->blocks().size() == blocks);  // they are not written twice
  selection->reset();
  querier->reset();
  maintain(*db);
  CHECK(db->stats(1).series_count == 10);
  CHECK(read_all(*db, matchers).size() == 40);
}

// Does something else, on another thread, while an append waits for the labels of a key.
class Interrupting : public KeyDecoder {
 public:
  Result<Labels> decode(std::string_view key) const override {
    std::thread([this, key] { on_key(key); }).join();
    return Labels{{"__name__", "k"}, {"key", std::string(key)}};
  }
  std::function<void(std::string_view)> on_key = [](std::string_view) {};
};

TEST_CASE("db: a refusal names its series even if that has left memory meanwhile", "[storage]") {
  World world;
  auto db = world.open(idle_options(world));
  Interrupting decoder;
  const auto add_key = [&decoder](BatchBuilder& builder, const std::string& key, Timestamp t) {
    builder.add(Labels{}, t, 1);
    builder.batch.series.back().labels = nullptr;
    builder.batch.series.back().key = key;
    builder.batch.decoder = &decoder;
  };
  const std::string early = "early";
  const std::string fresh = "fresh";
  Timestamp at = kStart;
  BatchBuilder first;
  add_key(first, early, at);
  REQUIRE(append(*db, first.batch).all_accepted());
  write(*db, 0, 40, 30, at);
  write(*db, 1, 10, 70, at);

  // While `fresh` is decoded, `early` leaves; while that is decoded once more, the refused one
  // does.
  Status maintained;
  const Timestamp now = at;
  decoder.on_key = [&](std::string_view key) {
    if (key == early) write(*db, 2, 10, 70, at);
    if (Status status = db->maintain(); !status.ok()) maintained = status;
  };
  BatchBuilder builder;
  builder.add(series_of(1, 0), kStart, 1);
  add_key(builder, early, now);
  add_key(builder, fresh, now);
  const WriteOutcome outcome = append(*db, builder.batch);
  REQUIRE(maintained.ok());
  REQUIRE(at > now);
  CHECK(outcome.samples_appended == 2);
  CHECK_THAT(outcome.first_error, Catch::Contains(series_of(1, 0).to_string()));
  CHECK(db->stats(1).series_count < 15);
}

TEST_CASE("db: memory follows the series that are alive, not those that were", "[storage]") {
  World world(kStart + 10 * Timestamp{86'400'000});
  auto db = world.open(idle_options(world));
  const auto held = [&] {
    std::int64_t bytes = 0;
    const std::string page = world.metrics.render();
    for (const std::string owner : {"head_keys", "head_index", "head_series", "head_chunks"}) {
      const std::string name = "varve_memory_bytes{owner=\"" + owner + "\"} ";
      const std::size_t begin = page.find(name);
      REQUIRE(begin != std::string::npos);
      bytes += static_cast<std::int64_t>(std::stod(page.substr(begin + name.size(), 20)));
    }
    return bytes;
  };
  constexpr int kAlive = 3000;
  Timestamp at = kStart;
  std::int64_t early = 0;
  std::int64_t most = 0;
  for (int generation = 0; generation < 24; ++generation) {
    for (int i = 0; i < 4; ++i, at += 10 * kMinuteMs) {
      BatchBuilder builder;
      for (int s = 0; s < kAlive; ++s) builder.add(series_of(generation, s), at, i);
      REQUIRE(append(*db, builder.batch).all_accepted());
    }
    maintain(*db);
    // What was alive within the hour, and what came and went since the last look.
    CHECK(db->stats(1).series_count <= 4 * kAlive);
    (generation < 6 ? early : most) = std::max(generation < 6 ? early : most, held());
  }
  CHECK(most <= early * 3 / 2);
  CHECK(read_all(*db, {equal("s", "1234")}).size() == 24);
}

}  // namespace
}  // namespace varve::storage::test
