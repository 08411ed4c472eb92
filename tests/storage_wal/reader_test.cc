// SPDX-License-Identifier: Apache-2.0
#include "storage/wal/reader.h"

#include "base/thread_pool.h"
#include "log_rig.h"
#include "storage/wal/format.h"

using namespace varve;
using namespace varve::storage;
using namespace varve::storage::wal;
using fs::FaultFs;

namespace {

// `count` frames of one sample each, then a clean end without close().
void fill(FaultFs& files, std::uint64_t first, std::uint64_t count) {
  Rig rig(files);
  REQUIRE(rig.open());
  for (std::uint64_t number = first; number < first + count; ++number) {
    REQUIRE(rig.append(1, number).ok());
  }
}

// Offsets of the frames of a segment.
std::vector<std::uint64_t> frame_offsets(FaultFs& files, std::uint32_t segment) {
  const auto file = files.map("wal/" + segment_name(segment)).value();
  std::vector<std::uint64_t> offsets;
  std::uint64_t at = 0;
  while (const auto header = decode_frame_header(file->bytes().substr(at))) {
    offsets.push_back(at);
    at += kFrameHeaderBytes + header->payload_bytes;
  }
  return offsets;
}

}  // namespace

TEST_CASE("wal reader: an empty directory starts at the beginning", "[storage][wal]") {
  FaultFs files;
  REQUIRE(files.create_directories("wal").ok());
  const auto recovered = recover("wal", files);
  REQUIRE(recovered.ok());
  CHECK(recovered->next == FramePosition{1, 1});
  CHECK(recover("nowhere", files).error().code() == ErrorCode::kNotFound);
}

TEST_CASE("wal reader: an untouched segment is used again, a used one is not", "[storage][wal]") {
  FaultFs files;
  fill(files, 1, 0);
  CHECK(recover("wal", files)->next == FramePosition{1, 1});
  fill(files, 1, 2);
  CHECK(recover("wal", files)->next == FramePosition{3, 2});
}

TEST_CASE("wal reader: a torn last frame is left out and counted", "[storage][wal]") {
  const auto cut_bytes = GENERATE(1u, 2u, 30u);
  CAPTURE(cut_bytes);
  FaultFs files;
  fill(files, 1, 4);
  const auto offsets = frame_offsets(files, 1);
  REQUIRE(offsets.size() == 4);
  const auto header = decode_frame_header(files.map("wal/00000001.wal").value()->bytes().substr(
      offsets[3]));
  const std::uint64_t end = offsets[3] + kFrameHeaderBytes + header->payload_bytes;
  // The segment is as long as it was made, as a crash leaves it, with what stood there before.
  for (std::uint64_t at = end - cut_bytes; at < end; ++at) {
    files.flip_bit("wal/00000001.wal", at, 3);
  }
  const auto recovered = recover("wal", files);
  REQUIRE(recovered.ok());
  CHECK(recovered->frames == 3);
  CHECK(recovered->damages.empty());
  CHECK(recovered->torn_bytes == end - offsets[3]);
  CHECK(recovered->next == FramePosition{4, 2});
  fill(files, 4, 2);
  const auto again = recover("wal", files);
  CHECK(again->damages.empty());
  CHECK(replay(*again)[1] == std::vector<std::uint64_t>{1, 2, 3, 4, 5});
}

TEST_CASE("wal reader: damage costs the rest of its segment and is named, every time",
          "[storage][wal]") {
  FaultFs files;
  fill(files, 1, 60);
  const std::uint32_t last = recover("wal", files)->next.segment - 1;
  REQUIRE(last >= 2);
  const bool in_last = GENERATE(false, true);
  const std::uint32_t segment = in_last ? last : 1;
  const auto offsets = frame_offsets(files, segment);
  REQUIRE(offsets.size() > 5);
  const auto before = replay(*recover("wal", files))[1];
  files.flip_bit("wal/" + segment_name(segment), offsets[2] + kFrameHeaderBytes + 9, 3);

  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto recovered = recover("wal", files);
    REQUIRE(recovered.ok());
    REQUIRE(recovered->damages.size() == 1);
    const LogDamage& damage = recovered->damages[0];
    CHECK(damage.segment == segment);
    CHECK(damage.offset == offsets[2]);
    CHECK(damage.frames_lost == offsets.size() - 2);
    CHECK(recovered->frames_lost == offsets.size() - 2);
    CHECK(damage.message.find(segment_name(segment)) != std::string::npos);
    CHECK(damage.message.find("checksum mismatch") != std::string::npos);
    CHECK(recovered->frames == 60 - damage.frames_lost + (attempt == 0 ? 0 : 3));
    // Numbers go on behind what was lost, so that the loss stays visible after new writes.
    if (attempt == 0) {
      CHECK(recovered->next.seq == 61);
      fill(files, 61, 3);
    }
  }
  const auto after = replay(*recover("wal", files))[1];
  for (const std::uint64_t number : after) {
    CHECK((number > 60 || std::count(before.begin(), before.end(), number) == 1));
  }
}

TEST_CASE("wal reader: a missing segment is a counted loss", "[storage][wal]") {
  FaultFs files;
  fill(files, 1, 60);
  const std::size_t lost = frame_offsets(files, 1).size();
  REQUIRE(files.remove("wal/00000001.wal").ok());
  const auto recovered = recover("wal", files);
  REQUIRE(recovered.ok());
  CHECK(recovered->frames_lost == lost);
  // The reader does not know about series; their records are gone with the segment.
  CHECK(recovered->series.empty());
}

TEST_CASE("wal reader: checking in parallel finds the same", "[storage][wal]") {
  FaultFs files;
  fill(files, 1, 100);
  base::ThreadPool pool("test", 3, 100);
  const auto alone = recover("wal", files);
  const auto together = recover("wal", files, {.pool = &pool});
  REQUIRE(together.ok());
  CHECK(together->frames == alone->frames);
  CHECK(replay(*together) == replay(*alone));
}

TEST_CASE("wal reader: frames up to a snapshot are left out", "[storage][wal]") {
  FaultFs files;
  fill(files, 1, 10);
  const auto recovered = recover("wal", files, {.after_seq = 7});
  CHECK(recovered->frames == 3);
  CHECK(recovered->damages.empty());
  CHECK(recovered->runs_by_shard[1].front().position.seq == 8);
  CHECK(recover("wal", files, {.after_seq = 20})->next.seq == 21);
}
