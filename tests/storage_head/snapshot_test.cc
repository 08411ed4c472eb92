// SPDX-License-Identifier: Apache-2.0
// What a snapshot keeps of a shard, as bytes. The golden file pins them: if that test fails, either
// the format changed by accident, or it needs a new version (snapshot_file.h) and a second golden
// file.
#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

#include "fs/fault_fs.h"
#include "storage/head/head.h"
#include "storage/head/shard_image.h"
#include "storage/head/snapshot_file.h"

namespace varve::storage::head {
namespace {

constexpr Timestamp kT = 1'700'000'000'000;

// Ids 1 to 4 lie in shard 0: floats with closed chunks, histograms, late and deleted samples.
class Rig {
 public:
  Rig() : head(Head::create(files, "head", index::SeriesHasher::random(), 10).value()) {
    REQUIRE(head->reserve_series(SeriesId{4}).ok());
    const std::lock_guard lock(head->create_mutex);
    for (std::uint32_t id = 1; id <= 4; ++id) {
      head->mark_known(SeriesId{id});
      head->restore_series(SeriesId{id}, Labels{{"id", std::to_string(id)}});
    }
  }

  void fill() {
    const std::lock_guard lock(shard().mutex);
    const OutOfOrderRule rule{0, true};
    for (int i = 0; i < 200; ++i) {
      shard().append_float(series(1), SeriesId{1}, kT + i * 15'000, i % 7 * 0.25, rule);
      shard().append_float(series(2), SeriesId{2}, kT + i * 15'000, 1e300 / (i + 1), rule);
    }
    Histogram histogram;
    histogram.integer = true;
    histogram.positive_spans = {{0, 3}};
    for (int i = 0; i < 5; ++i) {
      histogram.positive_counts = {1.0, 2.0 + i, 3};
      histogram.count = 6.0 + i;
      shard().append_histogram(series(3), SeriesId{3}, kT + i * 15'000, histogram, rule);
    }
    shard().append_float(series(1), SeriesId{1}, kT - 500, 5, rule);
    shard().append_float(series(2), SeriesId{2}, kT - 7'300'000, 6, rule);
    shard().append_histogram(series(3), SeriesId{3}, kT - 500, histogram, rule);
    shard().freeze(kT - 7'200'000);
    shard().delete_samples(series(2), SeriesId{2}, {kT, kT + 100'000});
  }

  std::string image() {
    const std::lock_guard lock(shard().mutex);
    ShardImage copied;
    head->copy_shard(0, copied);
    std::string bytes;
    encode_image(copied, bytes);
    return bytes;
  }

  Shard& shard() { return head->shard_at(0); }
  HotSeries& series(std::uint32_t id) { return head->series(SeriesId{id}); }

  fs::FaultFs files;
  std::unique_ptr<Head> head;
};

std::string golden_bytes(const std::string& name) {
  std::ifstream golden(std::string(VARVE_GOLDEN_DIR) + "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(golden), std::istreambuf_iterator<char>()};
}

TEST_CASE("shard image: comes back as it was", "[storage][head]") {
  Rig rig;
  rig.fill();
  const std::string bytes = rig.image();
  ShardImage image;
  REQUIRE(decode_image(bytes, 0, image).ok());
  CHECK(image.ids == std::vector<std::uint32_t>{1, 2, 3, 4});
  CHECK(image.histograms.size() == 1);
  CHECK(image.late.size() == 2);
  CHECK(image.frozen.size() == 1);
  CHECK(image.deleted.size() == 1);
  std::string again;
  encode_image(image, again);
  CHECK(again == bytes);
  CHECK_FALSE(decode_image(bytes, 1, image).ok());  // ids of another shard
}

TEST_CASE(
    "shard image: bytes cut or changed anywhere are corruption or another image, never a crash",
    "[storage][head]") {
  Rig rig;
  rig.fill();
  const std::string bytes = rig.image();
  ShardImage image;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::string cut = bytes.substr(0, size);  // its own allocation, for asan
    REQUIRE_FALSE(decode_image(cut, 0, image).ok());
  }
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
      if (!decode_image(changed, 0, image).ok()) continue;
      std::string again;
      encode_image(image, again);
    }
  }
}

TEST_CASE("shard image: its bytes do not change", "[storage][head]") {
  Rig rig;
  rig.fill();
  const std::string bytes = rig.image();
  const std::string expected = golden_bytes("shard-image-v2");
  if (bytes != expected) {
    std::ofstream("shard-image-v2.got", std::ios::binary) << bytes;
    FAIL("the bytes differ from the golden file; see shard-image-v2.got in the working directory");
  }
}

TEST_CASE("snapshot file: version 2 is readable, and damage costs a piece", "[storage][head]") {
  const std::string file = golden_bytes("snapshot-v2");
  std::vector<Error> gaps;
  const std::vector<Piece> pieces = find_pieces(file, gaps);
  CHECK(gaps.empty());
  REQUIRE(pieces.size() == 3);
  CHECK(pieces[1].info.kind == PieceKind::kShard);
  CHECK(pieces[1].info.seq == 77);
  CHECK(pieces[1].info.segment == 5);
  std::string scratch;
  const auto image = pieces[1].open(scratch);
  REQUIRE(image.ok());
  CHECK(*image == golden_bytes("shard-image-v2"));

  for (std::size_t at = 0; at < file.size(); ++at) {
    std::string damaged = file;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    gaps.clear();
    std::size_t good = 0;
    const std::vector<Piece> found = find_pieces(damaged, gaps);
    for (const Piece& piece : found) good += piece.open(scratch).ok();
    REQUIRE(good == 2);
    REQUIRE(found.size() + gaps.size() == 3);
  }
}

TEST_CASE("snapshot file: is there only when it is whole", "[storage][head]") {
  fs::FaultFs files;
  REQUIRE(files.create_directories("snap").ok());
  auto writer = SnapshotWriter::create(files, "snap", 12);
  REQUIRE(writer.ok());
  Rig rig;
  rig.fill();
  REQUIRE((*writer)->add({.kind = PieceKind::kBegin}, "x").ok());
  REQUIRE((*writer)
              ->add({.kind = PieceKind::kShard, .shard = 0, .segment = 5, .seq = 77}, rig.image())
              .ok());
  REQUIRE((*writer)->add({.kind = PieceKind::kEnd}, "").ok());
  CHECK_FALSE(files.exists("snap/00000012").value());
  REQUIRE((*writer)->finish().ok());
  files.reboot(fs::FaultFs::Keep::kNothing);
  const std::string written = files.read_file("snap/00000012", 1 << 20).value();
  std::vector<Error> gaps;
  CHECK(find_pieces(written, gaps).size() == 3);
  if (golden_bytes("snapshot-v2").empty()) {
    std::ofstream("snapshot-v2.got", std::ios::binary) << written;
  }
}

TEST_CASE("shard: what is frozen stays, is read by those before the cut, and leaves with trim",
          "[storage][head]") {
  Rig rig;
  rig.fill();
  Shard& shard = rig.shard();
  const std::lock_guard lock(shard.mutex);
  constexpr Timestamp kCut = kT - 7'200'000;
  SeriesSnapshot read;
  shard.snapshot(rig.series(2), SeriesId{2}, TimeRange::all(), read);
  CHECK(read.late_floats.size() == 1);
  CHECK(read.deleted == std::vector<TimeRange>{{kT, kT + 100'000}});
  shard.snapshot(rig.series(2), SeriesId{2}, TimeRange::all(), read, kCut);
  CHECK(read.late_floats.empty());  // its block has it
  CHECK(shard.insert_late(rig.series(2), SeriesId{2}, Sample{kT - 7'300'000, 6}) ==
        Appended::kSame);
  CHECK(shard.insert_late(rig.series(2), SeriesId{2}, Sample{kT - 7'300'000, 7}) ==
        Appended::kDuplicate);
  CHECK(shard.insert_late(rig.series(2), SeriesId{2}, Sample{kT - 7'300'001, 7}) ==
        Appended::kOutOfOrder);
  shard.snapshot(rig.series(2), SeriesId{2}, TimeRange::all(), read, kCut);
  CHECK(read.late_floats.size() == 1);  // behind the cut: still the head's

  CutSeries cut;
  shard.take(rig.series(2), SeriesId{2}, kCut, TakeLate::kFrozen, cut);
  CHECK(cut.late_floats.size() == 1);
  CHECK(cut.chunks.empty());
  CHECK(shard.trim(rig.series(2), SeriesId{2}, kCut) == kT);
  shard.snapshot(rig.series(2), SeriesId{2}, TimeRange::all(), read);
  REQUIRE(read.late_floats.size() == 1);
  CHECK(read.late_floats[0].timestamp_ms == kT - 7'300'001);
  CHECK(shard.append_float(rig.series(4), SeriesId{4}, kCut - 1, 1, {0, false, shard.cut_ms()}) ==
        Appended::kOutOfBounds);
}

TEST_CASE("shard: taking everything closes what is open, and a retired series leaves nothing",
          "[storage][head]") {
  Rig rig;
  rig.fill();
  Shard& shard = rig.shard();
  const std::lock_guard lock(shard.mutex);
  CutSeries cut;
  for (std::uint32_t id = 1; id <= 4; ++id) {
    shard.take(rig.series(id), SeriesId{id}, TimeRange::all().max_ms, TakeLate::kAll, cut);
    CHECK(cut.state == shard.state(rig.series(id), SeriesId{id}));
    std::uint64_t samples = cut.late_floats.size() + cut.late_histograms.size();
    for (const ChunkRef& chunk : cut.chunks) samples += rig.head->columns()[chunk.column].count;
    CHECK(samples == (id <= 2 ? 201U : id == 3 ? 6U : 0U));
    shard.retire(rig.series(id), SeriesId{id});
    CHECK_FALSE(rig.series(id).is(HotSeries::kKnown));
  }
  CHECK(shard.counts().chunks_open == 0);
  CHECK(shard.counts().chunks_closed == 0);
  CHECK(rig.head->memory().side.bytes() == 0);
}

TEST_CASE("shard: a late sample that takes the place of a forgotten one is a change",
          "[storage][head]") {
  Rig rig;
  rig.fill();
  Shard& shard = rig.shard();
  const std::lock_guard lock(shard.mutex);
  HotSeries& series = rig.series(2);
  const Timestamp late = kT - 7'300'001;
  REQUIRE(shard.insert_late(series, SeriesId{2}, Sample{late, 7}) == Appended::kOutOfOrder);
  const SeriesState before = shard.state(series, SeriesId{2});
  CHECK(shard.insert_late(series, SeriesId{2}, Sample{late, 7}) == Appended::kSame);
  CHECK(shard.state(series, SeriesId{2}) == before);
  shard.expire(series, SeriesId{2}, late + 1);
  REQUIRE(shard.insert_late(series, SeriesId{2}, Sample{late - 5, 8}) == Appended::kOutOfOrder);
  CHECK(shard.state(series, SeriesId{2}) != before);
}

TEST_CASE("shard: deleting hides what is there and nothing that comes", "[storage][head]") {
  Rig rig;
  rig.fill();
  Shard& shard = rig.shard();
  const std::lock_guard lock(shard.mutex);
  const Timestamp last = rig.series(1).last_time();
  CHECK(shard.delete_samples(rig.series(1), SeriesId{1}, TimeRange::all()));
  SeriesSnapshot read;
  shard.snapshot(rig.series(1), SeriesId{1}, TimeRange::all(), read);
  CHECK(read.late_floats.empty());
  CHECK(read.deleted == std::vector<TimeRange>{{kT, last}});
  CHECK_FALSE(shard.newest_is_last(rig.series(1), SeriesId{1}));
  shard.append_float(rig.series(1), SeriesId{1}, last + 1, 3, {});
  CHECK(shard.newest_is_last(rig.series(1), SeriesId{1}));
  CHECK_FALSE(shard.delete_samples(rig.series(4), SeriesId{4}, TimeRange::all()));
}

}  // namespace
}  // namespace varve::storage::head
