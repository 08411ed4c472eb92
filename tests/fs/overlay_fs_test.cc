// SPDX-License-Identifier: Apache-2.0
#include "fs/overlay_fs.h"

#include <catch2/catch.hpp>

#include "fs/fault_fs.h"

using namespace varve;
using namespace varve::fs;

namespace {

// A lower file system with some files, and how it looked.
struct Rig {
  FaultFs lower;
  std::uint64_t steps = 0;

  Rig() {
    if (!lower.create_directories("data/dir").ok()) FAIL("mkdir");
    for (const char* path : {"data/a", "data/dir/b", "data/dir/c"}) {
      if (!lower.write_file_atomically(path, path).ok()) FAIL(path);
    }
    steps = lower.steps();
  }
};

std::string content(FileSystem& files, const std::string& path) {
  return files.read_file(path, 1000).value();
}

}  // namespace

TEST_CASE("overlay: what is changed is seen there, and nothing happens below", "[fs]") {
  Rig rig;
  OverlayFs files(rig.lower);
  CHECK(content(files, "data/a") == "data/a");
  REQUIRE(files.write_file_atomically("data/a", "new").ok());
  CHECK(content(files, "data/a") == "new");
  CHECK(files.map("data/a").value()->bytes() == "new");
  REQUIRE(files.write_file_atomically("data/new", "x").ok());
  CHECK(files.size("data/new").value() == 1);
  REQUIRE(files.remove("data/dir/b").ok());
  CHECK(!files.exists("data/dir/b").value());
  CHECK(files.open_read("data/dir/b").error().code() == ErrorCode::kNotFound);
  CHECK(files.remove("data/dir/b").error().code() == ErrorCode::kNotFound);
  CHECK(files.list("data").value() == std::vector<std::string>{"a", "dir", "new"});
  CHECK(files.list("data/dir").value() == std::vector<std::string>{"c"});
  REQUIRE(files.create_directories("data/more/and/more").ok());
  CHECK(files.list("data/more").value() == std::vector<std::string>{"and"});
  CHECK(files.list("nowhere").error().code() == ErrorCode::kNotFound);
  {
    const auto file = files.open("data/dir/c", OpenMode::kExisting).value();
    REQUIRE(file->append("!").ok());
    REQUIRE(file->write_at(0, "DATA").ok());
    REQUIRE(file->sync_data().ok());
  }
  CHECK(content(files, "data/dir/c") == "DATA/dir/c!");
  CHECK(files.open("data/dir/c", OpenMode::kCreate).error().code() == ErrorCode::kAlreadyExists);

  CHECK(rig.lower.steps() == rig.steps);
  CHECK(content(rig.lower, "data/a") == "data/a");
  CHECK(content(rig.lower, "data/dir/b") == "data/dir/b");
}

TEST_CASE("overlay: folders are renamed with what is in them", "[fs]") {
  Rig rig;
  OverlayFs files(rig.lower);
  REQUIRE(files.write_file_atomically("data/dir/own", "1").ok());
  REQUIRE(files.remove("data/dir/c").ok());
  REQUIRE(files.rename("data/dir", "data/moved").ok());
  CHECK(files.list("data").value() == std::vector<std::string>{"a", "moved"});
  CHECK(files.list("data/moved").value() == std::vector<std::string>{"b", "own"});
  CHECK(content(files, "data/moved/b") == "data/dir/b");
  CHECK(content(files, "data/moved/own") == "1");
  CHECK(!files.exists("data/dir/b").value());
  REQUIRE(files.link("data/moved/b", "data/linked").ok());
  CHECK(content(files, "data/linked") == "data/dir/b");
  REQUIRE(files.remove("data/moved/b").ok());
  CHECK(content(files, "data/linked") == "data/dir/b");
  CHECK(rig.lower.steps() == rig.steps);
}

TEST_CASE("overlay: zeros behind what was written", "[fs]") {
  Rig rig;
  OverlayFs files(rig.lower);
  const auto file = files.open("data/log", OpenMode::kCreate).value();
  REQUIRE(file->fill_zero(1000).ok());
  REQUIRE(file->write_at(10, "abc").ok());
  std::string bytes(20, 'x');
  REQUIRE(file->read_at(5, bytes).value() == 20);
  CHECK(bytes == std::string(5, '\0') + "abc" + std::string(12, '\0'));
  CHECK(file->read_at(990, bytes).value() == 10);
  CHECK(files.map("data/log").value()->bytes().size() == 1000);
  REQUIRE(file->append("end").ok());
  CHECK(files.size("data/log").value() == 1003);
  REQUIRE(file->truncate(11).ok());
  CHECK(files.read_file("data/log", 100).value() == std::string(10, '\0') + "a");
}
