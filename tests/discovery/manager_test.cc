// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "world.h"

using namespace varve;
using namespace varve::discovery;
using namespace std::chrono_literals;

namespace {

HttpOptions at(const std::string& url) { return {url, 30s, {}}; }
http::ClientResponse one(const std::string& address) {
  return FakeClient::response(R"([{"targets": [")" + address + R"("]}])");
}

}  // namespace

TEST_CASE("discovery manager: equal sources of two jobs are asked once", "[discovery]") {
  World world;
  world.client.answer("http://a", one("a:1"));
  world.manager->apply({{"x", {at("http://a")}}, {"y", {at("http://a")}}});
  world.settle();
  CHECK(world.client.requests.size() == 1);
  CHECK(world.targets("x").size() == 1);
  CHECK(world.targets("y").size() == 1);
}

TEST_CASE("discovery manager: a reload leaves unchanged sources alone", "[discovery]") {
  World world;
  world.client.answer("http://a", one("a:1"));
  world.client.answer("http://b", one("b:1"));
  world.manager->apply({{"x", {at("http://a")}}});
  world.settle();
  world.manager->apply({{"x", {at("http://a"), at("http://b")}}, {"z", {at("http://a")}}});
  world.settle();
  CHECK(world.client.requests.size() == 2);
  CHECK(world.targets("x").size() == 2);
  CHECK(world.targets("z").size() == 1);
}

TEST_CASE("discovery manager: what a source had found goes with it", "[discovery]") {
  World world;
  world.client.answer("http://a", one("a:1"));
  world.client.answer("http://b", one("b:1"));
  world.manager->apply({{"x", {at("http://a"), at("http://b")}}});
  world.settle();
  world.manager->apply({{"x", {at("http://b")}}});
  CHECK(world.targets("x") ==
        std::vector<std::string>{R"({__address__="b:1", __meta_url="http://b"})"});
  world.manager->apply({{"x", {}}});
  CHECK(world.targets("x").empty());
}

TEST_CASE("discovery manager: an answer that comes after its source has gone is dropped",
          "[discovery]") {
  World world;
  world.manager->apply({{"x", {at("http://a")}}});
  world.settle();
  REQUIRE(world.client.open.size() == 1);
  world.manager->apply({{"x", {}}});
  world.client.finish("http://a", one("a:1"));
  world.settle();
  CHECK(world.targets("x").empty());
}

TEST_CASE("discovery manager: positions that shift lose what others had found", "[discovery]") {
  World world(ManagerOptions{.name = "notify", .positional = true});
  world.client.answer("http://a", one("a:1"));
  world.client.answer("http://b", one("b:1"));
  world.manager->apply({{"config-0", {at("http://a")}}, {"config-1", {at("http://b")}}});
  world.settle();
  world.told["config-0"] = world.told["config-1"];  // as a subscriber that moves up keeps its own
  world.manager->apply({{"config-0", {at("http://a")}}});
  CHECK(world.targets("config-0") ==
        std::vector<std::string>{R"({__address__="a:1", __meta_url="http://a"})"});
}

TEST_CASE("discovery manager: updates in quick succession are delivered together", "[discovery]") {
  World world;
  world.manager->apply({{"x", {at("http://a"), at("http://b"), at("http://c")}}});
  world.settle();
  world.client.finish("http://a", one("a:1"));
  world.settle();
  CHECK(world.targets("x").size() == 1);
  world.client.finish("http://b", one("b:1"));
  world.settle();
  world.client.finish("http://c", one("c:1"));
  world.settle();
  CHECK(world.targets("x").size() == 1);
  world.pass(1s);
  CHECK(world.targets("x").size() == 3);
  CHECK(world.deliveries == 2);
}

TEST_CASE("discovery manager: its own thread works", "[discovery]") {
  World world;
  world.client.answer("http://a", one("a:1"));
  world.manager->start();
  world.manager->apply({{"x", {at("http://a")}}});
  const auto until = std::chrono::steady_clock::now() + 60s;
  while (world.metric(R"(prometheus_sd_discovered_targets{config="x",name="scrape"})") != "1" &&
         std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(5ms);
  }
  world.manager->stop();
  CHECK(world.targets("x").size() == 1);
}

TEST_CASE("discovery manager: two sources of one kind are one line in metrics", "[discovery]") {
  World world;
  world.client.answer("http://a", one("a:1"));
  world.client.answer("http://b", one("b:1"));
  world.manager->apply({{"x", {at("http://a"), at("http://b")}}});
  world.settle();
  const std::string name =
      R"(prometheus_sd_refresh_duration_seconds_count{config="x",mechanism="http"})";
  CHECK(world.metric(name) == "2");
  const std::string text = world.metrics.render();
  CHECK(text.find(name) == text.rfind(name));
  world.manager->apply({});
  CHECK(world.metric(name).empty());
}

TEST_CASE("discovery manager: what is under way with a source is cancelled with it",
          "[discovery]") {
  World world;
  world.manager->apply({{"x", {at("http://a")}}});
  world.settle();
  const http::ClientRequest* const open = world.client.open_request("http://a");
  REQUIRE(open != nullptr);
  CHECK_FALSE(open->cancel.stop_requested());
  world.manager->apply({});
  CHECK(open->cancel.stop_requested());
}
