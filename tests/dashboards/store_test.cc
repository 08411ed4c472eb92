// SPDX-License-Identifier: Apache-2.0
#include "dashboards/store.h"

#include <catch2/catch.hpp>
#include <cerrno>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "fs/fault_fs.h"

namespace varve::dashboards {
namespace {

struct World {
  std::unique_ptr<Store> open() {
    auto store = Store::open(files, "data/dashboards", clock, log);
    if (!store.ok()) FAIL(store.error().message());
    return std::move(store).value();
  }
  fs::FaultFs files;
  base::FakeClock clock{1'790'000'000'000};
  std::string log_text;
  base::Logger log{base::LogLevel::kError, base::LogFormat::kLogfmt, clock,
                   [this](std::string_view line) { log_text += line; }};
};

std::string versioned(std::uint64_t version, const std::string& title) {
  return R"({"title":")" + title + R"(","version":)" + std::to_string(version) + "}";
}

TEST_CASE("dashboards: every version is kept, across a restart", "[dashboards]") {
  World world;
  {
    const auto store = world.open();
    const Document made = store->create(R"({"title":"My Node","tags":["a","b"]})").value();
    CHECK(made.version == 1);
    CHECK(made.json == R"({"id":"my-node","tags":["a","b"],"title":"My Node","version":1})");
    CHECK(store->update("my-node", versioned(1, "Two")).value().version == 2);
    CHECK(store->create(R"({"title":"My node!"})").value().json.find("my-node-") !=
          std::string::npos);
  }
  const auto store = world.open();
  CHECK(store->list().size() == 2);
  CHECK(store->versions("my-node").value() == std::vector<std::uint64_t>{1, 2});
  CHECK(store->get("my-node").value().json == R"({"id":"my-node","title":"Two","version":2})");
  CHECK(store->get("my-node", 1).value().json.find("My Node") != std::string::npos);
  CHECK(store->get("my-node", 3).error().code() == ErrorCode::kNotFound);
  CHECK(store->get("../wal").error().code() == ErrorCode::kNotFound);
}

TEST_CASE("dashboards: a change to an old version is refused", "[dashboards]") {
  World world;
  const auto store = world.open();
  REQUIRE(store->create(R"({"title":"x"})").ok());
  REQUIRE(store->update("x", versioned(1, "mine")).ok());
  const auto late = store->update("x", versioned(1, "theirs"));
  REQUIRE_FALSE(late.ok());
  CHECK(late.error().code() == ErrorCode::kAlreadyExists);
  CHECK(late.error().message() == "dashboard x is at version 2, this change was made to version 1");
}

TEST_CASE("dashboards: deleted ones are gone, their versions stay on disk", "[dashboards]") {
  World world;
  {
    const auto store = world.open();
    REQUIRE(store->create(R"({"title":"x"})").ok());
    REQUIRE(store->remove("x").ok());
    CHECK(store->list().empty());
    CHECK(store->get("x").error().code() == ErrorCode::kNotFound);
    CHECK(store->remove("x").error().code() == ErrorCode::kNotFound);
  }
  CHECK(world.open()->list().empty());
  CHECK(world.files.exists("data/dashboards/x/00000001.json").value());
}

TEST_CASE("dashboards: what is no dashboard is refused with the reason", "[dashboards]") {
  World world;
  const auto store = world.open();
  const auto message = [&](const std::string& text) {
    return store->create(text).error().message();
  };
  CHECK(message("{").find("not JSON") != std::string::npos);
  CHECK(message("[]") == "a dashboard is a JSON object");
  CHECK(message(R"({"title":""})") == "the dashboard has no title");
  CHECK(message(R"({"title":"x","a":)" + std::string(100'000, '[')).find("deep") !=
        std::string::npos);
  CHECK(message(std::string(kDocumentBytesMax + 1, ' ')).find("bytes") != std::string::npos);
  CHECK(store->list().empty());
}

TEST_CASE("dashboards: files of a folder are shown, and cannot be changed", "[dashboards]") {
  World world;
  REQUIRE(world.files.create_directories("given").ok());
  REQUIRE(world.files.write_file_atomically("given/node.json", R"({"title":"Node"})").ok());
  REQUIRE(world.files.write_file_atomically("given/broken.json", "{").ok());
  const auto store = world.open();
  const std::vector<std::string> folders{"given", "missing"};
  store->provision(folders);
  REQUIRE(store->list().size() == 1);
  CHECK(store->list().front().provisioned);
  CHECK(store->get("node").ok());
  CHECK(store->update("node", versioned(1, "x")).error().code() == ErrorCode::kInvalidArgument);
  CHECK(store->remove("node").error().code() == ErrorCode::kInvalidArgument);
  CHECK(world.log_text.find("given/broken.json") != std::string::npos);
}

TEST_CASE("dashboards: a damaged version is left out, the one before it counts", "[dashboards]") {
  World world;
  {
    const auto store = world.open();
    REQUIRE(store->create(R"({"title":"x"})").ok());
    REQUIRE(store->update("x", versioned(1, "second")).ok());
  }
  world.files.flip_bit("data/dashboards/x/00000002.json", 50, 3);
  const auto store = world.open();
  CHECK(store->get("x").value().version == 1);
  CHECK(world.log_text.find("00000002.json") != std::string::npos);
}

TEST_CASE("dashboards: an answered change survives a power cut at every step", "[dashboards]") {
  std::uint64_t steps = 0;
  {
    World world;
    const auto store = world.open();
    REQUIRE(store->create(R"({"title":"x"})").ok());
    REQUIRE(store->update("x", versioned(1, "second")).ok());
    steps = world.files.steps();
  }
  for (std::uint64_t step = 1; step <= steps + 1; ++step) {
    for (const auto keep : {fs::FaultFs::Keep::kNothing, fs::FaultFs::Keep::kEverything,
                            fs::FaultFs::Keep::kRandom}) {
      CAPTURE(step);
      World world;
      std::uint64_t answered = 0;
      {
        const auto store = world.open();
        world.files.cut_power_at(step);
        if (store->create(R"({"title":"x"})").ok()) answered = 1;
        if (answered == 1 && store->update("x", versioned(1, "second")).ok()) answered = 2;
      }
      world.files.reboot(keep, step);
      const auto store = world.open();
      const auto kept = store->get("x");
      REQUIRE((answered == 0 || kept.ok()));
      if (kept.ok()) CHECK(kept->version >= answered);
      CHECK(world.log_text.empty());
    }
  }
}

TEST_CASE("dashboards: a full disk refuses the change and keeps what is there", "[dashboards]") {
  World world;
  const auto store = world.open();
  REQUIRE(store->create(R"({"title":"x"})").ok());
  world.files.fill_disk_at(world.files.steps() + 1);
  CHECK(store->update("x", versioned(1, "second")).error().code() == ErrorCode::kLimitExceeded);
  world.files.make_space();
  CHECK(store->get("x").value().version == 1);
  CHECK(store->update("x", versioned(1, "second")).ok());
}

}  // namespace
}  // namespace varve::dashboards
