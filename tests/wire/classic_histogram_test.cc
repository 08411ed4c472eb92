// SPDX-License-Identifier: Apache-2.0
#include "wire/classic_histogram.h"

#include <catch2/catch.hpp>

#include "model/histogram.h"

using namespace varve;
using namespace varve::wire;

namespace {

struct Line {
  std::string series;
  double value;
};

// What the lines of one histogram of family "h" become; "" if they contradict each other.
std::string collected(const std::vector<Line>& lines) {
  ClassicHistogramCollector collector;
  for (const Line& line : lines) {
    auto part = classic_part(line.series, "h");
    REQUIRE(part);
    ExpositionSample sample;
    sample.series = line.series;
    sample.value = line.value;
    collector.add(*std::move(part), sample);
  }
  const auto out = collector.take();
  CHECK_FALSE(collector.open());
  return out ? out->series + ' ' + model::to_test_expression(out->histogram) : std::string();
}

}  // namespace

TEST_CASE("classic histogram: parts are told by suffix and bound", "[wire]") {
  const auto part = [](std::string_view series) {
    const auto found = classic_part(series, "h");
    return found ? found->series : "none";
  };
  CHECK(part("h_bucket{le=\"1\"}") == "h");
  CHECK(part("h_bucket{ a=\"x,}\" , le = \"1\", b=\"y\" }") == "h{a=\"x,}\",b=\"y\"}");
  CHECK(part("h_count{a=\"le=\"}") == "h{a=\"le=\"}");
  CHECK(part("h_sum") == "h");
  CHECK(part("{\"h_sum\",a=\"1\"}") == "{\"h\",a=\"1\"}");
  CHECK(part("h_bucket") == "none");
  CHECK(part("h_bucket{le=\"x\"}") == "none");
  CHECK(part("h_bucket{le=\"NaN\"}") == "none");
  CHECK(part("h_created{a=\"1\"}") == "none");
  CHECK(part("h2_count") == "none");
  CHECK(part("h") == "none");
}

TEST_CASE("classic histogram: buckets become custom buckets", "[wire]") {
  CHECK(collected({{"h_bucket{le=\"1\"}", 1},
                   {"h_bucket{le=\"2\"}", 3},
                   {"h_bucket{le=\"+Inf\"}", 4},
                   {"h_sum", 5.5},
                   {"h_count", 4}}) ==
        "h {{schema:-53 count:4 sum:5.5 custom_values:[1 2] buckets:[1 2 1]}}");
  // Out of order, without +Inf, without a count.
  CHECK(collected({{"h_bucket{le=\"2\"}", 3}, {"h_bucket{le=\"1\"}", 1}}) ==
        "h {{schema:-53 count:3 custom_values:[1 2] buckets:[1 2]}}");
  CHECK(collected({{"h_count", 2.5}, {"h_bucket{le=\"1\"}", 0.5}}) ==
        "h {{schema:-53 count:2.5 custom_values:[1] buckets:[0.5 2]}}");
}

TEST_CASE("classic histogram: parts that contradict each other make none", "[wire]") {
  CHECK(collected({{"h_bucket{le=\"1\"}", 3}, {"h_bucket{le=\"2\"}", 1}}).empty());
  CHECK(collected({{"h_bucket{le=\"2\"}", 1}, {"h_bucket{le=\"1\"}", 3}}).empty());
  CHECK(collected({{"h_bucket{le=\"+Inf\"}", 3}, {"h_count", 4}}).empty());
  CHECK(collected({{"h_bucket{le=\"1\"}", -3}}).empty());
  CHECK(collected({{"h_sum", 3}}).empty());
}

TEST_CASE("classic histogram: absurdly many buckets cost no square", "[wire]") {
  std::vector<Line> lines;
  for (int i = 0; i < 20'000; ++i)
    lines.push_back({"h_bucket{le=\"" + std::to_string(-i) + "\"}", 0});
  CHECK(collected(lines).empty());
}

TEST_CASE("classic histogram: labels that the series of a metric share", "[wire]") {
  CHECK(shared_labels_text("h_bucket{a=\"1\",le=\"2\"}") == "a=\"1\"");
  CHECK(shared_labels_text("s{quantile=\"0.5\",a=\"1\"}") == "a=\"1\"");
  CHECK(shared_labels_text("{\"h.created\",a=\"1\"}") == "a=\"1\"");
  CHECK(shared_labels_text("h_created").empty());
}
