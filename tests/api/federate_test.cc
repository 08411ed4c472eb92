// SPDX-License-Identifier: Apache-2.0
// /federate: bodies as Prometheus 3.5 answers them on the same data.
#include <catch2/catch.hpp>

#include "api/api_harness.h"
#include "api/write_body.h"

using namespace varve;
using test::Harness;
using test::kNow;
using test::time_series;

namespace {

std::string header(const http::Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return {};
}

struct Federation : Harness {
  Federation() {
    api->ready(*db, *manager);
    REQUIRE(write(time_series({{"__name__", "up"}, {"instance", "a:1"}, {"job", "x"}},
                              {{kNow - 15'000, 0}, {kNow - 1'000, 1}}) +
                  time_series({{"__name__", "up"}, {"job", "y"}}, {{kNow - 2'000, 2.5e7}}) +
                  time_series({{"__name__", "gone"}, {"job", "y"}},
                              {{kNow - 3'000, 1}, {kNow - 2'000, stale_marker()}}) +
                  time_series({{"__name__", "old"}, {"job", "y"}}, {{kNow - 300'001, 1}}) +
                  time_series({{"__name__", "info"}, {"region", "us"}, {"v", "a\"b\\c\nd"}},
                              {{kNow, 1}}))
                .status == 204);
  }
};

}  // namespace

TEST_CASE("federate: newest samples by name, without what is stale or old", "[api]") {
  Federation harness;
  const auto response = harness.ask("GET", "/federate", "match[]=%7B__name__=~%22.*%22%7D");
  CHECK(response.status == 200);
  CHECK(header(response, "Content-Type") ==
        "text/plain; version=0.0.4; charset=utf-8; escaping=underscores");
  CHECK(response.body ==
        "# TYPE info untyped\n"
        "info{region=\"us\",v=\"a\\\"b\\\\c\\nd\",instance=\"\"} 1 1700000000000\n"
        "# TYPE up untyped\n"
        "up{instance=\"a:1\",job=\"x\"} 1 1699999999000\n"
        "up{job=\"y\",instance=\"\"} 2.5e+07 1699999998000\n");
}

TEST_CASE("federate: selectors are joined, external labels are added where there are none",
          "[api]") {
  Federation harness;
  harness.external_labels = Labels{{"instance", "me"}, {"region", "eu"}};
  const auto response = harness.ask(
      "GET", "/federate", "match[]=up%7Bjob=%22x%22%7D&match[]=%7Bjob=~%22x%22%7D&match[]=info");
  CHECK(response.body ==
        "# TYPE info untyped\n"
        "info{region=\"us\",v=\"a\\\"b\\\\c\\nd\",instance=\"me\"} 1 1700000000000\n"
        "# TYPE up untyped\n"
        "up{instance=\"a:1\",job=\"x\",region=\"eu\"} 1 1699999999000\n");
}

TEST_CASE("federate: nothing asked for is an empty page, nonsense is 400", "[api]") {
  Federation harness;
  CHECK(harness.ask("GET", "/federate").status == 200);
  CHECK(harness.ask("GET", "/federate").body.empty());
  CHECK(harness.ask("POST", "/federate").status == 405);
  const auto refused = harness.ask("GET", "/federate", "match[]=up%7B");
  CHECK(refused.status == 400);
  CHECK(refused.body == "1:4: parse error: unexpected end of input inside braces\n");
}
