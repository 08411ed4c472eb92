// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "world.h"

using namespace varve;
using namespace varve::discovery;
using namespace std::chrono_literals;

namespace {

const std::string kCommon = "wait=120000ms&dc=dc1&stale=";

std::string catalog(const std::string& index) {
  return "http://localhost:8500/v1/catalog/services?" + kCommon + "&index=" + index;
}
std::string health(const std::string& service, const std::string& index) {
  return "http://localhost:8500/v1/health/service/" + service + "?" + kCommon + "&index=" + index;
}
http::ClientResponse indexed(std::string body, std::string index) {
  http::ClientResponse out = FakeClient::response(std::move(body));
  out.answer_header = std::move(index);
  return out;
}

constexpr const char* kWeb = R"([{
  "Node": {"Node": "n1", "Address": "10.0.0.1", "Datacenter": "dc1",
           "TaggedAddresses": {"lan": "10.0.0.1"}, "Meta": {"rack-id": "r1"}},
  "Service": {"ID": "web-1", "Service": "web", "Tags": ["a", "b"], "Address": "10.1.0.1",
              "Port": 80, "Meta": {"v": "2"}},
  "Checks": [{"CheckID": "x", "Status": "passing"}, {"CheckID": "y", "Status": "warning"}]}])";

ConsulOptions in_dc1() {
  ConsulOptions options;
  options.datacenter = "dc1";
  return options;
}

}  // namespace

TEST_CASE("consul discovery: services of the catalog become targets with all labels",
          "[discovery]") {
  World world;
  world.client.answer("http://localhost:8500/v1/agent/self",
                      FakeClient::response(R"({"Config": {"Datacenter": "dc1"}})"));
  world.manager->apply({{"job", {ConsulOptions{}}}});
  world.settle();
  REQUIRE(world.client.finish(catalog("0"), indexed(R"({"web": ["a", "b"]})", "7")));
  world.settle();
  REQUIRE(world.client.finish(health("web", "0"), indexed(kWeb, "9")));
  world.settle();
  CHECK(world.targets("job") ==
        std::vector<std::string>{
            R"({__address__="10.1.0.1:80", __meta_consul_address="10.0.0.1", )"
            R"(__meta_consul_dc="dc1", __meta_consul_health="warning", )"
            R"(__meta_consul_metadata_rack_id="r1", __meta_consul_node="n1", )"
            R"(__meta_consul_service="web", __meta_consul_service_address="10.1.0.1", )"
            R"(__meta_consul_service_id="web-1", __meta_consul_service_metadata_v="2", )"
            R"(__meta_consul_service_port="80", __meta_consul_tagged_address_lan="10.0.0.1", )"
            R"(__meta_consul_tags=",a,b,"})"});
  world.pass(30s);
  CHECK(world.client.open_request(catalog("7")) != nullptr);
  CHECK(world.client.open_request(health("web", "9")) != nullptr);
}

TEST_CASE("consul discovery: a service that leaves the catalog takes its targets along",
          "[discovery]") {
  World world;
  world.manager->apply({{"job", {in_dc1()}}});
  world.settle();
  world.client.finish(catalog("0"), indexed(R"({"web": []})", "7"));
  world.settle();
  world.client.finish(health("web", "0"), indexed(kWeb, "9"));
  world.pass(30s);
  REQUIRE(world.targets("job").size() == 1);
  world.client.finish(catalog("7"), indexed("{}", "8"));
  world.pass(1s);
  CHECK(world.targets("job").empty());
  // The question that was open is not asked again.
  world.client.finish(health("web", "9"), indexed(kWeb, "10"));
  world.pass(60s);
  CHECK(world.targets("job").empty());
  CHECK(world.client.open_request(health("web", "10")) == nullptr);
}

TEST_CASE("consul discovery: an error keeps the targets and is asked again", "[discovery]") {
  World world;
  ConsulOptions options = in_dc1();
  options.services = {"web"};
  options.token = "t";
  world.manager->apply({{"job", {options}}});
  world.settle();
  REQUIRE(world.client.requests[0].headers[0] ==
          std::pair<std::string, std::string>("X-Consul-Token", "t"));
  world.client.finish(health("web", "0"), indexed(kWeb, "9"));
  world.pass(30s);
  world.client.finish(health("web", "9"), FakeClient::response("no", 500));
  world.settle();
  world.pass(15s);
  CHECK(world.targets("job").size() == 1);
  CHECK(world.metric("prometheus_sd_consul_rpc_failures_total") == "1");
  CHECK(world.client.open_request(health("web", "0")) != nullptr);
}

TEST_CASE("consul discovery: only services with all tags are asked for", "[discovery]") {
  World world;
  ConsulOptions options = in_dc1();
  options.tags = {"a"};
  world.manager->apply({{"job", {options}}});
  world.settle();
  world.client.finish(catalog("0"), indexed(R"({"x": ["b"], "y": ["a", "b"]})", "7"));
  world.settle();
  REQUIRE(world.client.open.size() == 1);
  CHECK(world.client.open[0].request.url.find("/health/service/y?") != std::string::npos);
  CHECK(world.client.open[0].request.url.find("&tag=a") != std::string::npos);
}

TEST_CASE("consul discovery: a service that leaves the catalog has its question cancelled",
          "[discovery]") {
  World world;
  ConsulOptions options = in_dc1();
  options.health_filter = "Service.Port == 80";
  world.manager->apply({{"job", {options}}});
  world.settle();
  world.client.finish(catalog("0"), indexed(R"({"web": []})", "7"));
  world.pass(30s);
  const std::string url = "http://localhost:8500/v1/health/service/web?" + kCommon +
                          "&filter=Service.Port%20%3D%3D%2080&index=0";
  REQUIRE(world.client.open_request(url) != nullptr);
  const std::stop_token web = world.client.open_request(url)->cancel;
  const std::stop_token all = world.client.open_request(catalog("7"))->cancel;
  world.client.finish(catalog("7"), indexed("{}", "8"));
  world.pass(1s);
  CHECK(web.stop_requested());
  CHECK_FALSE(all.stop_requested());
  world.pass(30s);
  const std::stop_token again = world.client.open_request(catalog("8"))->cancel;
  world.manager->apply({});
  CHECK(again.stop_requested());
}
