// SPDX-License-Identifier: Apache-2.0
// What a target can do to us stays with that target and shows in up and lastError.
#include <catch2/catch.hpp>

#include "fakes.h"

using namespace varve;
using namespace varve::scrape;

namespace {

const std::string kUrl = "http://a:1/metrics";
const std::string kTail = "{instance=\"a:1\", job=\"j\"}";

// Scrapes one body and gives lastError; only report series may have been stored.
std::string error_of(const PoolOptions& options, const std::string& body,
                     const std::string& content_type = "text/plain", int status = 200) {
  Bench b;
  b.client.answer(kUrl, body, content_type, status);
  b.manager->apply({options});
  b.step();
  CHECK(b.storage.values("up" + kTail) == "0");
  CHECK(b.storage.series.size() == 5);
  CHECK(b.target().health == Health::kDown);
  return b.target().last_error;
}

}  // namespace

TEST_CASE("hostile target: limits fail the whole scrape in Prometheus's words", "[scrape]") {
  PoolOptions options = pool({"a:1"});
  options.limits.samples = 2;
  CHECK(error_of(options, "a 1\nb 1\nc 1\n") == "sample limit exceeded");
  options.limits.samples = 0;
  options.limits.labels = 3;
  CHECK(error_of(options, "m{a=\"1\"} 1\n") ==
        "label_limit exceeded (metric: m, number of labels: 4, limit: 3)");
  options.limits.labels = 0;
  options.limits.label_name_length = 8;
  CHECK(error_of(options, "m{long_name=\"1\"} 1\n") ==
        "label_name_length_limit exceeded (metric: m, label name: long_name, length: 9, limit: 8)");
  options.limits.label_name_length = 0;
  options.limits.label_value_length = 5;
  CHECK(
      error_of(options, "m{a=\"123456\"} 1\n") ==
      "label_value_length_limit exceeded (metric: m, label name: a, value: \"123456\", length: 6, "
      "limit: 5)");
}

TEST_CASE("hostile target: exactly the sample limit is fine, and counting goes on past it",
          "[scrape]") {
  Bench b;
  PoolOptions options = pool({"a:1"});
  options.limits.samples = 2;
  b.client.answer(kUrl, "a 1\nb 1\n");
  b.manager->apply({options});
  b.step();
  CHECK(b.storage.values("up" + kTail) == "1");
  b.client.answer(kUrl, "a 1\nb 1\nc 1\nd 1\n");
  b.step();
  CHECK(b.storage.values("up" + kTail) == "1 0");
  CHECK(b.storage.values("a" + kTail) == "1 stale");
  CHECK(b.storage.values("scrape_samples_scraped" + kTail) == "2 4");
  CHECK(b.storage.values("scrape_samples_post_metric_relabeling" + kTail) == "2 4");
  CHECK(b.metrics.render().find("prometheus_target_scrapes_exceeded_sample_limit_total 1\n") !=
        std::string::npos);
}

TEST_CASE("hostile target: a status that is not 200, HTML, no type, bad UTF-8", "[scrape]") {
  const PoolOptions options = pool({"a:1"});
  CHECK(error_of(options, "m 1\n", "text/plain", 500) ==
        "server returned HTTP status 500 Internal Server Error");
  CHECK(error_of(options, "<html>", "text/html").find("text/html") != std::string::npos);
  CHECK(error_of(options, "m 1\n", "").find("Content-Type") != std::string::npos);
  CHECK_FALSE(error_of(options, "m{a=\"\xff\"} 1\n").empty());
  CHECK_FALSE(error_of(options, "m{a=\"b} 1\n").empty());
  CHECK_FALSE(error_of(options, "m abc\n").empty());
  CHECK_FALSE(error_of(options, "m 1\n", "application/openmetrics-text; version=1.0.0").empty());
}

TEST_CASE("hostile target: the fallback protocol stands in for a missing type", "[scrape]") {
  Bench b;
  PoolOptions options = pool({"a:1"});
  options.fallback_protocol = Protocol::kPrometheusText0_0_4;
  b.client.answer(kUrl, "m 1\n", GENERATE("", "text/html"));
  b.manager->apply({options});
  b.step();
  CHECK(b.storage.values("m" + kTail) == "1");
}

TEST_CASE("hostile target: a body over the limit is counted and reported as -1", "[scrape]") {
  Bench b(ManagerOptions{.extra_scrape_metrics = true});
  PoolOptions options = pool({"a:1"});
  options.limits.body_size_bytes = 100;
  b.client.fail(kUrl, Error(ErrorCode::kLimitExceeded, "body larger than 100 bytes"));
  b.manager->apply({options});
  b.step();
  CHECK(b.client.requests.at(0).body_max_bytes == 100);
  CHECK(b.target().last_error == "body size limit exceeded");
  CHECK(b.storage.values("scrape_body_size_bytes" + kTail) == "-1");
}

TEST_CASE("hostile target: without a limit a body still ends somewhere", "[scrape]") {
  Bench b;
  b.manager->apply({pool({"a:1"})});
  b.step();
  CHECK(b.client.requests.at(0).body_max_bytes == ManagerOptions{}.bodies_total_max_bytes / 16);
}

TEST_CASE("hostile target: the buckets of histograms are counted until they are stored",
          "[scrape]") {
  // A bucket like the one before it takes one byte here, and eight until it is stored.
  std::string body;
  const auto number = [](std::size_t n) {
    std::string out;
    for (; n >= 128; n >>= 7) out += static_cast<char>(n | 128);
    return out + static_cast<char>(n);
  };
  const auto message = [&](char tag, const std::string& content) {
    return std::string(1, tag) + number(content.size()) + content;
  };
  constexpr std::size_t kBuckets = 20'000;
  const std::string histogram = '\x08' + number(kBuckets) + "\x28\x06" +
                                message('\x62', '\x10' + number(kBuckets)) +
                                message('\x6a', '\x02' + std::string(kBuckets - 1, '\0'));
  for (int i = 0; i < 30; ++i) {
    const std::string family = message('\x0a', "h" + std::to_string(i)) + "\x18\x04" +
                               message('\x22', message('\x3a', histogram));
    body += number(family.size()) + family;
  }
  Bench b(ManagerOptions{.bodies_total_max_bytes = body.size() + (std::size_t{3} << 20)});
  PoolOptions options = pool({"a:1"});
  options.scrape_native_histograms = true;
  b.client.answer(kUrl, body, "application/vnd.google.protobuf");
  b.manager->apply({options});
  b.step();
  CHECK_THAT(b.target().last_error,
             Catch::EndsWith("samples read, and no memory left for scrapes"));
}

TEST_CASE("hostile target: bodies that wait past the bound fail their scrapes", "[scrape]") {
  Bench b(ManagerOptions{.bodies_total_max_bytes = 3});
  b.client.answer(kUrl, "m 1\n");
  b.manager->apply({pool({"a:1"})});
  b.step();
  CHECK(b.target().last_error == "too many bytes of scrapes are waiting to be read");
  b.client.answer(kUrl, "m 1");  // what was refused has been given back
  b.step();
  CHECK(b.target().last_error.empty());
}

TEST_CASE("hostile target: more targets than target_limit and none is scraped", "[scrape]") {
  Bench b;
  PoolOptions options = pool({"a:1", "b:1"});
  options.limits.targets = 1;
  b.client.answer(kUrl, "m 1\n");
  b.manager->apply({options});
  b.step();
  b.step();
  CHECK(b.client.requests.empty());
  CHECK(b.target().last_error == "target_limit exceeded (number of targets: 2, limit: 1)");
  CHECK(b.storage.values("up" + kTail) == "0");
  options.limits.targets = 2;
  b.manager->apply({options});
  b.step();
  b.step();
  CHECK(b.storage.values("up" + kTail) == "0 1");
}

TEST_CASE("hostile target: changing labels do not grow the cache without end", "[scrape]") {
  Bench b;
  b.manager->apply({pool({"a:1"})});
  for (int round = 0; round < 50; ++round) {
    std::string body;
    for (int i = 0; i < 200; ++i) {
      body += "m{i=\"" + std::to_string(round * 1000 + i) + "\"} 1\n";
    }
    b.client.answer(kUrl, body);
    b.step();
  }
  CHECK(b.storage.values("m{i=\"5\", instance=\"a:1\", job=\"j\"}") == "1 stale");
  CHECK(b.storage.values("m{i=\"48005\", instance=\"a:1\", job=\"j\"}") == "1 stale");
  CHECK(b.storage.values("m{i=\"49005\", instance=\"a:1\", job=\"j\"}") == "1");
}

TEST_CASE("hostile target: what a body becomes is counted until it is stored", "[scrape]") {
  std::string body;
  for (int i = 0; i < 20'000; ++i) body += "m{i=\"" + std::to_string(i) + "\"} 1\n";
  Bench b(ManagerOptions{.bodies_total_max_bytes = body.size() + (std::size_t{2} << 20)});
  b.client.answer(kUrl, body);
  b.manager->apply({pool({"a:1"})});
  b.step();
  CHECK(b.target().last_error.ends_with("samples read, and no memory left for scrapes"));
  CHECK(b.storage.values("up" + kTail) == "0");
  CHECK(b.storage.series.size() == 5);
  body.resize(body.find("m{i=\"2000\"}"));  // what was refused has been given back
  b.client.answer(kUrl, body);
  b.step();
  CHECK(b.target().last_error.empty());
}

TEST_CASE("hostile target: a request takes from the budget of all", "[scrape]") {
  Bench b(ManagerOptions{.bodies_total_max_bytes = 77});
  b.manager->apply({pool({"a:1"})});
  b.step();
  REQUIRE(b.client.requests.at(0).budget != nullptr);
  CHECK(b.client.requests.at(0).budget->left_bytes() == 77);
}

TEST_CASE("hostile target: descriptions that are gone are forgotten, and all have a bound",
          "[scrape]") {
  Bench b;
  b.manager->apply({pool({"a:1"})});
  for (int scrape = 0; scrape < 40; ++scrape) {
    b.client.answer(kUrl, "# HELP m" + std::to_string(scrape) + " Text.\n# HELP n Text.\nn 1\n");
    b.step();
  }
  CHECK(b.manager->metadata().size() <= 21);
  CHECK(b.manager->metadata("n").size() == 1);
  CHECK(b.manager->metadata("m39").size() == 1);
  CHECK(b.manager->metadata("m0").empty());

  const std::string help(std::size_t{1} << 20, 'x');
  std::string body;
  for (int i = 0; i < 20; ++i) body += "# HELP big" + std::to_string(i) + " " + help + "\n";
  b.client.answer(kUrl, body);
  b.step();
  std::size_t bytes = 0;
  for (const TargetMetadata& each : b.manager->metadata()) bytes += each.help.size();
  CHECK(bytes <= std::size_t{16} << 20);
  CHECK(b.target().last_error.empty());
}

TEST_CASE("hostile target: metadata of a scrape that failed is told by the next good one",
          "[scrape]") {
  Bench b;
  b.manager->apply({pool({"a:1"})});
  b.client.answer(kUrl, "# HELP m Text.\nm 1\nnonsense\n");
  b.step();
  CHECK(b.storage.metadata.empty());
  b.client.answer(kUrl, "# HELP m Text.\nm 1\n");
  b.step();
  CHECK(b.storage.metadata == std::vector<std::string>{"m|unknown|Text."});
}
