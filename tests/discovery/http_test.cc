// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "world.h"

using namespace varve;
using namespace varve::discovery;
using namespace std::chrono_literals;

namespace {

constexpr const char* kUrl = "http://sd/targets";

std::vector<Subscription> http_of(http::ClientOptions client = {}) {
  return {{"job", {HttpOptions{kUrl, 30s, std::move(client)}}}};
}

}  // namespace

TEST_CASE("http discovery: asks each interval and follows the answer", "[discovery]") {
  World world;
  http::ClientOptions auth;
  auth.basic_auth = http::BasicAuthOptions{"user", "", {"pass", ""}};
  world.client.answer(kUrl, FakeClient::response(R"([{"targets": ["a:1"], "labels": {"x": "1"}},
                                                    {"targets": ["b:1"]}])"));
  world.manager->apply(http_of(auth));
  world.settle();
  CHECK(world.targets("job") ==
        std::vector<std::string>{R"({__address__="a:1", __meta_url="http://sd/targets", x="1"})",
                                 R"({__address__="b:1", __meta_url="http://sd/targets"})"});
  REQUIRE(world.client.requests.size() == 1);
  const http::ClientRequest& request = world.client.requests[0];
  CHECK(request.options->basic_auth->username == "user");
  bool interval = false;
  for (const auto& [name, value] : request.headers) {
    if (name == "X-Prometheus-Refresh-Interval-Seconds") interval = value == "30";
  }
  CHECK(interval);

  world.client.answer(kUrl, FakeClient::response("[]"));
  world.pass(29s);
  CHECK(world.client.requests.size() == 1);
  world.pass(1s);
  CHECK(world.client.requests.size() == 2);
  CHECK(world.targets("job").empty());
}

TEST_CASE("http discovery: a source that fails keeps its last good targets", "[discovery]") {
  World world;
  world.client.answer(kUrl, FakeClient::response(R"([{"targets": ["a:1"]}])"));
  world.manager->apply(http_of());
  world.settle();
  const int kind = GENERATE(0, 1, 2, 3);
  CAPTURE(kind);
  const std::vector<Result<http::ClientResponse>> faults{
      Error(ErrorCode::kUnavailable, "connection refused"),
      FakeClient::response("[]", 500),
      FakeClient::response("[]", 200, "text/html"),
      FakeClient::response("[{")};
  world.client.answer(kUrl, faults[static_cast<std::size_t>(kind)]);
  world.pass(30s);
  CHECK(world.targets("job").size() == 1);
  CHECK(world.metric("prometheus_sd_http_failures_total") == "1");
  CHECK(world.metric(
            R"(prometheus_sd_refresh_failures_total{config="job",mechanism="http"})") == "1");
  REQUIRE(world.lines.size() == 1);
  CHECK(world.lines[0].find("Unable to refresh target groups") != std::string::npos);
}

TEST_CASE("http discovery: JSON with a charset of UTF-8 is JSON", "[discovery]") {
  World world;
  const std::string type = GENERATE("application/json; charset=utf-8", "Application/JSON",
                                    "application/json;charset=\"UTF-8\"");
  world.client.answer(kUrl, FakeClient::response(R"([{"targets": ["a:1"]}])", 200, type));
  world.manager->apply(http_of());
  world.settle();
  CHECK(world.targets("job").size() == 1);
}
