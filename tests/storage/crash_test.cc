// SPDX-License-Identifier: Apache-2.0
// The power is cut, the disk fills or fails at every step the database takes. Whatever was
// acknowledged must be there afterwards, once, bit for bit; what was not may be there or not.
#include <algorithm>
#include <cerrno>

#include "db_fixture.h"

namespace varve::storage::test {
namespace {

constexpr int kRounds = 6;
constexpr int kSeries = 3;

Labels series(int round, int s) {
  // A new series in every round: its record must be as durable as its samples.
  return Labels{{"__name__", "m"}, {"s", s < 2 ? std::to_string(s) : "r" + std::to_string(round)}};
}

BatchBuilder batch_of(int round) {
  BatchBuilder builder;
  const Timestamp t = kStart + round * 15'000;
  for (int s = 0; s < kSeries; ++s) builder.add(series(round, s), t, round * 10 + s + 0.1);
  builder.add(Labels{{"__name__", "h"}}, t, make_histogram(10 + round, round));
  builder.batch.series[0].exemplars_count = 1;
  builder.batch.exemplars.push_back({Labels{{"trace_id", std::to_string(round)}}, 1, t});
  builder.batch.metadata.push_back({"m", "gauge", "round " + std::to_string(round), ""});
  return builder;
}

// Runs as far as it gets; the rounds that were acknowledged, and how many were tried.
struct Progress {
  std::vector<int> acknowledged;
  int tried = 0;
  int runs = 1;
};

Progress run(World& world) {
  Progress progress;
  auto db = world.try_open(world.options());
  if (!db.ok()) return progress;
  for (int round = 0; round < kRounds; ++round) {
    progress.tried = round + 1;
    const BatchBuilder builder = batch_of(round);
    auto outcome = (*db)->append(builder.batch);
    if (!outcome.ok()) continue;
    if (wait(**db, outcome->ticket).ok()) progress.acknowledged.push_back(round);
    // Reading goes on whatever the log does.
    read_all(**db, {equal("__name__", "m")});
  }
  (void)(*db)->close().ok();
  return progress;
}

void check_contents(World& world, const Progress& progress) {
  auto opened = world.try_open(world.options());
  if (!opened.ok()) FAIL(opened.error().message());
  const Db& db = **opened;
  CHECK(db.recovery().frames_lost == 0);
  CHECK(db.recovery().samples_lost == 0);
  const Contents contents = read_all(db, {equal("__name__", "m")});
  const auto find = [&contents](int round, int s) {
    const auto found = contents.find(series(round, s).to_string());
    if (found == contents.end()) return 0;
    int count = 0;
    for (const auto& [t, value] : found->second) {
      if (t != kStart + round * 15'000) continue;
      ++count;
      CHECK(value == bits(round * 10 + s + 0.1));
    }
    return count;
  };
  auto querier = db.querier(TimeRange::all());
  const std::vector matchers{equal("__name__", "h")};
  auto selection = (*querier)->select(matchers, TimeRange::all());
  SeriesSamples histograms;
  if ((*selection)->size() > 0) REQUIRE((*selection)->read(0, TimeRange::all(), histograms).ok());
  const std::vector<std::vector<model::Matcher>> all{{equal("__name__", "m")}};
  auto exemplars = db.exemplars(all, TimeRange::all());
  REQUIRE(exemplars.ok());
  for (const int round : progress.acknowledged) {
    CAPTURE(round);
    for (int s = 0; s < kSeries; ++s) CHECK(find(round, s) == 1);
    const auto& times = histograms.histogram_times;
    CHECK(std::count(times.begin(), times.end(), kStart + round * 15'000) == 1);
    bool exemplar_found = false;
    for (const SeriesExemplars& found : *exemplars) {
      for (const ExemplarPoint& point : found.exemplars) {
        exemplar_found |= point.labels.get("trace_id") == std::to_string(round);
      }
    }
    CHECK(exemplar_found);
  }
  for (const auto& [name, samples] : contents) {
    CHECK(samples.size() <= static_cast<std::size_t>(progress.tried));
    CHECK(std::is_sorted(samples.begin(), samples.end()));
  }
  if (!progress.acknowledged.empty()) {
    REQUIRE(db.metadata("m").size() == 1);
    // A second run writes what the first wrote again, from the first round on.
    const int round = progress.runs == 1 ? progress.acknowledged.back() : 0;
    CHECK(db.metadata("m")[0].help >= "round " + std::to_string(round));
  }
}

std::uint64_t steps_of_a_run() {
  World world;
  const Progress progress = run(world);
  REQUIRE(progress.acknowledged.size() == kRounds);
  return world.files.steps();
}

TEST_CASE("db: a power cut at any step loses nothing that was acknowledged", "[storage]") {
  const std::uint64_t steps = steps_of_a_run();
  using Keep = fs::FaultFs::Keep;
  for (const Keep keep : {Keep::kNothing, Keep::kRandom, Keep::kEverything}) {
    for (std::uint64_t step = 1; step <= steps; ++step) {
      CAPTURE(step, static_cast<int>(keep));
      World world;
      world.files.cut_power_at(step);
      const Progress progress = run(world);
      world.files.reboot(keep, step);
      check_contents(world, progress);
      if (step % 5 == 0) {
        // Once more, with the power cut while it recovers.
        world.files.cut_power_at(world.files.steps() + 3);
        (void)run(world);
        world.files.reboot(keep, step);
        check_contents(world, {progress.acknowledged, kRounds, 2});
      }
    }
  }
}

TEST_CASE("db: after a failing write or sync reading goes on and nothing acknowledged is lost",
          "[storage]") {
  const std::uint64_t steps = steps_of_a_run();
  for (const int error : {EIO, ENOSPC}) {
    for (std::uint64_t step = 1; step <= steps; ++step) {
      CAPTURE(step, error);
      World world;
      world.files.fail_step(step, error);
      const Progress progress = run(world);
      world.files.clear_faults();
      check_contents(world, progress);
    }
  }
}

TEST_CASE("db: on a full disk writes are refused as unavailable, and taken again later",
          "[storage]") {
  World world;
  auto db = world.open();
  append(*db, batch_of(0).batch);
  world.files.fill_disk_at(world.files.steps() + 1);
  bool refused = false;
  Progress progress;
  for (int round = 1; round < 4; ++round) {
    auto outcome = db->append(batch_of(round).batch);
    const Status status = outcome.ok() ? wait(*db, outcome->ticket) : Status(outcome.error());
    if (status.ok()) {
      progress.acknowledged.push_back(round);
    } else {
      refused = true;
      CHECK(status.error().code() == ErrorCode::kUnavailable);
    }
    CHECK_FALSE(read_all(*db, {equal("__name__", "m")}).empty());
  }
  world.files.make_space();
  (void)db->close().ok();
  db.reset();
  progress.tried = 4;
  check_contents(world, progress);
  // The log writes into space it has already taken, so a full disk may not be noticed at once.
  static_cast<void>(refused);
}

}  // namespace
}  // namespace varve::storage::test
