// SPDX-License-Identifier: Apache-2.0
// Files that go missing, or come back as an older copy, between two runs: that something is lost is
// said, and what. A file cannot say that it is not there, so another one must.
#include <fmt/format.h>

#include <algorithm>

#include "db_fixture.h"
#include "storage/inspect.h"
#include "storage/wal/format.h"
#include "storage/wal/log_state.h"

namespace varve::storage::test {
namespace {

constexpr std::int64_t kMinuteMs = 60'000;
constexpr int kMinutes = 300;

Labels series(int s) { return Labels{{"__name__", "m"}, {"s", std::to_string(s)}}; }

void ok(const Status& status) {
  if (!status.ok()) FAIL(status.error().message());
}

// A world whose log has warnings, too.
struct Rig {
  World world;
  Options options;
  std::string log_text;
  base::Logger log{base::LogLevel::kWarn, base::LogFormat::kLogfmt, world.clock,
                   [this](std::string_view line) { log_text += line; }};
  std::unique_ptr<Db> db;

  Rig() : options(world.options()) {
    options.retention = std::chrono::hours(0);
    options.reserve_bytes = 0;
    options.log_segment_bytes = 4096;
    options.snapshot_log_bytes = std::uint64_t{1} << 40;
  }
  Status try_open() {
    log_text.clear();
    auto opened = Db::open(options, world.files, world.clock, log, world.metrics);
    if (!opened.ok()) return opened.error();
    db = std::move(*opened);
    return {};
  }
  void open() { ok(try_open()); }
  void repair() {
    options.repair = true;
    open();
    options.repair = false;
  }
  void close() {
    ok(db->close());
    db.reset();
  }
  void crash() {
    db.reset();
    world.files.reboot(fs::FaultFs::Keep::kEverything);
  }
  void write(int from, int to) {
    for (int minute = from; minute < to; ++minute) {
      BatchBuilder batch;
      for (int s = 0; s < 3; ++s) batch.add(series(s), kStart + minute * kMinuteMs, minute + s);
      ok(wait(*db, append(*db, batch.batch).ticket));
    }
  }
  std::size_t samples(int s) const {
    const Contents all = read_all(*db, {equal("s", std::to_string(s))});
    return all.empty() ? 0 : all.begin()->second.size();
  }
  bool said(std::string_view text) const { return log_text.find(text) != std::string::npos; }
  std::vector<std::string> findings() {
    std::vector<std::string> found;
    const auto count = verify_directory(world.files, "data", [&](const Error& one) {
      found.push_back(one.message());
    });
    if (!count.ok()) FAIL(count.error().message());
    return found;
  }
  bool found(std::string_view text) {
    const auto all = findings();
    for (const std::string& one : all) UNSCOPED_INFO(one);
    return std::any_of(all.begin(), all.end(),
                       [text](const auto& one) { return one.find(text) != std::string::npos; });
  }
  std::vector<std::uint32_t> segments() {
    std::vector<std::uint32_t> numbers;
    const auto names = world.files.list("data/varve/wal").value();
    for (const std::string& name : names) {
      if (const auto number = wal::parse_segment_name(name)) numbers.push_back(*number);
    }
    std::sort(numbers.begin(), numbers.end());
    return numbers;
  }
};

std::string segment_path(std::uint32_t number) {
  return "data/varve/wal/" + wal::segment_name(number);
}

TEST_CASE("lost files: deletes of a block that are gone do not come back unnoticed", "[storage]") {
  Rig rig;
  rig.open();
  rig.write(0, kMinutes);
  ok(rig.db->maintain());
  const auto remove = [&rig](int s) {
    const std::vector<std::vector<model::Matcher>> selectors{{equal("s", std::to_string(s))}};
    ok(rig.db->delete_series(selectors, {kStart, kStart + 60 * kMinuteMs - 1}));
  };
  const std::string ulid = rig.db->blocks()[0].ulid;
  const std::string folder = "data/varve/dense/" + ulid;
  const std::string path = folder + "/tombstones";
  fs::FaultFs& files = rig.world.files;
  remove(0);
  const std::string older = files.read_file(path, 1 << 20).value();
  remove(1);
  REQUIRE(rig.samples(0) == kMinutes - 60);
  rig.close();
  REQUIRE(rig.findings().empty());

  const bool back_to_older = GENERATE(false, true);
  CAPTURE(back_to_older);
  if (back_to_older) {
    REQUIRE(files.write_file_atomically(path, older).ok());
  } else {
    REQUIRE(files.remove(path).ok());
  }
  CHECK(rig.found(path));
  SECTION("a start sets the block aside, repair takes it back without them and says so") {
    rig.open();
    CHECK(rig.said("is set aside"));
    CHECK(rig.said(path));
    CHECK(files.exists(folder + ".corrupt").value());
    rig.close();
    rig.repair();
  }
  SECTION("repair at once") { rig.repair(); }
  CHECK(rig.said("goes on without deletes of a block that are lost"));
  CHECK(rig.said("series_with_deletes=2"));
  CHECK(rig.said(back_to_older ? "series_left=1" : "series_left=0"));
  CHECK(rig.samples(0) == (back_to_older ? kMinutes - 60 : kMinutes));
  CHECK(rig.samples(1) == kMinutes);
  // As good as new.
  remove(1);
  rig.close();
  CHECK(rig.findings().empty());
  rig.open();
  CHECK(rig.log_text.empty());
  CHECK(rig.samples(1) == kMinutes - 60);
  // A copy knows of its deletes as well.
  const std::string copy = "data/snapshots/" + rig.db->snapshot(true).value();
  rig.close();
  REQUIRE(files.remove(copy + "/varve/dense/" + ulid + "/tombstones").ok());
  rig.options.path = copy;
  rig.open();
  CHECK(rig.said("is set aside"));
}

TEST_CASE("lost files: deletes of a block are missed though the MANIFEST is lost with them",
          "[storage]") {
  Rig rig;
  rig.open();
  rig.write(0, kMinutes);
  ok(rig.db->maintain());
  const auto remove = [&rig](int s) {
    const std::vector<std::vector<model::Matcher>> selectors{{equal("s", std::to_string(s))}};
    ok(rig.db->delete_series(selectors, {kStart, kStart + 60 * kMinuteMs - 1}));
  };
  const std::string path = "data/varve/dense/" + rig.db->blocks()[0].ulid + "/tombstones";
  fs::FaultFs& files = rig.world.files;
  remove(0);
  const std::string older = files.read_file(path, 1 << 20).value();
  remove(1);
  rig.crash();
  const auto lost = GENERATE(as<std::string>(), "none", "older", "missing");
  CAPTURE(lost);
  if (lost == "older") REQUIRE(files.write_file_atomically(path, older).ok());
  if (lost == "missing") REQUIRE(files.remove(path).ok());
  const std::string manifest = "data/varve/MANIFEST";
  std::string text = files.read_file(manifest, 1 << 20).value();
  SECTION("all of it") { REQUIRE(files.remove(manifest).ok()); }
  SECTION("but for its first line") {
    REQUIRE(files.write_file_atomically(manifest, text.substr(0, text.find('\n') + 1)).ok());
  }
  SECTION("the line about them") {
    const std::size_t at = text.rfind("\"deletes\"");
    REQUIRE(at != std::string::npos);
    text[at + 1] = 'D';
    REQUIRE(files.write_file_atomically(manifest, text).ok());
  }
  rig.repair();
  CHECK(rig.said("goes on without deletes of a block that are lost") == (lost != "none"));
  if (lost != "none") {
    CHECK(rig.said("series_with_deletes=2"));
    CHECK(rig.said(lost == "older" ? "series_left=1" : "series_left=0"));
  }
  CHECK(rig.samples(0) == (lost == "missing" ? kMinutes : kMinutes - 60));
  CHECK(rig.samples(1) == (lost == "none" ? kMinutes - 60 : kMinutes));
  rig.close();
  CHECK(rig.findings().empty());
  rig.open();
  CHECK(rig.log_text.empty());
}

TEST_CASE("lost files: deletes whose line in the MANIFEST a crash kept back are known afterwards",
          "[storage]") {
  Rig rig;
  rig.open();
  rig.write(0, kMinutes);
  ok(rig.db->maintain());
  rig.close();
  const std::string manifest = "data/varve/MANIFEST";
  const std::string before = rig.world.files.read_file(manifest, 1 << 20).value();
  rig.open();
  const std::string path = "data/varve/dense/" + rig.db->blocks()[0].ulid + "/tombstones";
  const std::vector<std::vector<model::Matcher>> selectors{{equal("s", "1")}};
  ok(rig.db->delete_series(selectors, {kStart, kStart + 60 * kMinuteMs - 1}));
  rig.close();
  REQUIRE(rig.world.files.write_file_atomically(manifest, before).ok());
  rig.open();
  CHECK(rig.log_text.empty());
  CHECK(rig.samples(1) == kMinutes - 60);
  rig.close();
  REQUIRE(rig.world.files.remove(path).ok());
  CHECK(rig.found(path));
}

TEST_CASE("lost files: the newest segments of the log are missed by their numbers", "[storage]") {
  Rig rig;
  rig.open();
  rig.write(0, kMinutes);
  const bool closed = GENERATE(false, true);
  const std::size_t count = GENERATE(1u, 2u);
  const bool snapshot = GENERATE(false, true);
  CAPTURE(closed, count, snapshot);
  if (snapshot) {
    rig.options.snapshot_log_bytes = 0;
    rig.close();
    rig.open();
    ok(rig.db->maintain());
    rig.options.snapshot_log_bytes = std::uint64_t{1} << 40;
    rig.close();
    rig.open();
    rig.write(kMinutes, 2 * kMinutes);
  }
  if (closed) {
    rig.close();
  } else {
    rig.crash();
  }
  const auto numbers = rig.segments();
  REQUIRE(numbers.size() > count);
  REQUIRE(rig.findings().empty());
  const std::uint32_t newest = numbers.back();
  for (std::size_t i = 0; i < count; ++i) {
    REQUIRE(rig.world.files.remove(segment_path(newest - static_cast<std::uint32_t>(i))).ok());
  }
  const std::string text =
      count == 1 ? fmt::format("segment {} is missing", newest)
                 : fmt::format("segments {} to {} are missing", newest - 1, newest);
  CHECK(rig.found(text));
  rig.open();
  CHECK(rig.said(text));
  if (closed) {
    CHECK(rig.db->recovery().frames_lost > 0);
    CHECK(rig.world.metrics.render().find(fmt::format(
              "\nprometheus_tsdb_wal_corruptions_total {}\n", rig.db->recovery().frames_lost)) !=
          std::string::npos);
  }
  const std::size_t left = rig.samples(0);
  CHECK(left < static_cast<std::size_t>(snapshot ? 2 * kMinutes : kMinutes));
  // The number is not given again.
  CHECK(rig.segments().back() > newest);
  rig.write(3 * kMinutes, 3 * kMinutes + 1);
  rig.crash();
  rig.open();
  CHECK(rig.samples(0) == left + 1);
}

TEST_CASE("lost files: a log that was cut at the end of a frame is told from a whole one",
          "[storage]") {
  Rig rig;
  rig.options.log_segment_bytes = 1 << 20;
  rig.open();
  rig.write(0, 20);
  const bool closed = GENERATE(false, true);
  const bool to_nothing = GENERATE(false, true);
  CAPTURE(closed, to_nothing);
  if (closed) {
    rig.close();
  } else {
    rig.crash();
  }
  REQUIRE(rig.findings().empty());
  const std::string path = segment_path(rig.segments().back());
  const std::string bytes = rig.world.files.read_file(path, 1 << 21).value();
  std::size_t end = 0;
  for (int frame = 0; frame < 10; ++frame) {
    const auto header = wal::decode_frame_header(std::string_view(bytes).substr(end));
    REQUIRE(header);
    end += wal::kFrameHeaderBytes + header->payload_bytes;
  }
  REQUIRE(end < bytes.size());
  REQUIRE(rig.world.files.write_file_atomically(path, bytes.substr(0, to_nothing ? 0 : end)).ok());
  CHECK(rig.found(path));
  rig.open();
  CHECK(rig.said(closed ? "the log was closed behind frame" : "the file was cut"));
  // Of frames that were acknowledged; numbers that nothing was staged for count along.
  if (closed) CHECK(rig.db->recovery().frames_lost >= (to_nothing ? 20U : 10U));
  CHECK(rig.samples(0) == (to_nothing ? 0 : 10));
}

TEST_CASE("lost files: what the log says of itself is missed, and so is all of the log",
          "[storage]") {
  Rig rig;
  rig.open();
  rig.write(0, kMinutes);
  ok(rig.db->maintain());
  rig.close();
  const std::string state = wal::log_state_path("data/varve/wal");
  SECTION("removed") { REQUIRE(rig.world.files.remove(state).ok()); }
  SECTION("damaged") {
    const auto slot = GENERATE(0U, 1U);
    const auto at = GENERATE(range(0U, static_cast<unsigned>(wal::kLogStateBytes)));
    rig.world.files.flip_bit(state, slot * wal::kLogStateSlotBytes + at, 3);
  }
  SECTION("with all segments") {
    const auto names = rig.world.files.list("data/varve/wal").value();
    for (const std::string& name : names) {
      REQUIRE(rig.world.files.remove("data/varve/wal/" + name).ok());
    }
  }
  CHECK(rig.found(state));
  rig.open();
  CHECK(rig.said(state));
  rig.close();
  rig.open();
  CHECK(rig.log_text.empty());
}

TEST_CASE("lost files: a snapshot of the head that is missing is called that", "[storage]") {
  Rig rig;
  rig.options.snapshot_log_bytes = 0;
  rig.open();
  rig.write(0, 100);
  ok(rig.db->maintain());
  rig.write(100, 120);
  fs::FaultFs& files = rig.world.files;
  const auto names = files.list("data/varve/snap").value();
  REQUIRE(names.size() == 1);
  rig.crash();
  REQUIRE(rig.segments().front() > 1);
  const std::string path = "data/varve/snap/" + names[0];
  const std::string copy = files.read_file(path, 1 << 24).value();
  const auto head_files = files.list("data/varve/head").value();
  REQUIRE(files.remove(path).ok());
  const Status refused = rig.try_open();
  REQUIRE_FALSE(refused.ok());
  CHECK_THAT(refused.error().message(),
             Catch::Contains(path + ": missing") && Catch::Contains("--repair"));
  CHECK(files.list("data/varve/head").value() == head_files);
  CHECK(rig.found(path));
  SECTION("put back, everything is there") {
    REQUIRE(files.write_file_atomically(path, copy).ok());
    rig.open();
    CHECK(rig.log_text.empty());
    CHECK(rig.samples(0) == 120);
  }
  SECTION("repair goes on without it, for good: also if a crash comes before the next snapshot") {
    rig.repair();
    rig.write(200, 210);
    for (int crashes = 0; crashes < 2; ++crashes) {
      rig.crash();
      CHECK(rig.findings().empty());
      rig.open();
      CHECK_FALSE(rig.said(path));
      CHECK(rig.db->recovery().frames_lost == 0);
      CHECK(rig.samples(0) == 10);
    }
    rig.close();
    rig.open();
    ok(rig.db->maintain());
    rig.crash();
    rig.open();
    CHECK(rig.log_text.empty());
    CHECK(rig.samples(0) == 10);
  }
  SECTION("repair goes on without it, and the next snapshot ends that") {
    rig.repair();
    CHECK(rig.said(path));
    CHECK_FALSE(rig.said("segment"));
    CHECK(rig.db->recovery().frames_lost == 0);
    rig.write(200, 210);
    ok(rig.db->maintain());
    rig.crash();
    rig.open();
    CHECK(rig.log_text.empty());
    CHECK(rig.samples(0) == 10);
  }
}

TEST_CASE("lost files: what is made anew at a start is said", "[storage]") {
  Rig rig;
  rig.open();
  CHECK(rig.log_text.empty());
  rig.write(0, kMinutes);
  ok(rig.db->maintain());
  rig.close();
  rig.open();
  CHECK(rig.log_text.empty());
  rig.close();
  fs::FaultFs& files = rig.world.files;
  SECTION("IDENTITY, removed") {
    REQUIRE(files.remove("data/varve/IDENTITY").ok());
    rig.open();
    CHECK(rig.said("data/varve/IDENTITY"));
  }
  SECTION("IDENTITY, damaged") {
    files.flip_bit("data/varve/IDENTITY", GENERATE(3u, 100u, 480u), 1);
    rig.open();
    CHECK(rig.said("data/varve/IDENTITY"));
  }
  SECTION("VERSION, removed") {
    REQUIRE(files.remove("data/varve/VERSION").ok());
    rig.repair();
    CHECK(rig.said("data/varve/VERSION"));
  }
  SECTION("VERSION, damaged") {
    REQUIRE(files.write_file_atomically("data/varve/VERSION", "x\n").ok());
    rig.repair();
    CHECK(rig.said("data/varve/VERSION"));
  }
  rig.close();
  rig.open();
  CHECK(rig.log_text.empty());
}

}  // namespace
}  // namespace varve::storage::test
