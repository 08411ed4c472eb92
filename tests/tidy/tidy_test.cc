// SPDX-License-Identifier: Apache-2.0
// The map of src/README.md, checked: who may include whom, what every file must begin with, and
// that every source is built.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace stdfs = std::filesystem;

const stdfs::path kSource = VARVE_SOURCE_DIR;

// The floors: a room may include rooms of lower floors, and itself. Inner rooms of storage,
// http and promql have floors of their own, counted within the room.
const std::map<std::string, int> kFloors{
    {"base", 0},      {"fs", 1},         {"model", 2},  {"storage", 3}, {"promql", 4},
    {"wire", 4},      {"template", 4},   {"http", 4},   {"scrape", 5},  {"rules", 5},
    {"discovery", 5}, {"dashboards", 5}, {"config", 6}, {"embed", 6},   {"api", 7},
    {"web", 7},       {"cli", 8},        {"server", 9}};
const std::map<std::string, int> kInnerFloors{
    {"storage/codec", 0}, {"storage/index", 0}, {"storage/wal", 0},
    {"storage/head", 1},  {"storage/block", 1}, {"http/server", 0},
    {"promql/parse", 0},  {"promql/value", 1},  {"promql/functions", 2},
    {"promql/eval", 3},   {"promql/cache", 4},  {"promql/test_language", 6}};
constexpr int kRoomItself = 5;  // files directly in storage/ or promql/ join their inner rooms

std::string read(const stdfs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

bool is_source(const stdfs::path& path) {
  return path.extension() == ".cc" || path.extension() == ".h";
}

std::vector<stdfs::path> sources_below(const std::string& folder) {
  std::vector<stdfs::path> found;
  for (const auto& entry : stdfs::recursive_directory_iterator(kSource / folder)) {
    if (entry.is_regular_file() && is_source(entry.path())) found.push_back(entry.path());
  }
  return found;
}

std::vector<std::string> includes_of(const std::string& text) {
  static const std::regex kInclude("(^|\n)#include \"([^\"]+)\"");
  std::vector<std::string> found;
  for (std::sregex_iterator at(text.begin(), text.end(), kInclude), end; at != end; ++at) {
    found.push_back((*at)[2]);
  }
  return found;
}

std::string first_parts(const std::string& path, int count) {
  std::size_t end = 0;
  for (int i = 0; i < count; ++i) {
    const std::size_t slash = path.find('/', end);
    if (slash == std::string::npos) return path.substr(0, end == 0 ? 0 : end - 1);
    end = slash + 1;
  }
  return path.substr(0, end - 1);
}

int inner_floor(const std::string& path) {
  const auto at = kInnerFloors.find(first_parts(path, 2));
  return at == kInnerFloors.end() ? kRoomItself : at->second;
}

}  // namespace

TEST_CASE("tidy: includes only point down the floors, and only at front doors", "[tidy]") {
  for (const stdfs::path& path : sources_below("src")) {
    const std::string name = stdfs::relative(path, kSource / "src").string();
    const std::string room = first_parts(name, 1);
    CAPTURE(name);
    REQUIRE(kFloors.contains(room));
    for (const std::string& include : includes_of(read(path))) {
      CAPTURE(include);
      const std::string target = first_parts(include, 1);
      if (target == "varve") continue;
      REQUIRE(kFloors.contains(target));
      if (target != room) {
        CHECK(kFloors.at(target) < kFloors.at(room));
        const bool front_door = std::count(include.begin(), include.end(), '/') == 1;
        CHECK(front_door);
        continue;
      }
      const std::string from = first_parts(name, 2);
      const std::string to = first_parts(include, 2);
      const bool to_contract = to == target;  // a front door of the room's own
      if (from != to && !to_contract && kInnerFloors.contains(to)) {
        CHECK(inner_floor(include) < inner_floor(name));
      }
    }
  }
}

TEST_CASE("tidy: the public headers include the standard library and themselves", "[tidy]") {
  for (const stdfs::path& path : sources_below("include")) {
    CAPTURE(path.string());
    for (const std::string& include : includes_of(read(path))) {
      CAPTURE(include);
      CHECK(include.starts_with("varve/"));
    }
  }
}

TEST_CASE("tidy: only http sees Asio and Beast, and its front door shows neither", "[tidy]") {
  for (const stdfs::path& path : sources_below("src")) {
    CAPTURE(path.string());
    const bool shows = read(path).find("#include <boost/") != std::string::npos;
    // They cost seconds per file: headers that show them are those of http/server alone.
    const stdfs::path http = kSource / "src" / "http";
    const bool inner = path.parent_path() == http / "server";
    const bool allowed = inner || (path.extension() == ".cc" && path.parent_path() == http);
    CHECK((!shows || allowed));
  }
}

TEST_CASE("tidy: every source begins with its licence", "[tidy]") {
  for (const std::string folder : {"src", "include", "tests", "bench"}) {
    for (const stdfs::path& path : sources_below(folder)) {
      CAPTURE(path.string());
      CHECK(read(path).starts_with("// SPDX-License-Identifier: Apache-2.0\n"));
      if (path.extension() == ".h") CHECK(read(path).find("#pragma once") != std::string::npos);
    }
  }
}

TEST_CASE("tidy: no line of a source is longer than 100 characters", "[tidy]") {
  // Those of tests may be: texts that must not be broken.
  for (const std::string folder : {"src", "include", "bench"}) {
    for (const stdfs::path& path : sources_below(folder)) {
      std::istringstream lines(read(path));
      int number = 0;
      for (std::string line; std::getline(lines, line);) {
        ++number;
        const auto characters = std::count_if(line.begin(), line.end(), [](char byte) {
          return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;  // not a later byte of UTF-8
        });
        if (characters <= 100) continue;
        FAIL_CHECK(path.string() << ":" << number << " has " << characters);
      }
    }
  }
}

TEST_CASE("tidy: every source file is built by some target", "[tidy]") {
  const std::string commands = read(stdfs::path(VARVE_BINARY_DIR) / "compile_commands.json");
  REQUIRE_FALSE(commands.empty());
  for (const std::string folder : {"src", "tests"}) {
    for (const stdfs::path& path : sources_below(folder)) {
      if (path.extension() != ".cc") continue;
      if (path.string().find("/consumer/") != std::string::npos) continue;  // a project of its own
      if (path.filename() == "catch_main.cc") continue;  // Catch2 3 brings its own
      CAPTURE(path.string());
      CHECK(commands.find('"' + path.string() + '"') != std::string::npos);
    }
  }
}

TEST_CASE("tidy: the top level holds what was agreed", "[tidy]") {
  const std::set<std::string> agreed{"CMakeLists.txt", "README.md", "LICENSE", "src",     "include",
                                     "tools",          "bench",     "tests",   "configs", "build",
                                     "data"};
  for (const auto& entry : stdfs::directory_iterator(kSource)) {
    const std::string name = entry.path().filename().string();
    CAPTURE(name);
    CHECK((name.starts_with('.') || agreed.contains(name)));
  }
}
