// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "discovery/read_groups.h"
#include "world.h"

using namespace varve;
using namespace varve::discovery;
using namespace std::chrono_literals;

namespace {

std::vector<Subscription> files_of(const World& world) {
  return {{"job", {FileOptions{{world.folder + "/*.json", world.folder + "/*.yml"}}}}};
}

}  // namespace

TEST_CASE("file discovery: JSON and YAML files become groups with the file's path", "[discovery]") {
  World world;
  world.write("a.json", R"([{"targets": ["a:1", "a:2"], "labels": {"x": "1"}}])");
  world.write("b.yml", "- targets: ['b:1']\n  labels: {y: two}\n- targets: [b:2]\n");
  world.write("c.txt", "no");
  world.manager->apply(files_of(world));
  world.settle();
  const std::string& dir = world.folder;
  CHECK(world.targets("job") ==
        std::vector<std::string>{
            R"({__address__="a:1", __meta_filepath=")" + dir + R"(/a.json", x="1"})",
            R"({__address__="a:2", __meta_filepath=")" + dir + R"(/a.json", x="1"})",
            R"({__address__="b:1", __meta_filepath=")" + dir + R"(/b.yml", y="two"})",
            R"({__address__="b:2", __meta_filepath=")" + dir + R"(/b.yml"})"});
  CHECK(world.metric(R"(prometheus_sd_discovered_targets{config="job",name="scrape"})") == "4");
}

TEST_CASE("file discovery: files that change, come and go are followed", "[discovery]") {
  World world;
  world.write("a.json", R"([{"targets": ["a:1"]}, {"targets": ["a:2"]}])");
  world.manager->apply(files_of(world));
  world.settle();
  REQUIRE(world.targets("job").size() == 2);
  world.write("a.json", R"([{"targets": ["a:9"]}])");
  world.write("b.yml", "- targets: ['b:1']\n");
  world.pass(5s);
  REQUIRE(world.targets("job").size() == 2);
  CHECK(world.targets("job")[0].find("a:9") != std::string::npos);
  CHECK(world.targets("job")[1].find("b:1") != std::string::npos);
  std::filesystem::remove(world.folder + "/a.json");
  world.pass(5s);
  CHECK(world.targets("job").size() == 1);
}

TEST_CASE("file discovery: a broken file keeps its last good targets and is said once",
          "[discovery]") {
  World world;
  world.write("a.json", R"([{"targets": ["a:1"]}])");
  world.manager->apply(files_of(world));
  world.settle();
  const std::string broken = GENERATE(
      "[{\"targets\": bro", "{}", R"([{"targets": [1]}])", R"([{"target": ["a:1"]}])", "[null]",
      R"([{"targets": ["a:1"], "labels": {"": "x"}}])", R"([{"labels": {"x": 1}}])");
  CAPTURE(broken);
  world.write("a.json", broken);
  for (int i = 0; i < 3; ++i) world.pass(5s);
  CHECK(world.targets("job").size() == 1);
  CHECK(world.lines.size() == 1);
  CHECK(world.metric("prometheus_sd_file_read_errors_total") == "1");
  world.write("a.json", R"([{"targets": ["a:7"]}])");
  world.pass(5s);
  REQUIRE(world.targets("job").size() == 1);
  CHECK(world.targets("job")[0].find("a:7") != std::string::npos);
}

TEST_CASE("target groups in JSON: null means none", "[discovery]") {
  CHECK(read_json_groups("null")->empty());
  const auto groups = read_json_groups(R"([{"targets": null, "labels": null}])");
  REQUIRE(groups.ok());
  CHECK((*groups)[0].targets.empty());
}

TEST_CASE("target groups in JSON: depth is bounded", "[discovery]") {
  CHECK_FALSE(read_json_groups(std::string(1'000'000, '[')).ok());
}
