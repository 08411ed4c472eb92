// SPDX-License-Identifier: Apache-2.0
#include "fs/forgetful.h"
#include "fs/real_fs.h"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>

using namespace varve;
using namespace varve::fs;

namespace {

struct TemporaryDirectory {
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "varve-fs-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path = pattern;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string path;
};

}  // namespace

TEST_CASE("real fs: gathered writes land one after the other, zeroing keeps the size", "[fs]") {
  TemporaryDirectory temporary;
  RealFs files;
  const std::string path = join(temporary.path, "a");
  auto file = files.open(path, OpenMode::kCreate).value();
  REQUIRE(file->fill_zero(3 << 20).ok());
  std::vector<std::string> texts;
  std::string expected;
  for (int i = 0; i < 200; ++i) {
    texts.push_back(std::string(static_cast<std::size_t>(i), static_cast<char>('a' + i % 26)));
    expected += texts.back();
  }
  const std::vector<std::string_view> parts(texts.begin(), texts.end());
  REQUIRE(file->write_at(100, parts).ok());
  REQUIRE(file->sync_data().ok());
  REQUIRE(*file->size() == 3 << 20);
  auto mapped = files.map(path).value();
  CHECK(mapped->bytes().substr(100, expected.size()) == expected);
  CHECK(mapped->bytes().find_first_not_of('\0', 100 + expected.size()) == std::string_view::npos);
  const auto* const pages = dynamic_cast<const Forgetful*>(mapped.get());
  REQUIRE(pages != nullptr);
  pages->forget(1, 3 << 20);  // whatever is forgotten is read as before
  CHECK(mapped->bytes().substr(100, expected.size()) == expected);
  REQUIRE(file->append("end").ok());
  CHECK(*files.size(path) == (3 << 20) + 3);
  std::string tail(10, 'x');
  CHECK(*file->read_at((3 << 20) - 1, tail) == 4);
}

TEST_CASE("real fs: errors name the file and the reason", "[fs]") {
  TemporaryDirectory temporary;
  RealFs files;
  const std::string missing = join(temporary.path, "missing");
  const auto opened = files.open(missing, OpenMode::kExisting);
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.error().code() == ErrorCode::kNotFound);
  CHECK(opened.error().message() == missing + ": open: No such file or directory");
  CHECK(files.map(missing).error().code() == ErrorCode::kNotFound);
  CHECK(files.remove(missing).error().code() == ErrorCode::kNotFound);
  REQUIRE(files.write_file_atomically(missing, "now there").ok());
  CHECK(files.open(missing, OpenMode::kCreate).error().code() == ErrorCode::kAlreadyExists);
  CHECK(files.read_file(missing, 4).error().code() == ErrorCode::kLimitExceeded);
  CHECK(*files.read_file(missing, 100) == "now there");
  CHECK_FALSE(files.create_directories(missing).ok());
}

TEST_CASE("real fs: folders are made with their parents and listed in order", "[fs]") {
  TemporaryDirectory temporary;
  RealFs files;
  const std::string deep = join(temporary.path, "x/y/z");
  REQUIRE(files.create_directories(deep).ok());
  REQUIRE(files.create_directories(deep).ok());
  for (const char* name : {"b", "a", "c"}) {
    REQUIRE(files.write_file_atomically(join(deep, name), name).ok());
  }
  CHECK(*files.list(deep) == std::vector<std::string>{"a", "b", "c"});
  CHECK_FALSE(files.remove_directory(deep).ok());
  CHECK(*files.exists(deep));
  CHECK_FALSE(*files.exists(join(deep, "d")));
  CHECK(*files.free_bytes(deep) > 0);
}

TEST_CASE("real fs: a link keeps the content when the first name goes", "[fs]") {
  TemporaryDirectory temporary;
  RealFs files;
  const std::string first = join(temporary.path, "a");
  const std::string second = join(temporary.path, "b");
  REQUIRE(files.write_file_atomically(first, "x").ok());
  REQUIRE(files.link(first, second).ok());
  CHECK(files.link(first, second).error().code() == ErrorCode::kAlreadyExists);
  REQUIRE(files.remove(first).ok());
  CHECK(files.read_file(second, 10).value() == "x");
}

TEST_CASE("real fs: a second holder of the lock is told the pid of the first", "[fs]") {
  TemporaryDirectory temporary;
  RealFs files;
  auto lock = files.lock_directory(temporary.path);
  REQUIRE(lock.ok());
  const auto second = files.lock_directory(temporary.path);
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().code() == ErrorCode::kUnavailable);
  CHECK(second.error().message() ==
        join(temporary.path, "lock") + ": held by process " + std::to_string(::getpid()));
  lock.value().reset();
  CHECK(files.lock_directory(temporary.path).ok());
}
