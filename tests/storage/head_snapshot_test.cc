// SPDX-License-Identifier: Apache-2.0
// Snapshots of the head: what the head has comes back from them, whatever happens to disk and power
// on the way, and damage costs what it touched and nothing else.
#include <algorithm>
#include <cerrno>
#include <set>

#include "db_fixture.h"
#include "storage/head/snapshot_file.h"
#include "storage/head/spill_store.h"
#include "storage/head/time_columns.h"

namespace varve::storage::test {
namespace {

const std::vector<model::Matcher> kAll{equal("job", "a")};

Labels series(int s) { return Labels{{"__name__", "m"}, {"job", "a"}, {"s", std::to_string(s)}}; }
Labels histogram_series(int s) {
  return Labels{{"__name__", "h"}, {"job", "a"}, {"s", std::to_string(s)}};
}

// Everything a reader can see: floats by bits, histograms by what tells them apart.
Contents see(const Db& db) {
  Contents contents = read_all(db, kAll);
  auto querier = db.querier(TimeRange::all());
  auto selection = (*querier)->select(kAll, TimeRange::all());
  REQUIRE(selection.ok());
  SeriesSamples samples;
  for (std::size_t i = 0; i < (*selection)->size(); ++i) {
    REQUIRE((*selection)->read(i, TimeRange::all(), samples).ok());
    auto& out = contents[(*selection)->labels(i).to_string()];
    for (std::size_t k = 0; k < samples.histogram_times.size(); ++k) {
      const Histogram& h = *samples.histograms[k];
      out.emplace_back(samples.histogram_times[k], bits(h.sum) ^ bits(h.count));
      out.emplace_back(samples.histogram_times[k],
                       static_cast<std::uint64_t>(h.counter_reset_hint) + h.positive_counts.size());
    }
  }
  std::erase_if(contents, [](const auto& entry) { return entry.second.empty(); });
  return contents;
}

Options with_snapshots(const World& world) {
  Options options = world.options();
  options.out_of_order_window = std::chrono::minutes(30);
  options.snapshot_log_bytes = 0;
  return options;
}

BatchBuilder scrape(int i) {
  BatchBuilder builder;
  const Timestamp t = kStart + i * 15'000;
  for (int s = 0; s < 40; ++s) {
    builder.add(series(s), t, i % 50 == 7 ? stale_marker() : s * 0.25 + i % (s + 1));
  }
  for (int s = 0; s < 3; ++s) builder.add(histogram_series(s), t, make_histogram(10 + i, i * s));
  if (i % 20 == 10) {
    builder.add(series(3), t - 7'000, i);
    builder.add(histogram_series(1), t - 7'000, make_histogram(5 + i, 1));
  }
  builder.batch.series[0].exemplars_count = 1;
  builder.batch.exemplars.push_back({Labels{{"trace_id", std::to_string(i)}}, 1, t});
  return builder;
}

std::size_t count_files(World& world, const std::string& directory, std::string_view suffix) {
  const auto names = world.files.list(directory);
  REQUIRE(names.ok());
  return static_cast<std::size_t>(
      std::count_if(names->begin(), names->end(),
                    [suffix](const std::string& name) { return name.ends_with(suffix); }));
}

// A database with something of everything in its snapshot, and nothing in the log behind it.
Contents make_snapshot(World& world, int scrapes = 300) {
  auto db = world.open(with_snapshots(world));
  for (int i = 0; i < scrapes; ++i) append(*db, scrape(i).batch);
  BatchBuilder last;
  last.add(series(99), kStart + scrapes * 15'000, 1);
  last.batch.metadata.push_back({"m", "gauge", "What it is.", "bytes"});
  append(*db, last.batch);
  const std::vector<std::vector<model::Matcher>> one{{equal("s", "5")}};
  REQUIRE(db->delete_series(one, {kStart + 600'000, kStart + 1'200'000}).ok());
  REQUIRE(db->maintain().ok());
  Contents contents = see(*db);
  db.reset();
  world.files.reboot(fs::FaultFs::Keep::kNothing);
  return contents;
}

TEST_CASE("head snapshot: columns that claim to stand far behind the others are damage",
          "[storage]") {
  const std::uint64_t distance = GENERATE(1U << 25, 1U << 27);
  World world;
  const Contents expected = make_snapshot(world);
  const std::string directory = "data/varve/snap";
  const std::string name = world.files.list(directory)->at(0);
  const std::string text = world.files.read_file(fs::join(directory, name), 1 << 30).value();
  std::vector<Error> gaps;
  auto writer = head::SnapshotWriter::create(world.files, directory,
                                             *head::parse_snapshot_name(name) + 1);
  REQUIRE(writer.ok());
  std::string scratch;
  for (const head::Piece& piece : head::find_pieces(text, gaps)) {
    REQUIRE((*writer)->add(piece.info, piece.open(scratch).value()).ok());
    if (piece.info.kind != head::PieceKind::kColumns) continue;
    std::string forged;
    head::encode_columns(distance, std::vector<head::TimeColumn>(1), forged);
    REQUIRE((*writer)->add(piece.info, forged).ok());
  }
  REQUIRE((*writer)->finish().ok());
  auto db = world.open(with_snapshots(world));
  CHECK(see(*db) == expected);
  CHECK_THAT(world.log_text, Catch::Contains(std::to_string(distance)));
}

TEST_CASE("head snapshot: on a full disk none is begun, and it is not tried all the time",
          "[storage]") {
  World world;
  auto db = world.open(with_snapshots(world));
  REQUIRE(wait(*db, append(*db, scrape(0).batch).ticket).ok());
  world.files.fill_disk_at(world.files.steps() + 1);
  const auto begun = [&] {
    const std::vector<fs::FaultFs::Step> steps = world.files.trace();
    return std::count_if(steps.begin(), steps.end(), [](const fs::FaultFs::Step& step) {
      return step.path.find("/snap/") != std::string::npos;
    });
  };
  const auto before = begun();
  CHECK_FALSE(db->maintain().ok());
  CHECK(begun() == before);
  CHECK(db->maintain().ok());  // not tried
  world.files.make_space();
  CHECK(db->maintain().ok());
  CHECK(begun() == before);
  world.clock.advance(std::chrono::minutes(1));
  CHECK(db->maintain().ok());
  CHECK(begun() > before);
}

TEST_CASE("head snapshot: labels come from the snapshot before, unless it has been damaged",
          "[storage]") {
  const bool damaged = GENERATE(false, true);
  CAPTURE(damaged);
  World world;
  auto db = world.open(with_snapshots(world));
  // Labels of three pieces and a bit.
  constexpr int kSeries = 4000;
  const std::string filler(900, 'x');
  const auto add = [&](int from, int to, Timestamp t) {
    BatchBuilder builder;
    for (int s = from; s < to; ++s) {
      builder.add(
          Labels{{"__name__", "m"}, {"filler", filler}, {"job", "a"}, {"s", std::to_string(s)}}, t,
          s);
    }
    REQUIRE(wait(*db, append(*db, builder.batch).ticket).ok());
  };
  add(0, kSeries, kStart);
  REQUIRE(db->maintain().ok());
  if (damaged) {
    const std::string path = "data/varve/snap/" + world.files.list("data/varve/snap")->at(0);
    std::string text = world.files.read_file(path, 1 << 30).value();
    std::vector<Error> gaps;
    for (const head::Piece& piece : head::find_pieces(text, gaps)) {
      if (piece.info.kind == head::PieceKind::kSeries) {
        text[piece.offset + head::kPieceHeaderBytes + piece.stored.size() / 2] ^= 1;
      }
    }
    auto file = world.files.open(path, fs::OpenMode::kTruncate);
    REQUIRE(file.ok());
    REQUIRE((*file)->write_at(0, text).ok());
    REQUIRE((*file)->sync_data().ok());
  }
  add(kSeries, kSeries + 50, kStart + 15'000);
  REQUIRE(db->maintain().ok());
  add(kSeries + 50, kSeries + 60, kStart + 30'000);
  REQUIRE(db->maintain().ok());
  const Contents expected = see(*db);
  CHECK(expected.size() == kSeries + 60);
  db.reset();
  world.files.reboot(fs::FaultFs::Keep::kNothing);
  db = world.open(with_snapshots(world));
  CHECK(see(*db) == expected);
}

TEST_CASE("head snapshot: everything the head has comes back, and goes on", "[storage]") {
  World world;
  const Contents expected = make_snapshot(world);
  CHECK(count_files(world, "data/varve/wal", ".wal") == 1);
  CHECK(world.files.list("data/varve/snap")->size() == 1);
  auto db = world.open(with_snapshots(world));
  CHECK(db->recovery().samples_lost == 0);
  CHECK(db->recovery().frames_lost == 0);
  CHECK(db->recovery().series == 44);
  REQUIRE(see(*db) == expected);
  CHECK(db->min_time_ms() == kStart);
  REQUIRE(db->metadata("m").size() == 1);
  CHECK(db->metadata("m")[0].unit == "bytes");
  const std::vector<std::vector<model::Matcher>> selectors{kAll};
  CHECK(db->exemplars(selectors, TimeRange::all())->at(0).exemplars.size() == 300);

  // A twin that never stopped sees the same after more of everything.
  World other;
  {
    auto twin = other.open(with_snapshots(other));
    for (int i = 0; i < 300; ++i) append(*twin, scrape(i).batch);
    append(*twin, BatchBuilder().add(series(99), kStart + 300 * 15'000, 1).batch);
    const std::vector<std::vector<model::Matcher>> one{{equal("s", "5")}};
    REQUIRE(twin->delete_series(one, {kStart + 600'000, kStart + 1'200'000}).ok());
    for (int i = 301; i < 500; ++i) {
      append(*twin, scrape(i).batch);
      append(*db, scrape(i).batch);
      if (i % 60 == 0) REQUIRE(db->maintain().ok());
    }
    REQUIRE(see(*db) == see(*twin));
  }
  const Contents now = see(*db);
  REQUIRE(db->close().ok());
  db.reset();
  db = world.open(with_snapshots(world));
  REQUIRE(see(*db) == now);
}

TEST_CASE("head snapshot: its log is let go of, segment by segment", "[storage]") {
  World world;
  auto db = world.open(with_snapshots(world));
  for (int i = 0; i < 20; ++i) {
    append(*db, scrape(i).batch);
    REQUIRE(db->maintain().ok());
    REQUIRE(count_files(world, "data/varve/wal", ".wal") <= 2);
    REQUIRE(world.files.list("data/varve/snap")->size() == 1);
  }
}

// What is written after each damage was found.
constexpr Timestamp kAfterwards = kStart + 6'000'000;

// How much of what is expected is not shown. Whatever is shown is true.
std::size_t compare(const Contents& expected, const Contents& got) {
  std::size_t missing = 0;
  for (const auto& [name, samples] : expected) missing += samples.size();
  for (const auto& [name, samples] : got) {
    const auto found = expected.find(name);
    REQUIRE(found != expected.end());
    const std::set<std::pair<Timestamp, std::uint64_t>> known(found->second.begin(),
                                                              found->second.end());
    std::size_t shown = 0;
    for (const auto& sample : samples) {
      if (sample.first == kAfterwards) continue;
      REQUIRE(known.count(sample) == 1);
      ++shown;
    }
    missing -= shown;
  }
  return missing;
}

// Reads series by series: one that cannot be read is missing.
Contents see_readable(const Db& db) {
  Contents contents;
  auto querier = db.querier(TimeRange::all());
  auto selection = (*querier)->select(kAll, TimeRange::all());
  REQUIRE(selection.ok());
  SeriesSamples samples;
  for (std::size_t i = 0; i < (*selection)->size(); ++i) {
    if (!(*selection)->read(i, TimeRange::all(), samples).ok()) continue;
    auto& out = contents[(*selection)->labels(i).to_string()];
    for (std::size_t k = 0; k < samples.float_times.size(); ++k) {
      out.emplace_back(samples.float_times[k], bits(samples.float_values[k]));
    }
  }
  return contents;
}

TEST_CASE("head snapshot: damage anywhere is reported and costs what it touched", "[storage]") {
  World world;
  make_snapshot(world, 130);
  const std::string snap = "data/varve/snap/" + world.files.list("data/varve/snap")->at(0);
  const std::string original = world.files.read_file(snap, 1 << 24).value();
  const std::string head_file = "data/varve/head/" + world.files.list("data/varve/head")->at(0);
  const std::string head_original = world.files.read_file(head_file, 1 << 24).value();
  Contents expected;
  {
    auto db = world.open(with_snapshots(world));
    expected = see_readable(*db);
    db.reset();
    world.files.reboot(fs::FaultFs::Keep::kNothing);
  }
  const auto reopen = [&](bool something_missing_is_told) {
    world.log_text.clear();
    auto db = world.try_open(with_snapshots(world));
    if (!db.ok()) FAIL(db.error().message());
    const std::size_t missing = compare(expected, see_readable(**db));
    if (missing > 0 && something_missing_is_told) CHECK_FALSE(world.log_text.empty());
    // It can be written to.
    append(**db, BatchBuilder().add(series(1), kAfterwards, 5).batch);
    db->reset();
    world.files.reboot(fs::FaultFs::Keep::kNothing);
    REQUIRE(world.files.write_file_atomically(snap, original).ok());
    REQUIRE(world.files.write_file_atomically(head_file, head_original).ok());
    return missing;
  };
  REQUIRE(reopen(true) == 0);
  SECTION("a bit of the snapshot") {
    std::size_t most = 0;
    for (std::size_t at = 0; at < original.size(); at += 97) {
      CAPTURE(at);
      world.files.flip_bit(snap, at, static_cast<unsigned>(at % 8));
      most = std::max(most, reopen(true));
    }
    CHECK(most > 0);
  }
  SECTION("the end of the snapshot") {
    for (std::size_t size = 0; size < original.size(); size += 331) {
      CAPTURE(size);
      REQUIRE(world.files.write_file_atomically(snap, original.substr(0, size)).ok());
      reopen(true);
    }
  }
  SECTION("a bit of a head file") {
    std::size_t most = 0;
    for (std::size_t at = 0; at < head_original.size(); at += 61) {
      CAPTURE(at);
      world.files.flip_bit(head_file, at, static_cast<unsigned>(at % 8));
      most = std::max(most, reopen(false));  // noticed and told when it is read
    }
    CHECK(most > 0);
  }
  SECTION("the end of a head file, or all of it") {
    for (std::size_t size = 0; size < head_original.size(); size += 211) {
      CAPTURE(size);
      REQUIRE(world.files.write_file_atomically(head_file, head_original.substr(0, size)).ok());
      reopen(true);
    }
    REQUIRE(world.files.remove(head_file).ok());
    CHECK(reopen(true) > 0);
  }
  SECTION("all of the snapshot: the files it named are not thrown away") {
    REQUIRE(world.files.write_file_atomically(snap, std::string(original.size(), 'x')).ok());
    auto db = world.try_open(with_snapshots(world));
    REQUIRE(db.ok());
    CHECK(world.files.exists(head_file).value());
    CHECK(world.log_text.find("nothing in it can be read") != std::string::npos);
  }
  SECTION("the snapshot itself") {
    REQUIRE(world.files.remove(snap).ok());
    const auto refused = world.try_open(with_snapshots(world));
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().message().find(snap + ": missing") != std::string::npos);
    CHECK(world.files.exists(head_file).value());
  }
}

// Power cuts and failing disks over snapshots, retirement of the log, a restart, late samples,
// histograms and deletes. ------------------------------------------------------------------------

constexpr int kRounds = 9;

BatchBuilder round_batch(int round) {
  BatchBuilder builder;
  const Timestamp t = kStart + round * 60'000;
  for (int s = 0; s < 3; ++s) builder.add(series(s), t, round * 10 + s + 0.1);
  builder.add(series(100 + round), t, round);                      // new in every round
  if (round > 2) builder.add(series(1), t - 90'000, round + 0.5);  // late
  builder.add(histogram_series(0), t, make_histogram(10 + round, round));
  return builder;
}

struct Progress {
  std::vector<int> acknowledged;
  bool deleted = false;
  bool delete_tried = false;
};

void run_rounds(World& world, int from, int to, Progress& progress) {
  auto db = world.try_open(with_snapshots(world));
  if (!db.ok()) return;
  for (int round = from; round < to; ++round) {
    auto outcome = (*db)->append(round_batch(round).batch);
    if (outcome.ok() && wait(**db, outcome->ticket).ok()) progress.acknowledged.push_back(round);
    if (round % 2 == 1) (void)(*db)->maintain().ok();
    world.clock.advance(std::chrono::minutes(2));  // a failed snapshot is tried again after a while
    if (round == 4) {
      const std::vector<std::vector<model::Matcher>> one{{equal("s", "2")}};
      progress.delete_tried = true;
      progress.deleted = (*db)->delete_series(one, {kStart, kStart + 60'000}).ok();
    }
  }
  (void)(*db)->close().ok();
}

std::uint64_t check_rounds(World& world, const Progress& progress) {
  auto opened = world.try_open(with_snapshots(world));
  if (!opened.ok()) FAIL(opened.error().message());
  const Db& db = **opened;
  CHECK(db.recovery().frames_lost == 0);
  CHECK(db.recovery().samples_lost == 0);
  const Contents contents = see(db);
  std::uint64_t checked = 0;
  const auto count = [&](const Labels& labels, Timestamp t, std::uint64_t value) {
    const auto found = contents.find(labels.to_string());
    if (found == contents.end()) return std::ptrdiff_t{0};
    ++checked;
    return std::count(found->second.begin(), found->second.end(), std::pair(t, value));
  };
  for (const int round : progress.acknowledged) {
    CAPTURE(round);
    const Timestamp t = kStart + round * 60'000;
    CHECK(count(series(0), t, bits(round * 10 + 0.1)) == 1);
    CHECK(count(series(1), t, bits(round * 10 + 1.1)) == 1);
    CHECK(count(series(100 + round), t, bits(round)) == 1);
    if (round > 2) CHECK(count(series(1), t - 90'000, bits(round + 0.5)) == 1);
    const Histogram h = make_histogram(10 + round, round);
    CHECK(count(histogram_series(0), t, bits(h.sum) ^ bits(h.count)) == 1);
    const std::ptrdiff_t third = count(series(2), t, bits(round * 10 + 2.1));
    const bool in_deleted = round <= 1;
    if (!in_deleted || !progress.delete_tried) CHECK(third == 1);
    if (in_deleted && progress.deleted) CHECK(third == 0);
  }
  // Nothing twice, nothing out of order.
  for (const auto& [name, samples] : contents) {
    if (name.starts_with("h")) continue;
    CHECK(std::adjacent_find(samples.begin(), samples.end(), [](const auto& a, const auto& b) {
            return a.first >= b.first;
          }) == samples.end());
  }
  return checked;
}

Progress run_all(World& world) {
  Progress progress;
  run_rounds(world, 0, 6, progress);
  run_rounds(world, 6, kRounds, progress);
  return progress;
}

std::uint64_t steps_of_all() {
  World world;
  const Progress progress = run_all(world);
  REQUIRE(progress.acknowledged.size() == kRounds);
  REQUIRE(progress.deleted);
  return world.files.steps();
}

TEST_CASE("head snapshot: a power cut at any step loses nothing that was acknowledged",
          "[storage]") {
  const std::uint64_t steps = steps_of_all();
  using Keep = fs::FaultFs::Keep;
  std::uint64_t cuts = 0;
  std::uint64_t checked = 0;
  for (const Keep keep : {Keep::kNothing, Keep::kRandom, Keep::kEverything}) {
    // Every step with the least that may survive, every third with more.
    for (std::uint64_t step = 1; step <= steps; step += keep == Keep::kNothing ? 1 : 3) {
      CAPTURE(step, static_cast<int>(keep));
      World world;
      world.files.cut_power_at(step);
      const Progress progress = run_all(world);
      world.files.reboot(keep, step);
      ++cuts;
      checked += check_rounds(world, progress);
      if (step % 7 != 0) continue;
      // Once more, with the power cut while it recovers.
      world.files.reboot(keep, step);
      world.files.cut_power_at(world.files.steps() + 1 + step % 11);
      (void)world.try_open(with_snapshots(world));
      world.files.reboot(keep, step);
      ++cuts;
      checked += check_rounds(world, progress);
    }
  }
  WARN(cuts << " power cuts, " << checked << " samples checked");
}

TEST_CASE("head snapshot: no failing or full disk loses what was acknowledged", "[storage]") {
  const std::uint64_t steps = steps_of_all();
  std::uint64_t checked = 0;
  for (const int error : {EIO, ENOSPC}) {
    for (std::uint64_t step = 1; step <= steps; ++step) {
      CAPTURE(step, error);
      World world;
      world.files.fail_step(step, error);
      const Progress progress = run_all(world);
      world.files.clear_faults();
      checked += check_rounds(world, progress);
    }
  }
  WARN(2 * steps << " failures, " << checked << " samples checked");
}

}  // namespace
}  // namespace varve::storage::test
