// SPDX-License-Identifier: Apache-2.0
// The life of blocks, end to end: cut, merge, delete, expire, copy; after each what is read is what
// was written.
#include <algorithm>

#include "db_fixture.h"

namespace varve::storage::test {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;
// The beginning of a day, so that all windows are whole.
constexpr Timestamp kBegin = kStart - kStart % (24 * kHourMs);
constexpr std::int64_t kStepMs = 60'000;

Labels series(int s) { return Labels{{"__name__", "m"}, {"s", std::to_string(s)}}; }

double value_at(Timestamp t, int s) {
  return static_cast<double>((t - kBegin) / kStepMs % 97) + s * 0.25;
}

// A database with samples of a few series at every minute, and what ought to be in it.
class Filled {
 public:
  explicit Filled(Options (*change)(Options) = nullptr) : options(world.options()) {
    options.block_windows = {std::chrono::hours(2), std::chrono::hours(8), std::chrono::hours(24)};
    options.retention = std::chrono::hours(0);
    options.reserve_bytes = 0;
    options.idle_after = std::chrono::hours(0);
    if (change != nullptr) options = change(options);
    db = world.open(options);
  }

  void write(Timestamp from, Timestamp to, int series_count = 3) {
    for (Timestamp t = from; t < to; t += kStepMs) {
      BatchBuilder builder;
      for (int s = 0; s < series_count; ++s) {
        builder.add(series(s), t, value_at(t, s));
        expected[series(s).to_string()].emplace_back(t, bits(value_at(t, s)));
      }
      const WriteOutcome outcome = append(*db, builder.batch);
      REQUIRE(outcome.first_error.empty());
    }
  }

  void check() const {
    Contents sorted = expected;
    for (auto& [name, samples] : sorted) std::sort(samples.begin(), samples.end());
    std::erase_if(sorted, [](const auto& entry) { return entry.second.empty(); });
    Contents found = read_all(*db, {equal("__name__", "m")});
    std::erase_if(found, [](const auto& entry) { return entry.second.empty(); });
    REQUIRE(found.size() == sorted.size());
    for (const auto& [name, samples] : sorted) {
      CAPTURE(name);
      REQUIRE(found[name].size() == samples.size());
      CHECK(found[name] == samples);
    }
  }

  void reopen() {
    close();
    db = world.open(options);
  }

  void close() {
    REQUIRE(db->close().ok());
    db.reset();
  }
  // As somebody does who has found that it does not open.
  void repair() {
    options.repair = true;
    db = world.open(options);
    options.repair = false;
  }

  std::size_t blocks() const { return db->blocks().size(); }

  World world{kBegin + 48 * kHourMs};
  Options options;
  std::unique_ptr<Db> db;
  Contents expected;
};

void ok(const Status& status) {
  if (!status.ok()) FAIL(status.error().message());
}

TEST_CASE("lifecycle: a window is cut when the head spans three hours, and nothing changes",
          "[storage]") {
  Filled f;
  f.write(kBegin, kBegin + 3 * kHourMs - kStepMs);
  ok(f.db->maintain());
  CHECK(f.blocks() == 0);
  f.write(kBegin + 3 * kHourMs - kStepMs, kBegin + 3 * kHourMs + 2 * kStepMs);
  ok(f.db->maintain());
  REQUIRE(f.blocks() == 1);
  const block::BlockMeta meta = f.db->blocks()[0];
  CHECK(meta.range.min_ms == kBegin);
  CHECK(meta.range.max_ms == kBegin + 2 * kHourMs - kStepMs);
  CHECK(meta.window_begin_ms == kBegin);
  CHECK(meta.window_end_ms == kBegin + 2 * kHourMs);
  CHECK(meta.floats == 3 * 120);
  CHECK(meta.series == 3);
  CHECK(f.db->stats(1).min_time_ms == kBegin + 2 * kHourMs);
  CHECK(f.db->min_time_ms() == kBegin);
  f.check();
  f.reopen();
  CHECK(f.blocks() == 1);
  f.check();
  f.write(kBegin + 3 * kHourMs + 2 * kStepMs, kBegin + 6 * kHourMs);
  ok(f.db->maintain());
  CHECK(f.blocks() == 2);
  f.check();
}

TEST_CASE("lifecycle: on demand windows are cut as soon as they have ended, then merged",
          "[storage]") {
  Filled f([](Options o) {
    o.out_of_order_window = std::chrono::hours(1);
    return o;
  });
  f.write(kBegin, kBegin + 25 * kHourMs);
  ok(f.db->compact());
  for (const block::BlockMeta& meta : f.db->blocks()) {
    CHECK(meta.window_end_ms - meta.window_begin_ms > 2 * kHourMs);
  }
  f.check();
  ok(f.db->compact());
  f.check();
  f.reopen();
  f.check();
}

TEST_CASE("lifecycle: a damaged block stays out of merges, its neighbours do not", "[storage]") {
  Filled f;
  f.write(kBegin, kBegin + 9 * kHourMs);
  ok(f.db->maintain());
  REQUIRE(f.blocks() == 3);
  const std::string damaged = f.db->blocks()[0].ulid;
  f.close();
  f.world.files.flip_bit("data/varve/dense/" + damaged + "/data", 64, 1);
  f.db = f.world.open(f.options);
  ok(f.db->compact());
  const std::vector<block::BlockMeta> left = f.db->blocks();
  REQUIRE(left.size() == 2);
  CHECK(std::any_of(left.begin(), left.end(),
                    [&](const block::BlockMeta& meta) { return meta.ulid == damaged; }));
  CHECK(std::any_of(left.begin(), left.end(),
                    [](const block::BlockMeta& meta) { return meta.sources.size() == 2; }));
}

TEST_CASE("lifecycle: a reader keeps what it began with through cuts and merges", "[storage]") {
  Filled f;
  f.write(kBegin, kBegin + 7 * kHourMs);
  auto querier = f.db->querier(TimeRange::all());
  REQUIRE(querier.ok());
  const std::vector matchers{equal("__name__", "m")};
  auto selection = (*querier)->select(matchers, TimeRange::all());
  REQUIRE(selection.ok());
  ok(f.db->maintain());
  CHECK(f.blocks() == 2);
  SeriesSamples samples;
  for (std::size_t i = 0; i < (*selection)->size(); ++i) {
    REQUIRE((*selection)->read(i, TimeRange::all(), samples).ok());
    CHECK(samples.float_times.size() == 7 * 60);
  }
  selection->reset();
  querier->reset();
  f.check();
  ok(f.db->maintain());
  f.check();
}

TEST_CASE("lifecycle: late samples are in the block of their window", "[storage]") {
  Filled f([](Options o) {
    o.out_of_order_window = std::chrono::hours(6);
    return o;
  });
  f.write(kBegin, kBegin + 4 * kHourMs);
  ok(f.db->maintain());
  REQUIRE(f.blocks() == 1);
  // Behind the cut, and before it; between the minutes, so that they are new.
  for (const Timestamp t : {kBegin + kHourMs + 1, kBegin + 2 * kHourMs + 30'001}) {
    BatchBuilder builder;
    builder.add(series(1), t, 0.5);
    REQUIRE(append(*f.db, builder.batch).first_error.empty());
    f.expected[series(1).to_string()].emplace_back(t, bits(0.5));
  }
  f.check();
  f.write(kBegin + 4 * kHourMs, kBegin + 6 * kHourMs);
  ok(f.db->maintain());
  f.check();
  const std::vector<block::BlockMeta> metas = f.db->blocks();
  CHECK(std::count_if(metas.begin(), metas.end(),
                      [](const auto& meta) { return meta.out_of_order; }) == 1);
  f.reopen();
  f.check();
  ok(f.db->compact());
  f.check();
  f.reopen();
  f.check();
}

TEST_CASE("lifecycle: on demand what came late for time that is in blocks goes into blocks",
          "[storage]") {
  Filled f([](Options o) {
    o.out_of_order_window = std::chrono::hours(6);
    return o;
  });
  f.write(kBegin, kBegin + 5 * kHourMs);
  ok(f.db->compact());
  const auto late = [&f](Timestamp t) {
    const WriteOutcome outcome = append(*f.db, BatchBuilder().add(series(1), t, 0.5).batch);
    REQUIRE(outcome.first_error.empty());
    ok(wait(*f.db, outcome.ticket));
    f.expected[series(1).to_string()].emplace_back(t, bits(0.5));
  };
  const auto in_blocks = [&f] {
    std::uint64_t floats = 0;
    for (const block::BlockMeta& meta : f.db->blocks()) floats += meta.floats;
    return floats;
  };
  const std::uint64_t before = in_blocks();
  REQUIRE(before == 3 * 4 * 60);
  for (std::uint64_t round = 1; round <= 3; ++round) {
    CAPTURE(round);
    const auto offset = static_cast<Timestamp>(round);
    late(kBegin + kHourMs + offset);
    late(kBegin + 4 * kHourMs + offset);  // of the window that is not cut
    ok(f.db->compact());
    CHECK(in_blocks() == before + round);
    f.check();
    if (round == 2) {
      f.db.reset();
      f.world.files.reboot(fs::FaultFs::Keep::kEverything);
      f.db = f.world.open(f.options);
    } else {
      f.reopen();
    }
    f.check();
    f.write(kBegin + 5 * kHourMs + (offset - 1) * 5 * kStepMs,
            kBegin + 5 * kHourMs + offset * 5 * kStepMs);
  }
  CHECK(in_blocks() == before + 3);
}

TEST_CASE("lifecycle: late samples that a reader keeps in memory are not called done",
          "[storage]") {
  Filled f([](Options o) {
    o.out_of_order_window = std::chrono::hours(6);
    return o;
  });
  f.write(kBegin, kBegin + 5 * kHourMs);
  const std::vector matchers{equal("__name__", "m")};
  auto querier = f.db->querier(TimeRange::all());
  REQUIRE(querier.ok());
  auto selection = (*querier)->select(matchers, TimeRange::all());
  REQUIRE(selection.ok());
  ok(f.db->maintain());
  REQUIRE(f.blocks() == 1);
  const Timestamp late_ms = kBegin + kHourMs + 1;
  const WriteOutcome outcome = append(*f.db, BatchBuilder().add(series(1), late_ms, 0.5).batch);
  REQUIRE(outcome.first_error.empty());
  ok(wait(*f.db, outcome.ticket));
  f.expected[series(1).to_string()].emplace_back(late_ms, bits(0.5));
  const auto in_blocks = [&f] {
    std::uint64_t floats = 0;
    for (const block::BlockMeta& meta : f.db->blocks()) floats += meta.floats;
    return floats;
  };
  const std::uint64_t before = in_blocks();
  const Status held = f.db->compact();
  REQUIRE_FALSE(held.ok());
  CHECK(held.error().code() == ErrorCode::kUnavailable);
  CHECK_THAT(held.error().message(), Catch::Contains("late samples stay in memory"));
  selection->reset();
  querier->reset();
  ok(f.db->compact());
  CHECK(in_blocks() > before);
  f.check();
}

TEST_CASE("lifecycle: deleted samples stay deleted, in the head and in blocks", "[storage]") {
  Filled f;
  f.write(kBegin, kBegin + 5 * kHourMs);
  ok(f.db->maintain());
  REQUIRE(f.blocks() == 1);
  const TimeRange range{kBegin + kHourMs, kBegin + 4 * kHourMs};
  const std::vector<std::vector<model::Matcher>> selectors{
      {equal("__name__", "m"), equal("s", "1")}};
  ok(f.db->delete_series(selectors, range));
  std::erase_if(f.expected[series(1).to_string()],
                [&range](const auto& sample) { return range.contains(sample.first); });
  f.check();
  f.reopen();
  f.check();
  SECTION("through cleaning") {
    const std::uint64_t before = f.db->blocks()[0].floats;
    ok(f.db->clean_tombstones());
    CHECK(f.db->blocks()[0].floats == before - 60);
  }
  SECTION("through cuts and merges") {
    f.write(kBegin + 5 * kHourMs, kBegin + 20 * kHourMs);
    ok(f.db->maintain());
    ok(f.db->compact());
  }
  f.check();
  f.reopen();
  f.check();
}

TEST_CASE("lifecycle: a block whose samples are all deleted goes when tombstones are cleaned",
          "[storage]") {
  Filled f;
  f.write(kBegin, kBegin + 4 * kHourMs);
  ok(f.db->maintain());
  REQUIRE(f.blocks() == 1);
  const std::vector<std::vector<model::Matcher>> all{{equal("__name__", "m")}};
  ok(f.db->delete_series(all, TimeRange::all()));
  ok(f.db->clean_tombstones());
  CHECK(f.blocks() == 0);
  for (auto& [name, samples] : f.expected) samples.clear();
  f.check();
}

TEST_CASE("lifecycle: retention by time removes blocks that are past it altogether", "[storage]") {
  Filled f([](Options o) {
    o.block_windows = {std::chrono::hours(2)};
    return o;
  });
  f.write(kBegin, kBegin + 12 * kHourMs);
  ok(f.db->maintain());
  const std::size_t before = f.blocks();
  REQUIRE(before >= 4);
  f.db->set_retention(std::chrono::hours(7), 0);
  ok(f.db->maintain());
  // The newest sample is a minute before hour twelve, so the first two blocks lie wholly before.
  CHECK(f.blocks() == before - 2);
  const Timestamp kept_ms = kBegin + 5 * kHourMs - kStepMs;
  for (auto& [name, samples] : f.expected) {
    std::erase_if(samples, [kept_ms](const auto& sample) { return sample.first < kept_ms; });
  }
  f.check();
  // What a longer one shows again may stand in results that somebody keeps.
  const std::uint64_t stamp = f.db->stamp({kBegin, kBegin + kHourMs});
  f.db->set_retention(std::chrono::hours(7), 1 << 30);
  CHECK(f.db->stamp({kBegin, kBegin + kHourMs}) == stamp);
  f.db->set_retention(std::chrono::hours(9), 1 << 30);
  CHECK(f.db->stamp({kBegin, kBegin + kHourMs}) != stamp);
}

TEST_CASE("lifecycle: retention by size removes the oldest blocks first", "[storage]") {
  Filled f([](Options o) {
    o.block_windows = {std::chrono::hours(2)};
    return o;
  });
  f.write(kBegin, kBegin + 12 * kHourMs);
  ok(f.db->maintain());
  const std::vector<block::BlockMeta> before = f.db->blocks();
  f.db->set_retention(std::chrono::hours(0), 1);  // less than anything
  ok(f.db->maintain());
  CHECK(f.blocks() == 0);
  for (auto& [name, samples] : f.expected) {
    std::erase_if(samples,
                  [&](const auto& sample) { return sample.first <= before.back().range.max_ms; });
  }
  f.check();
}

TEST_CASE("lifecycle: a snapshot is a database with all that was there", "[storage]") {
  Filled f;
  f.write(kBegin, kBegin + 5 * kHourMs);
  ok(f.db->maintain());
  const bool skip_head = GENERATE(false, true);
  auto name = f.db->snapshot(skip_head);
  if (!name.ok()) FAIL(name.error().message());
  CHECK(name->size() == 33);
  f.write(kBegin + 5 * kHourMs, kBegin + 6 * kHourMs);
  for (auto& [series_name, samples] : f.expected) {
    std::erase_if(samples, [skip_head](const auto& sample) {
      return sample.first >= kBegin + (skip_head ? 2 : 5) * kHourMs;
    });
  }
  REQUIRE(f.db->close().ok());
  f.options.path = fs::join("data/snapshots", *name);
  f.db = f.world.open(f.options);
  f.check();
  f.write(kBegin + 6 * kHourMs, kBegin + 10 * kHourMs);
  ok(f.db->compact());
  f.check();
}

TEST_CASE("lifecycle: histograms and stale markers go through cuts and merges", "[storage]") {
  Filled f;
  const Labels labels{{"__name__", "h"}};
  std::size_t histograms = 0;
  for (Timestamp t = kBegin; t < kBegin + 7 * kHourMs; t += kStepMs) {
    BatchBuilder builder;
    builder.add(series(0), t, (t / kStepMs) % 10 == 0 ? stale_marker() : 1.5);
    f.expected[series(0).to_string()].emplace_back(
        t, bits((t / kStepMs) % 10 == 0 ? stale_marker() : 1.5));
    builder.add(labels, t, make_histogram(10 + static_cast<double>(++histograms), 0.5));
    REQUIRE(append(*f.db, builder.batch).first_error.empty());
  }
  const auto check = [&] {
    f.check();
    auto querier = f.db->querier(TimeRange::all());
    const std::vector matchers{equal("__name__", "h")};
    auto selection = (*querier)->select(matchers, TimeRange::all());
    SeriesSamples samples;
    REQUIRE((*selection)->read(0, TimeRange::all(), samples).ok());
    REQUIRE(samples.histogram_times.size() == histograms);
    for (std::size_t i = 0; i < histograms; ++i) {
      CHECK(samples.histogram_times[i] == kBegin + static_cast<Timestamp>(i) * kStepMs);
      CHECK(samples.histograms[i]->count == 11 + static_cast<double>(i));
    }
  };
  ok(f.db->maintain());
  CHECK(f.blocks() == 2);
  check();
  ok(f.db->compact());
  CHECK(f.blocks() == 1);
  check();
  f.reopen();
  check();
}

TEST_CASE("lifecycle: bad data directories are refused with what to do", "[storage]") {
  Filled f;
  f.write(kBegin, kBegin + 5 * kHourMs);
  ok(f.db->maintain());
  const std::string ulid = f.db->blocks()[0].ulid;
  const std::string block_path = "data/varve/dense/" + ulid;
  f.close();
  fs::FaultFs& files = f.world.files;
  const auto message = [&f] {
    auto opened = f.world.try_open(f.options);
    REQUIRE_FALSE(opened.ok());
    return opened.error().message();
  };
  SECTION("a newer layout") {
    REQUIRE(files.write_file_atomically("data/varve/VERSION", "7\n").ok());
    CHECK_THAT(message(), Catch::Contains("data/varve/VERSION: the data has layout version 7"));
  }
  SECTION("an older layout, whose head files would count as damaged") {
    REQUIRE(files.write_file_atomically("data/varve/VERSION", "2\n").ok());
    CHECK_THAT(message(), Catch::Contains("layout version 2, this Varve reads version 4 only"));
    f.options.repair = true;
    CHECK_THAT(message(), Catch::Contains("layout version 2, this Varve reads version 4 only"));
  }
  SECTION("no layout version") {
    REQUIRE(files.remove("data/varve/VERSION").ok());
    CHECK_THAT(message(), Catch::Contains("data/varve/VERSION: missing"));
    f.repair();
    f.check();
  }
  SECTION("a missing block") {
    REQUIRE(files.rename(block_path, "elsewhere").ok());
    CHECK_THAT(message(), Catch::Contains(block_path + ": missing") && Catch::Contains("--repair"));
    f.repair();
    CHECK(f.blocks() == 0);
  }
  SECTION("a missing MANIFEST") {
    REQUIRE(files.remove("data/varve/MANIFEST").ok());
    CHECK_THAT(message(), Catch::Contains("data/varve/MANIFEST: missing") &&
                              Catch::Contains("start once with --repair"));
    SECTION("the copy beside it is enough") {
      f.repair();
      CHECK(f.blocks() == 1);
      f.check();
      f.reopen();
      CHECK(f.blocks() == 1);
      f.check();
      f.write(kBegin + 5 * kHourMs, kBegin + 9 * kHourMs);
      ok(f.db->compact());
      f.check();
    }
    SECTION("so it is if a Varve that copied no more wrote it") {
      const std::string copy = files.read_file("data/varve/IDENTITY", 1 << 20).value();
      const std::size_t line = copy.find('\n') + 1;
      REQUIRE(line < copy.size());
      REQUIRE(files.write_file_atomically("data/varve/IDENTITY", copy.substr(0, line)).ok());
      f.repair();
      CHECK(f.blocks() == 1);
      f.check();
    }
    SECTION("without that nothing is touched") {
      f.options.repair = true;
      const bool another = GENERATE(false, true);
      if (another) {
        World other{kBegin};
        REQUIRE(other.open()->close().ok());
        const std::string copy = other.files.read_file("data/varve/IDENTITY", 1 << 20).value();
        REQUIRE(files.write_file_atomically("data/varve/IDENTITY", copy).ok());
      } else {
        REQUIRE(files.remove("data/varve/IDENTITY").ok());
      }
      CHECK_THAT(message(),
                 Catch::Contains("--repair cannot help") && Catch::Contains("put the file back"));
      CHECK(files.exists(block_path).value());
      CHECK_FALSE(files.exists("data/varve/MANIFEST").value());
    }
  }
  SECTION("a wrong byte in the MANIFEST's first line") {
    const std::string text = files.read_file("data/varve/MANIFEST", 1 << 20).value();
    // The first digit of the checksum, the format, a digit of the secret, the end of the line.
    const std::size_t at = GENERATE(0u, 30u, 100u, 500u);
    files.flip_bit("data/varve/MANIFEST", at < 500 ? at : text.find('\n'), 2);
    CHECK_THAT(message(), Catch::Contains("data/varve/MANIFEST at line 1 (byte ") &&
                              Catch::Contains("start once with --repair"));
    // Without the copy a wrong byte of the secret cannot be mended.
    const bool copy = at == 100 ? true : GENERATE(true, false);
    CAPTURE(at, copy);
    if (!copy) REQUIRE(files.remove("data/varve/IDENTITY").ok());
    if (!copy && at == 30) {
      f.options.repair = true;
      CHECK_THAT(message(), Catch::Contains("--repair cannot help"));
      return;
    }
    f.repair();
    CHECK(f.blocks() == 1);
    f.check();
    f.reopen();
    f.check();
    CHECK(files.read_file("data/varve/MANIFEST", 1 << 20).value().substr(0, 400) ==
          text.substr(0, 400));
  }
  SECTION("another program's directory") {
    REQUIRE(files.create_directories("data2/chunks_head").ok());
    f.options.path = "data2";
    CHECK_THAT(message(), Catch::Contains("data2: holds the data of Prometheus (chunks_head)"));
  }
  SECTION("a block with a damaged index is set aside and the rest answers") {
    const std::string index = block_path + "/index";
    const std::uint64_t size = files.size(index).value();
    for (std::uint64_t at = size - 40; at < size; ++at) files.flip_bit(index, at, 1);
    f.db = f.world.open(f.options);
    CHECK(files.exists(block_path + ".corrupt").value());
    CHECK(f.blocks() == 1);  // it still counts, for warnings
    for (auto& [name, samples] : f.expected) {
      std::erase_if(samples, [](const auto& s) { return s.first < kBegin + 2 * kHourMs; });
    }
    f.check();
    auto querier = f.db->querier(TimeRange::all());
    REQUIRE(querier.ok());
    const std::vector matchers{equal("__name__", "m")};
    REQUIRE((*querier)->select(matchers, TimeRange::all()).ok());
    CHECK_FALSE((*querier)->warnings().empty());

    // A copy would lack it, and who asked for one would not know.
    const auto copy = f.db->snapshot(GENERATE(false, true));
    REQUIRE_FALSE(copy.ok());
    CHECK_THAT(copy.error().message(), Catch::Contains(ulid));
    CHECK(files.list("data/snapshots")->empty());
  }
  SECTION("a folder nobody lists that is no block") {
    const std::string stranger = "data/varve/dense/01ARZ3NDEKTSV4RRFFQ69G5FAV";
    REQUIRE(files.create_directories(stranger).ok());
    CHECK_THAT(message(), Catch::Contains(stranger + ": a block that the MANIFEST does not list"));
    f.repair();
    f.check();
    CHECK(files.exists(stranger + ".corrupt").value());
    f.reopen();
    f.check();
  }
  SECTION("a MANIFEST whose last line was cut short") {
    const std::string text = files.read_file("data/varve/MANIFEST", 1 << 20).value();
    const std::size_t line = text.rfind('\n', text.size() - 2) + 1;
    const int left = GENERATE(0, 20, -2);  // of the line; below 0: from its end
    const std::size_t size = left < 0 ? text.size() - 2 : line + static_cast<std::size_t>(left);
    REQUIRE(line > 0);
    REQUIRE(files.write_file_atomically("data/varve/MANIFEST", text.substr(0, size)).ok());
    CHECK_THAT(message(),
               Catch::Contains(block_path + ": a block that the MANIFEST does not list") &&
                   Catch::Contains("--repair"));
    f.repair();
    CHECK(f.blocks() == 1);
    f.check();
    f.reopen();
    CHECK(f.blocks() == 1);
    f.check();
  }
}

TEST_CASE("lifecycle: repair without a MANIFEST takes in what merges have left, late samples too",
          "[storage]") {
  Filled f([](Options o) {
    o.out_of_order_window = std::chrono::hours(6);
    return o;
  });
  f.write(kBegin, kBegin + 9 * kHourMs);
  ok(f.db->maintain());
  ok(f.db->compact());
  f.write(kBegin + 9 * kHourMs, kBegin + 13 * kHourMs);
  const auto late = [&f](Timestamp t) {
    const WriteOutcome outcome = append(*f.db, BatchBuilder().add(series(0), t, -1).batch);
    REQUIRE(outcome.first_error.empty());
    f.expected[series(0).to_string()].emplace_back(t, bits(-1));
  };
  late(kBegin + 8 * kHourMs + 1);
  ok(f.db->maintain());
  late(kBegin + 8 * kHourMs + 2);
  const std::size_t blocks = f.blocks();
  f.close();
  REQUIRE(f.world.files.remove("data/varve/MANIFEST").ok());
  f.repair();
  CHECK(f.blocks() == blocks);
  f.check();
  late(kBegin + 8 * kHourMs + 3);
  f.write(kBegin + 13 * kHourMs, kBegin + 17 * kHourMs);
  ok(f.db->maintain());
  ok(f.db->compact());
  f.check();
  f.reopen();
  f.check();
}

TEST_CASE("lifecycle: repair without the MANIFEST, or its last lines, brings nothing deleted back",
          "[storage]") {
  Filled f;
  f.write(kBegin, kBegin + 5 * kHourMs);
  ok(f.db->maintain());
  REQUIRE(f.blocks() == 1);
  // The block has them; the log has them still, and does not know that they are deleted.
  const TimeRange range{kBegin, kBegin + kHourMs};
  const std::vector<std::vector<model::Matcher>> selectors{{equal("s", "1")}};
  ok(f.db->delete_series(selectors, range));
  std::erase_if(f.expected[series(1).to_string()],
                [&range](const auto& sample) { return range.contains(sample.first); });
  const bool cleaned = GENERATE(false, true);
  const bool some_left = GENERATE(false, true);
  CAPTURE(cleaned, some_left);
  if (cleaned) ok(f.db->clean_tombstones());
  f.check();
  f.close();
  const std::string path = "data/varve/MANIFEST";
  const std::string text = f.world.files.read_file(path, 1 << 20).value();
  if (some_left) {
    const std::string first = text.substr(0, text.find('\n') + 1);
    REQUIRE(f.world.files.write_file_atomically(path, first).ok());
  } else {
    REQUIRE(f.world.files.remove(path).ok());
  }
  f.repair();
  CHECK(f.blocks() == 1);
  f.check();
  f.reopen();
  f.check();
}

TEST_CASE("lifecycle: samples that are too old are refused with the setting that says so",
          "[storage]") {
  Filled f([](Options o) {
    o.retention = std::chrono::hours(72);
    return o;
  });
  const Timestamp now = f.world.clock.now_ms();
  const auto refusal = [&f](Timestamp t, bool in_order_only = false) {
    AppendOptions options;
    options.in_order_only = in_order_only;
    const auto outcome = f.db->append(BatchBuilder().add(series(0), t, 1).batch, options);
    REQUIRE(outcome.ok());
    return outcome->first_error;
  };
  CHECK(refusal(now).empty());
  CHECK_THAT(refusal(now - 73 * kHourMs),
             Catch::StartsWith("out of bounds: series=m{s=\"0\"} timestamp=") &&
                 Catch::Contains("(older than samples are kept: 3d by storage.tsdb.retention"));
  CHECK_THAT(refusal(now - 2 * kHourMs), Catch::StartsWith("out of bounds: series=") &&
                                             Catch::Contains("out_of_order_time_window is 0s"));
  CHECK_THAT(refusal(now - 1), Catch::StartsWith("out of order sample: series=") &&
                                   Catch::Contains("out_of_order_time_window is 0s"));
  CHECK_THAT(refusal(now - 1, true), Catch::EndsWith(std::to_string(now - 1)));
  f.db->set_out_of_order_window(std::chrono::minutes(90));
  CHECK_THAT(refusal(now - 2 * kHourMs),
             Catch::StartsWith("too old sample: series=") &&
                 Catch::Contains("out_of_order_time_window allows: 1h30m behind"));
}

TEST_CASE("lifecycle: repair takes a merged block in whose line is lost with those it replaced",
          "[storage]") {
  Filled f;
  f.write(kBegin, kBegin + 9 * kHourMs);
  ok(f.db->maintain());
  ok(f.db->compact());
  f.close();
  fs::FaultFs& files = f.world.files;
  const std::string text = files.read_file("data/varve/MANIFEST", 1 << 20).value();
  const std::size_t line = text.rfind('\n', text.size() - 2) + 1;
  REQUIRE(text.find("\"remove\"", line) != std::string::npos);
  REQUIRE(files.write_file_atomically("data/varve/MANIFEST", text.substr(0, line)).ok());
  const auto refused = f.world.try_open(f.options);
  REQUIRE_FALSE(refused.ok());
  CHECK_THAT(refused.error().message(), Catch::Contains("a block that the MANIFEST does not list"));
  f.repair();
  f.check();
  f.reopen();
  f.check();
}

TEST_CASE("lifecycle: what comes late after a quiet cut and a crash is not taken for what was cut",
          "[storage]") {
  Filled f([](Options o) {
    o.out_of_order_window = std::chrono::hours(6);
    return o;
  });
  f.write(kBegin, kBegin + 4 * kHourMs);
  const auto crash = [&f] {
    f.db.reset();
    f.world.files.reboot(fs::FaultFs::Keep::kNothing);
    f.db = f.world.open(f.options);
  };
  const auto write_durably = [&f](Timestamp t) {
    const auto outcome = append(*f.db, BatchBuilder().add(series(1), t, 0.5).batch);
    REQUIRE(outcome.first_error.empty());
    REQUIRE(wait(*f.db, outcome.ticket).ok());
    f.expected[series(1).to_string()].emplace_back(t, bits(0.5));
  };
  write_durably(kBegin + 4 * kHourMs);
  // Nothing is staged: the cut names a frame that is never written.
  ok(f.db->maintain());
  REQUIRE(f.blocks() == 1);
  crash();
  f.check();
  // Each in a frame of its own.
  for (int i = 1; i <= 3; ++i) write_durably(kBegin + kHourMs + i);
  f.check();
  crash();
  CHECK(f.db->recovery().frames_lost == 0);
  f.check();
  write_durably(kBegin + kHourMs + 4);
  crash();
  CHECK(f.db->recovery().frames_lost == 0);
  f.check();
}

}  // namespace
}  // namespace varve::storage::test
