// SPDX-License-Identifier: Apache-2.0
#include "fs/fault_fs.h"

#include <catch2/catch.hpp>
#include <cerrno>

using namespace varve;
using namespace varve::fs;

namespace {

std::string content(FaultFs& files, const std::string& path) {
  auto bytes = files.read_file(path, 1 << 20);
  return bytes.ok() ? *bytes : "error: " + bytes.error().message();
}

}  // namespace

TEST_CASE("fault fs: a power cut keeps what was synced and nothing else", "[fs]") {
  FaultFs files;
  REQUIRE(files.create_directories("d").ok());
  auto file = files.open("d/a", OpenMode::kCreate).value();
  REQUIRE(file->append("synced ").ok());
  REQUIRE(file->sync_data().ok());
  REQUIRE(files.sync_directory("d").ok());
  REQUIRE(file->append("not synced").ok());
  auto nameless = files.open("d/b", OpenMode::kCreate).value();
  REQUIRE(nameless->append("b").ok());
  REQUIRE(nameless->sync_data().ok());

  SECTION("nothing unsynced survives") {
    files.reboot(FaultFs::Keep::kNothing);
    CHECK(content(files, "d/a") == "synced ");
    CHECK_FALSE(*files.exists("d/b"));
    CHECK(file->append("x").error().code() == ErrorCode::kIo);
  }
  SECTION("a killed process loses nothing") {
    files.reboot(FaultFs::Keep::kEverything);
    CHECK(content(files, "d/a") == "synced not synced");
    CHECK(content(files, "d/b") == "b");
  }
}

TEST_CASE("fault fs: a rename counts after its folder was synced", "[fs]") {
  FaultFs files;
  REQUIRE(files.create_directories("d").ok());
  REQUIRE(files.write_file_atomically("d/a", "old").ok());
  auto staged = files.open("d/a.new", OpenMode::kCreate).value();
  REQUIRE(staged->append("new").ok());
  REQUIRE(staged->sync_data().ok());
  REQUIRE(files.rename("d/a.new", "d/a").ok());
  CHECK(content(files, "d/a") == "new");
  const bool synced = GENERATE(false, true);
  if (synced) REQUIRE(files.sync_directory("d").ok());
  files.reboot(FaultFs::Keep::kNothing);
  CHECK(content(files, "d/a") == (synced ? "new" : "old"));
}

TEST_CASE("fault fs: an atomic write is all or nothing at every cut", "[fs]") {
  const auto keep = GENERATE(FaultFs::Keep::kNothing, FaultFs::Keep::kRandom);
  std::uint64_t steps = 0;
  for (std::uint64_t cut = 0; cut <= steps; ++cut) {
    CAPTURE(cut);
    FaultFs files;
    REQUIRE(files.create_directories("d").ok());
    REQUIRE(files.write_file_atomically("d/a", std::string(2000, 'o')).ok());
    const std::uint64_t before = files.steps();
    if (cut > 0) files.cut_power_at(before + cut);
    const bool done = files.write_file_atomically("d/a", std::string(3000, 'n')).ok();
    if (cut == 0) steps = files.steps() - before;
    files.reboot(keep, cut);
    const std::string got = content(files, "d/a");
    if (done) {
      CHECK(got == std::string(3000, 'n'));
    } else {
      CHECK((got == std::string(2000, 'o') || got == std::string(3000, 'n')));
    }
  }
  CHECK(steps >= 4);
}

TEST_CASE("fault fs: a renamed folder takes its files along, at a power cut too", "[fs]") {
  const bool synced = GENERATE(false, true);
  FaultFs files;
  REQUIRE(files.create_directories("p/d.tmp").ok());
  REQUIRE(files.write_file_atomically("p/d.tmp/a", "x").ok());
  REQUIRE(files.rename("p/d.tmp", "p/d").ok());
  CHECK(content(files, "p/d/a") == "x");
  if (synced) REQUIRE(files.sync_directory("p").ok());
  files.reboot(FaultFs::Keep::kNothing);
  CHECK(*files.list("p") == std::vector<std::string>{synced ? "d" : "d.tmp"});
  CHECK(content(files, synced ? "p/d/a" : "p/d.tmp/a") == "x");
}

TEST_CASE("fault fs: a link shares the content and outlives the first name", "[fs]") {
  FaultFs files;
  REQUIRE(files.write_file_atomically("a", "x").ok());
  REQUIRE(files.link("a", "b").ok());
  CHECK(files.link("a", "b").error().code() == ErrorCode::kAlreadyExists);
  REQUIRE(files.remove("a").ok());
  REQUIRE(files.sync_directory(".").ok());
  files.reboot(FaultFs::Keep::kNothing);
  CHECK_FALSE(*files.exists("a"));
  CHECK(content(files, "b") == "x");
}

TEST_CASE("fault fs: a failing sync drops what was dirty, for good", "[fs]") {
  FaultFs files;
  auto file = files.open("a", OpenMode::kCreate).value();
  REQUIRE(files.sync_directory(".").ok());
  REQUIRE(file->append("lost").ok());
  files.fail_step(files.steps() + 1, EIO);
  const Status failed = file->sync_data();
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().message() == "a: fdatasync: Input/output error");
  CHECK(file->sync_data().ok());
  files.reboot(FaultFs::Keep::kNothing);
  CHECK(content(files, "a").empty());
}

TEST_CASE("fault fs: a full disk refuses and takes again", "[fs]") {
  FaultFs files;
  auto file = files.open("a", OpenMode::kCreate).value();
  files.fill_disk_at(files.steps() + 1);
  const Status full = file->append("12345678");
  REQUIRE_FALSE(full.ok());
  CHECK(full.error().code() == ErrorCode::kLimitExceeded);
  CHECK(files.open("b", OpenMode::kCreate).error().code() == ErrorCode::kLimitExceeded);
  files.make_space();
  CHECK(file->write_at(0, "12345678").ok());
  CHECK(content(files, "a") == "12345678");
}

TEST_CASE("fault fs: one lock at a time, free after a reboot", "[fs]") {
  FaultFs files;
  auto lock = files.lock_directory(".");
  REQUIRE(lock.ok());
  CHECK(files.lock_directory(".").error().code() == ErrorCode::kUnavailable);
  files.reboot(FaultFs::Keep::kNothing);
  CHECK(files.lock_directory(".").ok());
}
