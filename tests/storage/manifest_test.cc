// SPDX-License-Identifier: Apache-2.0
#include "storage/manifest.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <catch2/catch.hpp>

#include <cerrno>

#include "fs/fault_fs.h"

namespace varve::storage::test {
namespace {

using Keep = fs::FaultFs::Keep;

block::BlockMeta meta(Timestamp begin_ms) {
  block::BlockMeta meta;
  meta.ulid = block::make_ulid(begin_ms);
  meta.range = {begin_ms, begin_ms + 1000};
  meta.window_begin_ms = begin_ms;
  meta.window_end_ms = begin_ms + 7'200'000;
  meta.sources = {meta.ulid};
  meta.series = 3;
  meta.hash_fingerprint = 0xfedcba9876543210ULL;
  return meta;
}

HeadCut cut(Timestamp t) { return {t, {1, 2, 0xffffffffffffffffULL}}; }

const index::SeriesHasher& hasher() {
  static const index::SeriesHasher random = index::SeriesHasher::random();
  return random;
}

Manifest create(fs::FaultFs& files) {
  return std::move(Manifest::create(files, "MANIFEST", hasher(), 42)).value();
}

ManifestReading read(fs::FaultFs& files) {
  auto reading = read_manifest(files, "MANIFEST");
  if (!reading.ok()) FAIL(reading.error().message());
  return std::move(reading).value();
}

TEST_CASE("manifest: what has gone of whom is read back", "[storage][levels]") {
  fs::FaultFs files;
  Manifest manifest = create(files);
  ManifestEdit edit;
  LadderState& ladder = edit.ladder.emplace();
  ladder.raw_gone_ms = 77;
  ladder.levels.push_back({5, 1000, 10, 0, 7, {{500, 505}}});
  const auto matcher = [](model::MatchType type, const char* value) {
    return std::move(model::Matcher::create(type, "a\"b", value)).value();
  };
  const Policies policies{
      {matcher(model::MatchType::kRegex, "x.*"), matcher(model::MatchType::kNotEqual, "\n")},
      {matcher(model::MatchType::kEqual, "")}};
  Gone gone = ladder.gone();
  REQUIRE(gone.note(0, policies, 1, {TimeRange::all().min_ms, 300}));
  REQUIRE(gone.note(5, policies, 2, {20, 40}));
  REQUIRE(gone.note(5, policies, 2, {41, 50}));
  REQUIRE(gone.note(5, {}, 0, {600, TimeRange::all().max_ms}));
  ladder.gone_of = gone.of;
  ladder.holds.push_back({"3", gone});
  ladder.aside = {block::make_ulid(7)};
  REQUIRE(manifest.commit(edit).ok());
  const LadderState read_back = read(files).state.ladder;
  CHECK(read_back == ladder);
  const std::vector<std::size_t> classes{2, 0};
  CHECK(read_back.gone().of_series(5, classes) ==
        Stretches{{TimeRange::all().min_ms, 10}, {20, 50}, {600, TimeRange::all().max_ms}});
  CHECK(read_back.gone().of_series(0, classes) == Stretches{{TimeRange::all().min_ms, 77}});
}

TEST_CASE("manifest: what was committed is read back", "[storage]") {
  fs::FaultFs files;
  Manifest manifest = create(files);
  const block::BlockMeta a = meta(7'200'000);
  const block::BlockMeta b = meta(14'400'000);
  REQUIRE(manifest.commit({{a}, {}, cut(14'400'000), {}}).ok());
  REQUIRE(manifest.commit({{b}, {a.ulid}, std::nullopt, {}}).ok());
  const ManifestReading reading = read(files);
  CHECK(reading.damage.empty());
  CHECK_FALSE(reading.torn);
  CHECK(reading.edits == 3);
  CHECK(reading.state.hash_secret == hasher().to_hex());
  CHECK(reading.state.created_ms == 42);
  REQUIRE(reading.state.blocks.size() == 1);
  CHECK(block::to_json(reading.state.blocks.begin()->second) == block::to_json(b));
  REQUIRE(reading.state.cut);
  CHECK(reading.state.cut->time_ms == 14'400'000);
  CHECK(reading.state.cut->seqs == cut(0).seqs);
  CHECK(reading.state.leaving == std::set<std::string>{a.ulid});
}

TEST_CASE("manifest: every prefix is the state before or a torn line, never damage", "[storage]") {
  fs::FaultFs files;
  Manifest manifest = create(files);
  const std::string before = files.read_file("MANIFEST", 1 << 20).value();
  REQUIRE(manifest.commit({{meta(0)}, {}, cut(5), {}}).ok());
  const std::string after = files.read_file("MANIFEST", 1 << 20).value();
  REQUIRE(after.starts_with(before));
  for (std::size_t size = before.size(); size < after.size(); ++size) {
    CAPTURE(size);
    auto reading = parse_manifest(std::string_view(after).substr(0, size), "MANIFEST");
    REQUIRE(reading.ok());
    CHECK(reading->damage.empty());
    // Without its end only, the line is whole.
    CHECK(reading->state.blocks.size() == (size + 1 == after.size() ? 1 : 0));
    CHECK(reading->torn == (size > before.size()));
  }
}

TEST_CASE("manifest: a damaged end of the last line costs nothing", "[storage]") {
  for (int byte = 0; byte < 256; ++byte) {
    CAPTURE(byte);
    fs::FaultFs files;
    {
      Manifest manifest = create(files);
      REQUIRE(manifest.commit({{meta(0)}, {}, cut(5), {}}).ok());
    }
    std::string text = files.read_file("MANIFEST", 1 << 20).value();
    text.back() = static_cast<char>(byte);
    REQUIRE(files.write_file_atomically("MANIFEST", text).ok());
    ManifestReading reading = read(files);
    CHECK(reading.damage.empty());
    REQUIRE(reading.state.blocks.size() == 1);
    // What is committed next does not go on in that line.
    Manifest manifest = std::move(Manifest::open(files, "MANIFEST", std::move(reading))).value();
    REQUIRE(manifest.commit({{meta(7'200'000)}, {}, cut(9), {}}).ok());
    reading = read(files);
    CHECK(reading.damage.empty());
    CHECK_FALSE(reading.torn);
    CHECK(reading.state.blocks.size() == 2);
    CHECK(reading.state.cut->time_ms == 9);
  }
}

TEST_CASE("manifest: a flipped bit is found, named, and leaves the other lines", "[storage]") {
  fs::FaultFs files;
  Manifest manifest = create(files);
  const std::size_t first = files.read_file("MANIFEST", 1 << 20).value().size();
  REQUIRE(manifest.commit({{meta(0)}, {}, cut(5), {}}).ok());
  const std::size_t second = files.read_file("MANIFEST", 1 << 20).value().size();
  REQUIRE(manifest.commit({{meta(7'200'000)}, {}, cut(9), {}}).ok());
  std::string text = files.read_file("MANIFEST", 1 << 20).value();
  // The end of the last line can be missing because of a crash; nothing else.
  for (std::size_t at = 0; at + 1 < text.size(); ++at) {
    text[at] = static_cast<char>(text[at] ^ 0x04);
    const auto reading = parse_manifest(text, "MANIFEST");
    CAPTURE(at);
    if (at < first && !reading.ok()) {
      CHECK(reading.error().code() == ErrorCode::kCorruption);
      CHECK_THAT(reading.error().message(), Catch::Contains("MANIFEST at line 1 (byte 0): "));
    } else {
      REQUIRE(reading.ok());
      REQUIRE_FALSE(reading->damage.empty());
      CHECK_THAT(reading->damage.front().message(), Catch::StartsWith("MANIFEST at line "));
      if (at + 1 < second) CHECK(reading->state.cut->time_ms == 9);
      if (at >= second) CHECK(reading->state.cut->time_ms == 5);
    }
    text[at] = static_cast<char>(text[at] ^ 0x04);
  }
}

TEST_CASE("manifest: a newer format is refused", "[storage]") {
  const std::string json = R"({"format":2,"created_ms":1,"hash_secret":""})";
  const auto reading =
      parse_manifest(fmt::format("{:016x} {}\n", XXH3_64bits(json.data(), json.size()), json), "M");
  REQUIRE_FALSE(reading.ok());
  CHECK(reading.error().code() == ErrorCode::kInvalidArgument);
  CHECK_THAT(reading.error().message(), Catch::StartsWith("M: the MANIFEST has format 2"));
}

TEST_CASE("manifest: a power cut or failing disk leaves the old state or the new", "[storage]") {
  // 0: nothing fails, to count the steps.
  std::uint64_t steps = 0;
  for (const Keep keep : {Keep::kNothing, Keep::kEverything, Keep::kRandom}) {
    for (const int error : {0, ENOSPC, EIO}) {
      for (std::uint64_t step = 0; step <= steps; ++step) {
        CAPTURE(static_cast<int>(keep), error, step);
        fs::FaultFs files;
        Manifest manifest = create(files);
        REQUIRE(manifest.commit({{meta(0)}, {}, cut(1), {}}).ok());
        const std::uint64_t begin = files.steps();
        if (step > 0) {
          error == 0 ? files.cut_power_at(begin + step) : files.fail_step(begin + step, error);
        }
        bool second = manifest.commit({{meta(7'200'000)}, {}, cut(2), {}}).ok();
        if (step == 0) steps = std::max(steps, files.steps() - begin);
        bool third = false;
        if (error != 0) third = manifest.commit({{meta(14'400'000)}, {}, cut(3), {}}).ok();
        files.reboot(keep, step);
        const ManifestReading reading = read(files);
        CHECK(reading.damage.empty());
        REQUIRE(reading.state.cut);
        const Timestamp t = reading.state.cut->time_ms;
        if (third) {
          CHECK(t == 3);
          // An edit that failed does not come back once a later one was made.
          CHECK(reading.state.blocks.size() == (second ? 3u : 2u));
        } else if (second) {
          CHECK(t == 2);
        } else {
          CHECK((t == 1 || t == 2));
        }
      }
      steps = std::max<std::uint64_t>(steps, 2);
    }
  }
}

TEST_CASE("manifest: it does not grow much beyond what it says", "[storage]") {
  fs::FaultFs files;
  Manifest manifest = create(files);
  ManifestEdit edit;
  LadderState& ladder = edit.ladder.emplace();
  ladder.levels.emplace_back().resolution_ms = 60'000;
  ladder.levels[0].covered_ms = ladder.levels[0].gone_ms = 0;
  for (Timestamp t = 0; t < 1000; ++t)
    ladder.levels[0].dirty.push_back({t * 180'000, t * 180'000 + 60'000});
  REQUIRE(manifest.commit(edit).ok());
  const std::size_t once = files.read_file("MANIFEST", 1 << 22).value().size();
  for (int i = 0; i < 60; ++i) {
    REQUIRE(manifest.commit(edit).ok());
    CHECK(files.read_file("MANIFEST", 1 << 22).value().size() < 3 * once + (128 << 10));
  }
  CHECK(read(files).state.ladder == ladder);
  // Nor beyond what it said once.
  ladder.levels[0].dirty.clear();
  for (int i = 0; i < 1000; ++i) REQUIRE(manifest.commit(edit).ok());
  CHECK(files.read_file("MANIFEST", 1 << 22).value().size() < (130 << 10));
}

TEST_CASE("manifest: a long one is written anew and says the same", "[storage]") {
  fs::FaultFs files;
  Manifest manifest = create(files);
  std::string previous;
  for (int i = 0; i < 450; ++i) {
    const block::BlockMeta added = meta(Timestamp{i} * 7'200'000);
    ManifestEdit edit{{added}, {}, cut(i), {}};
    if (!previous.empty()) edit.removed.push_back(previous);
    REQUIRE(manifest.commit(edit).ok());
    if (!previous.empty()) manifest.forget(previous);
    previous = added.ulid;
  }
  const ManifestReading reading = read(files);
  CHECK(reading.edits < 210);
  REQUIRE(reading.state.blocks.size() == 1);
  CHECK(reading.state.blocks.count(previous) == 1);
  CHECK(reading.state.cut->time_ms == 449);
  Manifest again = std::move(Manifest::open(files, "MANIFEST", reading)).value();
  REQUIRE(again.commit({{}, {previous}, std::nullopt, {}}).ok());
  CHECK(read(files).state.blocks.empty());
}

}  // namespace
}  // namespace varve::storage::test
