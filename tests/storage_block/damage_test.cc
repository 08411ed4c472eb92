// SPDX-License-Identifier: Apache-2.0
// Damage of every kind: bits that flip, files that end too early or are missing, bytes that lie
// under right checksums, disks that fail while a block is written.
#include <catch2/catch.hpp>
#include <cerrno>
#include <numeric>
#include <random>

#include "block_rig.h"
#include "hostile.h"

using namespace varve;
using namespace varve::storage::block;

namespace {

std::string file_of(fs::FaultFs& files, const std::string& path) {
  return files.read_file(path, 1 << 30).value();
}

void put(fs::FaultFs& files, const std::string& path, std::string_view bytes) {
  REQUIRE(files.write_file_atomically(path, bytes).ok());
}

// The file's size as the offset within the message.
bool names_file_and_offset(const Error& error, const std::string& path) {
  return error.code() == ErrorCode::kCorruption &&
         error.message().find(path + " at ") != std::string::npos;
}

}  // namespace

TEST_CASE("block damage: any flipped bit is found, and named with file and offset",
          "[storage][block]") {
  const auto rig = make_rig(some_series(31, 12));
  const auto* const name = GENERATE("index", "data");
  const std::string path = std::string("block/") + name;
  const std::uint64_t size = rig->files.size(path).value();
  for (std::uint64_t at = 0; at < size; at += at < 64 || at + 200 > size ? 1 : 5) {
    CAPTURE(path, at);
    const auto bit = static_cast<unsigned>(at % 8);
    rig->files.flip_bit(path, at, bit);
    const auto block = Block::open(rig->files, "block");
    if (block.ok()) {
      std::vector<Error> findings;
      CHECK((*block)->verify([&](const Error& error) { findings.push_back(error); }) > 0);
      REQUIRE(!findings.empty());
      CHECK(names_file_and_offset(findings[0], path));
    } else if (block.error().code() != ErrorCode::kInvalidArgument) {
      CHECK(block.error().code() == ErrorCode::kCorruption);
      CHECK(block.error().message().find(path) != std::string::npos);
    }
    rig->files.flip_bit(path, at, bit);
  }
}

TEST_CASE("block damage: a damaged page fails what stands in it, the rest answers",
          "[storage][block]") {
  const auto series = some_series(32, 600);  // several pages of data
  const auto rig = make_rig(series);
  const std::uint64_t size = rig->files.size("block/data").value();
  REQUIRE(size > 3 * 65536);
  rig->files.flip_bit("block/data", 65536 + 77, 3);
  const auto block = Block::open(rig->files, "block").value();
  std::size_t failed = 0;
  for (std::uint32_t i = 0; i < series.size(); ++i) {
    const auto samples = read_series(*block, i);
    if (samples.ok()) {
      CHECK(*samples == expected(series[i]));
    } else {
      CHECK(names_file_and_offset(samples.error(), "block/data"));
      ++failed;
    }
  }
  CHECK(failed > 0);
  CHECK(failed < series.size() / 2);
  CHECK(block->select({})->size() == series.size());
}

TEST_CASE("block damage: a file that ends early, or is another's, is refused", "[storage][block]") {
  const auto rig = make_rig(some_series(33, 20));
  const auto* const name = GENERATE("index", "data");
  const std::string path = std::string("block/") + name;
  const std::string whole = file_of(rig->files, path);
  for (const std::size_t cut : {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{55},
                                whole.size() / 2, whole.size() - 1}) {
    CAPTURE(path, cut);
    put(rig->files, path, std::string_view(whole).substr(0, cut));
    CHECK(names_file_and_offset(Block::open(rig->files, "block").error(), path));
  }
  REQUIRE(rig->files.remove(path).ok());
  CHECK(Block::open(rig->files, "block").error().code() == ErrorCode::kNotFound);
  const auto other = make_rig(some_series(34, 20));
  put(rig->files, path, file_of(other->files, path));
  const auto mixed = Block::open(rig->files, "block");
  REQUIRE(!mixed.ok());
  CHECK(mixed.error().message().find("belongs to other data") != std::string::npos);
}

TEST_CASE("block damage: damaged tombstones are not taken for none", "[storage][block]") {
  const auto rig = make_rig(some_series(35, 5));
  Tombstones tombstones;
  tombstones.add(2, {100, 2000});
  REQUIRE(rig->block->set_tombstones(rig->files, tombstones).ok());
  const std::uint64_t size = rig->files.size("block/tombstones").value();
  for (std::uint64_t at = 0; at < size; ++at) {
    CAPTURE(at);
    rig->files.flip_bit("block/tombstones", at, 2);
    CHECK(!Block::open(rig->files, "block").ok());
    rig->files.flip_bit("block/tombstones", at, 2);
  }
  CHECK(Block::open(rig->files, "block").ok());
}

TEST_CASE("block damage: bytes that lie under right checksums are survived", "[storage][block]") {
  const auto rig = make_rig(some_series(36, 40));
  const Contents good = Contents::of(rig->files, "block");
  {
    fs::FaultFs files;
    REQUIRE(Contents::unpack(good.pack()).write(files, "block"));
    const auto block = Block::open(files, "block");
    REQUIRE(block.ok());
    CHECK((*block)->verify([](const Error& error) { FAIL(error.message()); }) == 0);
  }
  const std::uint64_t seed = 4711;
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  std::size_t opened = 0;
  for (int round = 0; round < 1500; ++round) {
    CAPTURE(round);
    Contents bad = good;
    // Most of it goes to the index, and there to the end, where the small and decisive things are.
    for (std::uint64_t i = 0; i < 1 + random() % 3; ++i) {
      std::string& part = random() % 5 == 0 ? bad.data : bad.index;
      const std::size_t reach =
          random() % 2 == 0 ? std::min<std::size_t>(part.size(), 400) : part.size();
      const std::size_t at = part.size() - 1 - random() % (reach - 8);
      switch (random() % 4) {
        case 0:
          part[at] = static_cast<char>(random());
          break;
        case 1:
          part[at] = static_cast<char>(part[at] ^ 1 << (random() % 8));
          break;
        case 2:
          part[at] = static_cast<char>(0xff);
          break;
        default:
          part.erase(at, 1 + random() % 4);
          break;
      }
    }
    fs::FaultFs files;
    if (!bad.write(files, "block")) continue;
    const auto block = Block::open(files, "block");
    if (!block.ok()) continue;
    ++opened;
    read_everything(**block);
  }
  CHECK(opened > 300);
}

TEST_CASE("block writer: any failing step is an error, and stays one", "[storage][block]") {
  const auto series = some_series(37, 300);
  const int error = GENERATE(ENOSPC, EIO);
  std::uint64_t steps = 0;
  {
    fs::FaultFs files;
    REQUIRE(write_block(files, "block", series).ok());
    steps = files.steps();
  }
  REQUIRE(steps > 6);
  for (std::uint64_t step = 1; step <= steps; ++step) {
    CAPTURE(step, error);
    fs::FaultFs files;
    files.fail_step(step, error);
    const auto written = write_block(files, "block", series);
    REQUIRE(!written.ok());
    CHECK(written.error().code() == (error == ENOSPC ? ErrorCode::kLimitExceeded : ErrorCode::kIo));
  }
}

TEST_CASE("block writer: what finish() reported survives a power cut", "[storage][block]") {
  const auto series = some_series(38, 100);
  fs::FaultFs files;
  REQUIRE(write_block(files, "blocks/one", series).ok());
  files.reboot(fs::FaultFs::Keep::kNothing);
  const auto block = Block::open(files, "blocks/one");
  REQUIRE(block.ok());
  CHECK((*block)->series_count() == series.size());
  CHECK((*block)->verify([](const Error& error) { FAIL(error.message()); }) == 0);
}

TEST_CASE("block writer: does not write over what is there", "[storage][block]") {
  const auto rig = make_rig(some_series(39, 3));
  CHECK(Writer::create(rig->files, "block").error().code() == ErrorCode::kAlreadyExists);
}
