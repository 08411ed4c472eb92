// SPDX-License-Identifier: Apache-2.0
// Tools on a directory: what they say must be so, with the database closed, killed or running, and
// they must change nothing.
#include "storage/inspect.h"

#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "db_fixture.h"

using namespace varve;
using namespace varve::storage;
using namespace varve::storage::test;

namespace {

constexpr Timestamp kStep = 60'000;
constexpr int kSeries = 10;

Labels series(int i) {
  return Labels({{kMetricName, i % 2 == 0 ? "even_total" : "odd"},
                 {"instance", fmt::format("host-{}", i)},
                 {"job", "node"}});
}

// Five hours of a sample a minute; one series ends after the first window.
void fill(Db& db) {
  for (int minute = 0; minute < 300; ++minute) {
    BatchBuilder batch;
    for (int i = 0; i < kSeries; ++i) {
      if (i == 3 && minute >= 120) continue;
      const double value = i == 4 ? 7 : minute * (i + 1) + 0.25;
      batch.add(series(i), kStart + minute * kStep, value);
    }
    REQUIRE(wait(db, append(db, batch.batch).ticket).ok());
  }
}

std::vector<model::Matcher> everything() {
  return {model::Matcher::create(model::MatchType::kRegex, "__name__", ".+").value()};
}

std::vector<std::string> findings(World& world) {
  std::vector<std::string> found;
  const auto count = verify_directory(world.files, "data",
                                      [&](const Error& one) { found.push_back(one.message()); });
  if (!count.ok()) FAIL(count.error().message());
  CHECK(*count == found.size());
  return found;
}

Contents archived(World& world) {
  const auto archive = Archive::open(world.files, "data");
  if (!archive.ok()) FAIL(archive.error().message());
  Contents contents;
  const auto querier = (*archive)->samples().querier(TimeRange::all()).value();
  const auto selection = std::move(querier->select(everything(), TimeRange::all())).value();
  SeriesSamples samples;
  for (std::size_t i = 0; i < selection->size(); ++i) {
    REQUIRE(selection->read(i, TimeRange::all(), samples).ok());
    auto& one = contents[selection->labels(i).to_string()];
    for (std::size_t k = 0; k < samples.float_times.size(); ++k) {
      one.emplace_back(samples.float_times[k], bits(samples.float_values[k]));
    }
  }
  return contents;
}

// Changes of the disk, but for the spare segments that the log readies when it finds the time.
std::ptrdiff_t steps_of(const World& world) {
  const auto trace = world.files.trace();
  return std::count_if(trace.begin(), trace.end(), [](const fs::FaultFs::Step& step) {
    return step.path != "data/varve/wal" && step.path.find("/spare-") == std::string::npos;
  });
}

}  // namespace

TEST_CASE("inspect: beside a running database, without touching anything", "[storage]") {
  World world(kStart + 300 * kStep);
  const auto db = world.open();
  fill(*db);
  const bool cut = GENERATE(false, true);
  CAPTURE(cut);
  if (cut) REQUIRE(db->compact().ok());
  const Contents wanted = read_all(*db, everything());
  const std::ptrdiff_t steps = steps_of(world);

  const auto listing = list_directory(world.files, "data", true);
  REQUIRE(listing.ok());
  CHECK(listing->problems.empty());
  CHECK(listing->blocks.empty() == !cut);
  CHECK(listing->head.value().series >= 9);
  std::uint64_t samples = 0;
  for (const BlockListing& one : listing->blocks) {
    CHECK(one.problem.empty());
    samples += one.meta.floats;
  }
  if (cut) CHECK(samples >= 120 * 10);
  CHECK(archived(world) == wanted);
  CHECK(findings(world) == std::vector<std::string>());

  CHECK(steps_of(world) == steps);
  CHECK(read_all(*db, everything()) == wanted);
}

TEST_CASE("inspect: after a crash what was acknowledged is there", "[storage]") {
  World world(kStart + 300 * kStep);
  Contents wanted;
  {
    const auto db = world.open();
    fill(*db);
    REQUIRE(db->compact().ok());
    wanted = read_all(*db, everything());
  }
  world.files.reboot(fs::FaultFs::Keep::kNothing);
  CHECK(archived(world) == wanted);
  CHECK(findings(world) == std::vector<std::string>());
}

TEST_CASE("inspect: analysis adds up", "[storage]") {
  World world(kStart + 300 * kStep);
  const auto db = world.open();
  fill(*db);
  CHECK(analyze_directory(world.files, "data", {}).error().code() == ErrorCode::kNotFound);
  REQUIRE(db->compact().ok());
  const auto metas = db->blocks();
  REQUIRE(!metas.empty());
  std::uint64_t samples = 0;
  std::uint64_t size = 0;
  for (const auto& meta : metas) {
    samples += meta.floats;
    size += meta.bytes;
  }
  const auto analysis = analyze_directory(world.files, "data", {});
  REQUIRE(analysis.ok());
  CHECK(analysis->blocks == metas.size());
  CHECK(analysis->series == kSeries);
  CHECK(analysis->floats == samples);
  CHECK(analysis->bytes == size);
  CHECK(analysis->label_pairs == 2 + 10 + 1);
  std::uint64_t of_parts = 0;
  for (const PartShare& part : analysis->parts) of_parts += part.bytes;
  CHECK(of_parts == size);
  std::uint64_t of_codecs = 0;
  std::uint64_t of_metrics = 0;
  for (const CodecShare& codec : analysis->codecs) of_codecs += codec.samples;
  for (const MetricShare& metric : analysis->metrics) of_metrics += metric.samples;
  CHECK(of_codecs == samples);
  CHECK(of_metrics == samples);
  REQUIRE(analysis->metrics_by_series.size() == 2);
  CHECK(analysis->metrics_by_series[0].series == 5);
  REQUIRE(analysis->labels.size() == 3);
  CHECK(analysis->labels[0].name == "instance");
  CHECK(analysis->labels[0].values == 10);
  CHECK(analysis->pairs[0].pair == "job=node");
  CHECK(analysis->pairs[0].series == 10);

  AnalyzeOptions options;
  options.matchers = {equal("__name__", "odd")};
  options.limit = 1;
  const auto odd = analyze_directory(world.files, "data", options);
  REQUIRE(odd.ok());
  CHECK(odd->series == 5);
  CHECK(odd->labels.size() == 1);
  options.ulid = "01HF00000000000000000000AB";
  CHECK(analyze_directory(world.files, "data", options).error().code() == ErrorCode::kNotFound);
  CHECK(time_directory(world.files, "data").value().size() == 6);
}

TEST_CASE("inspect: damage is found wherever it is, and the rest is still read", "[storage]") {
  World world(kStart + 300 * kStep);
  std::string block;
  {
    const auto db = world.open();
    fill(*db);
    REQUIRE(db->compact().ok());
    block = "data/varve/dense/" + db->blocks()[0].ulid;
  }
  world.files.reboot(fs::FaultFs::Keep::kEverything);
  REQUIRE(findings(world).empty());
  SECTION("a flipped bit of a block") {
    world.files.flip_bit(block + "/data", 100, 4);
    const auto found = findings(world);
    REQUIRE(!found.empty());
    CHECK(found[0].find(block + "/data at 0") != std::string::npos);
  }
  SECTION("a missing block") {
    REQUIRE(world.files.remove(block + "/index").ok());
    const auto found = findings(world);
    REQUIRE(!found.empty());
    CHECK(found[0].find(block + "/index") != std::string::npos);
    const auto listing = list_directory(world.files, "data", true);
    REQUIRE(listing.ok());
    CHECK(!listing->blocks[0].problem.empty());
    CHECK(!archived(world).empty());
  }
  SECTION("the MANIFEST") {
    world.files.flip_bit("data/varve/MANIFEST", 40, 1);
    const auto found = findings(world);
    REQUIRE(!found.empty());
    CHECK(found[0].find("data/varve/MANIFEST") != std::string::npos);
  }
  SECTION("the log") {
    const auto segments = world.files.list("data/varve/wal").value();
    const auto segment =
        std::find_if(segments.begin(), segments.end(),
                     [](const std::string& name) { return name.ends_with(".wal"); });
    REQUIRE(segment != segments.end());
    world.files.flip_bit("data/varve/wal/" + *segment, 60, 1);
    const auto found = findings(world);
    REQUIRE(!found.empty());
    CHECK(found[0].find(*segment) != std::string::npos);
  }
}

TEST_CASE("inspect: another directory is refused by name", "[storage]") {
  World world;
  REQUIRE(world.files.create_directories("data").ok());
  for (const Error& error : {list_directory(world.files, "data", true).error(),
                             verify_directory(world.files, "data", [](const Error&) {}).error(),
                             analyze_directory(world.files, "data", {}).error(),
                             Archive::open(world.files, "data").error()}) {
    CHECK(error.code() == ErrorCode::kNotFound);
    CHECK(error.message().find("data: no data directory") != std::string::npos);
  }
}
