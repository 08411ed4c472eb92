// SPDX-License-Identifier: Apache-2.0
// What the formats of a scrape become in storage: native histograms, custom buckets, start times.
#include <catch2/catch.hpp>

#include "fakes.h"

using namespace varve;
using namespace varve::scrape;

namespace {

const std::string kUrl = "http://a:1/metrics";
const std::string kTail = "{instance=\"a:1\", job=\"j\"}";
const std::string kOpenMetrics = "application/openmetrics-text; version=1.0.0";

const std::string kClassic =
    "# TYPE h histogram\n"
    "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 3\nh_sum 5\nh_count 3\n"
    "# TYPE g gauge\ng 1\n";

// Family "h", a histogram with one native bucket of schema 3 and 32 of them beside it if `wide`.
std::string native_body(unsigned buckets) {
  std::string histogram("\x08", 1);  // sample_count
  histogram += static_cast<char>(buckets);
  histogram += std::string("\x11\0\0\0\0\0\0\x14\x40", 9);                   // sample_sum 5
  histogram += std::string("\x28\x06", 2);                                   // schema 3
  histogram += std::string("\x62\x02\x10", 3) + static_cast<char>(buckets);  // span
  histogram += '\x6a';
  histogram += static_cast<char>(buckets);  // deltas: 1, then 0s
  histogram += '\x02';
  histogram += std::string(buckets - 1, '\0');
  const auto message = [](char tag, const std::string& content) {
    return std::string(1, tag) + static_cast<char>(content.size()) + content;
  };
  const std::string family =
      message('\x0a', "h") + "\x18\x04" + message('\x22', message('\x3a', histogram));
  return static_cast<char>(family.size()) + family;
}

std::string scraped(const PoolOptions& options, const std::string& body, const std::string& type,
                    const std::string& series) {
  Bench b;
  b.client.answer(kUrl, body, type);
  b.manager->apply({options});
  b.step();
  CHECK(b.target().last_error.empty());
  return b.storage.values(series + kTail);
}

}  // namespace

TEST_CASE("scrape formats: native histograms come by protobuf if they are wanted", "[scrape]") {
  PoolOptions options = pool({"a:1"});
  const std::string type = "application/vnd.google.protobuf; encoding=delimited";
  CHECK(scraped(options, native_body(2), type, "h").empty());
  CHECK(scraped(options, native_body(2), type, "h_count") == "2");
  options.scrape_native_histograms = true;
  CHECK(scraped(options, native_body(2), type, "h") == "{{schema:3 count:2 sum:5 buckets:[1 1]}}");
  CHECK(scraped(options, native_body(2), type, "h_count").empty());
}

TEST_CASE("scrape formats: a bucket limit makes histograms coarser before it refuses", "[scrape]") {
  PoolOptions options = pool({"a:1"});
  options.scrape_native_histograms = true;
  options.limits.native_histogram_buckets = 5;
  const std::string type = "application/vnd.google.protobuf";
  CHECK(scraped(options, native_body(16), type, "h") ==
        "{{schema:1 count:16 sum:5 buckets:[1 4 4 4 3]}}");
  options.limits.native_histogram_buckets = 0;
  options.limits.native_histogram_min_bucket_factor = 2;
  CHECK(scraped(options, native_body(16), type, "h") == "{{count:16 sum:5 buckets:[1 8 7]}}");
  // Custom buckets cannot be made coarser.
  options = pool({"a:1"});
  options.convert_classic_histograms_to_nhcb = true;
  options.limits.native_histogram_buckets = 1;
  Bench b;
  b.client.answer(kUrl, kClassic);
  b.manager->apply({options});
  b.step();
  CHECK(b.target().last_error == "histogram bucket limit exceeded");
  CHECK(b.metrics.render().find(
            "prometheus_target_scrapes_exceeded_native_histogram_bucket_limit_total 1\n") !=
        std::string::npos);
}

TEST_CASE("scrape formats: classic histograms become custom buckets", "[scrape]") {
  PoolOptions options = pool({"a:1"});
  options.convert_classic_histograms_to_nhcb = true;
  const std::string text = "text/plain; version=0.0.4";
  const std::string expected = "{{schema:-53 count:3 sum:5 custom_values:[1] buckets:[1 2]}}";
  CHECK(scraped(options, kClassic, text, "h") == expected);
  CHECK(scraped(options, kClassic, text, "h_count").empty());
  CHECK(scraped(options, kClassic, text, "g") == "1");
  CHECK(scraped(options, kClassic, text, "scrape_samples_scraped") == "2");
  options.always_scrape_classic_histograms = true;
  CHECK(scraped(options, kClassic, text, "h") == expected);
  CHECK(scraped(options, kClassic, text, "h_count") == "3");
}

TEST_CASE("scrape formats: a histogram that vanishes is marked stale", "[scrape]") {
  Bench b;
  PoolOptions options = pool({"a:1"});
  options.convert_classic_histograms_to_nhcb = true;
  b.client.answer(kUrl, kClassic);
  b.manager->apply({options});
  b.step();
  b.client.answer(kUrl, "# TYPE g gauge\ng 1\n");
  b.step();
  CHECK(b.storage.values("h" + kTail) ==
        "{{schema:-53 count:3 sum:5 custom_values:[1] buckets:[1 2]}} stale");
}

TEST_CASE("scrape formats: bounds are spelled the same in every format", "[scrape]") {
  const std::string text = "text/plain; version=0.0.4";
  Bench b;
  b.client.answer(
      kUrl, kClassic + "# TYPE s summary\ns{quantile=\"1\"} 2\n# TYPE u untyped\nu{le=\"1\"} 3\n",
      text);
  b.manager->apply({pool({"a:1"})});
  b.step();
  CHECK(b.storage.values("h_bucket{instance=\"a:1\", job=\"j\", le=\"1.0\"}") == "1");
  CHECK(b.storage.values("s{instance=\"a:1\", job=\"j\", quantile=\"1.0\"}") == "2");
  CHECK(b.storage.values("u{instance=\"a:1\", job=\"j\", le=\"1\"}") == "3");
}

TEST_CASE("scrape formats: type and unit are labels where the feature is on", "[scrape]") {
  const std::string body =
      "# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# HELP a_seconds x\n"
      "a_seconds_total{__unit__=\"own\",__type__=\"own\"} 1\n"
      "# TYPE g gauge\ng{__unit__=\"own\"} 2\ng_other 3\nother 4\n"
      "# TYPE u unknown\nu{__type__=\"own\"} 5\n"
      "# UNIT z_bytes bytes\nz_bytes 6\n# HELP later x\nlater 7\n"
      "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 8\nh_count 8\nh_sum 8\nh_total 9\n"
      "# TYPE i info\ni_info 1\n# EOF\n";
  ManagerOptions manager;
  manager.type_and_unit_labels = true;
  Bench b(manager);
  b.client.answer(kUrl, body, kOpenMetrics);
  b.manager->apply({pool({"a:1"})});
  b.step();
  b.step();
  const auto values = [&](const std::string& name, const std::string& labels,
                          const std::string& after = "") {
    return b.storage.values(name + "{" + labels + (labels.empty() ? "" : ", ") +
                            "instance=\"a:1\", job=\"j\"" + after + "}");
  };
  CHECK(values("a_seconds_total", "__type__=\"counter\", __unit__=\"seconds\"") == "1 1");
  // What is not told leaves what the target says itself.
  CHECK(values("g", "__type__=\"gauge\", __unit__=\"own\"") == "2 2");
  CHECK(values("u", "__type__=\"own\"") == "5 5");
  // What is no part of the family above it is not told anything.
  CHECK(values("g_other", "") == "3 3");
  CHECK(values("other", "") == "4 4");
  CHECK(values("z_bytes", "__unit__=\"bytes\"") == "6 6");
  CHECK(values("later", "") == "7 7");
  CHECK(values("h_bucket", "__type__=\"histogram\"", ", le=\"+Inf\"") == "8 8");
  CHECK(values("h_count", "__type__=\"histogram\"") == "8 8");
  CHECK(values("h_total", "") == "9 9");
  CHECK(values("i_info", "__type__=\"info\"") == "1 1");
  CHECK(values("up", "") == "1 1");
  // Another type is another series, and the first one ends.
  b.client.answer(kUrl, "# TYPE g counter\ng 10\n# EOF\n", kOpenMetrics);
  b.step();
  CHECK(values("g", "__type__=\"gauge\", __unit__=\"own\"") == "2 2 stale");
  b.client.answer(kUrl, "# TYPE g gauge\ng 11\n# EOF\n", kOpenMetrics);
  b.step();
  CHECK(values("g", "__type__=\"counter\"") == "10 stale");
  CHECK(values("g", "__type__=\"gauge\"") == "11");
}

TEST_CASE("scrape formats: type labels of the text format, of histograms made native, relabelled",
          "[scrape]") {
  ManagerOptions manager;
  manager.type_and_unit_labels = true;
  Bench b(manager);
  PoolOptions options = pool({"a:1"});
  options.convert_classic_histograms_to_nhcb = true;
  b.client.answer(kUrl, kClassic +
                            "# TYPE c_total counter\nc_total 1\n"
                            "# TYPE \"a b\" gauge\n{\"a b\",x=\"y\"} 2\n");
  b.manager->apply({options});
  b.step();
  b.step();
  CHECK(b.storage.values("c_total{__type__=\"counter\", instance=\"a:1\", job=\"j\"}") == "1 1");
  CHECK(b.storage.values("{\"a b\", __type__=\"gauge\", instance=\"a:1\", job=\"j\", x=\"y\"}") ==
        "2 2");
  const std::string histogram = "{{schema:-53 count:3 sum:5 custom_values:[1] buckets:[1 2]}}";
  CHECK(b.storage.values("h{__type__=\"histogram\", instance=\"a:1\", job=\"j\"}") ==
        histogram + " " + histogram);
}

TEST_CASE("scrape formats: a start time is a zero before the first sample", "[scrape]") {
  const std::string body =
      "# TYPE c counter\nc_total{a=\"1\"} 5\nc_created{a=\"1\"} 1699999999.5\n"
      "c_total{a=\"2\"} 6\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_count 2\nh_sum 1\n"
      "h_created 1699999998\n# EOF\n";
  const std::string c = "c_total{a=\"1\", instance=\"a:1\", job=\"j\"}";
  SECTION("only if it is wanted") {
    CHECK(scraped(pool({"a:1"}), body, kOpenMetrics, "h_created") == "1.7e+09");
  }
  ManagerOptions manager;
  manager.start_zeros = true;
  Bench b(manager);
  b.client.answer(kUrl, body, kOpenMetrics);
  b.manager->apply({pool({"a:1"})});
  b.step();
  b.step();
  CHECK(b.storage.values(c) == "0 5 5");
  CHECK(b.storage.series[c][0].time_ms == 1'699'999'999'500);
  CHECK(b.storage.values("c_total{a=\"2\", instance=\"a:1\", job=\"j\"}") == "6 6");
  CHECK(b.storage.values("h_bucket{instance=\"a:1\", job=\"j\", le=\"+Inf\"}") == "0 2 2");
  CHECK(b.storage.values("h_count" + kTail) == "0 2 2");
  CHECK(b.storage.values("h_created" + kTail).empty());
}
