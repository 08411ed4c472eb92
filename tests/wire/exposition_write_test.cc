// SPDX-License-Identifier: Apache-2.0
#include "wire/exposition_write.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "wire/exposition_proto.h"

namespace varve::wire {
namespace {

WrittenSample sample_of(Labels labels, double value) {
  return {std::move(labels), 1000, value, {}};
}

std::string text_of(NameEscaping escaping, const Labels& labels, double value = 1) {
  FamilyWriter writer({WrittenFormat::kText, escaping}, {}, false);
  std::string out;
  writer.add(sample_of(labels, value), out);
  writer.finish(out);
  return out;
}

TEST_CASE("exposition writer: names that are new to a reader are escaped as it asks", "[wire]") {
  const Labels labels{{kMetricName, "http.ein_ä"}, {"a.b", "x"}, {"plain", "y"}};
  CHECK(text_of(NameEscaping::kUnderscores, labels) ==
        "# TYPE http_ein__ untyped\nhttp_ein__{a_b=\"x\",plain=\"y\"} 1 1000\n");
  CHECK(text_of(NameEscaping::kValues, labels) ==
        "# TYPE U__http_2e_ein___e4_ untyped\nU__http_2e_ein___e4_{U__a_2e_b=\"x\",plain=\"y\"} 1 "
        "1000\n");
  CHECK(text_of(NameEscaping::kDots, labels) ==
        "# TYPE http_dot_ein____ untyped\nhttp_dot_ein____{a_dot_b=\"x\",plain=\"y\"} 1 1000\n");
  CHECK(text_of(NameEscaping::kNone, labels) ==
        "# TYPE \"http.ein_ä\" untyped\n{\"http.ein_ä\",\"a.b\"=\"x\",plain=\"y\"} 1 1000\n");
}

TEST_CASE("exposition writer: numbers as Go's shortest", "[wire]") {
  const Labels labels{{kMetricName, "x"}};
  const auto value = GENERATE(table<double, std::string>(
      {{0, "0"}, {1e6, "1e+06"}, {0.1, "0.1"}, {123456, "123456"}, {HUGE_VAL, "+Inf"},
       {-HUGE_VAL, "-Inf"}, {normal_nan(), "NaN"}, {1e-5, "1e-05"}}));
  CHECK(text_of(NameEscaping::kNone, labels, std::get<0>(value)) ==
        "# TYPE x untyped\nx " + std::get<1>(value) + " 1000\n");
}

TEST_CASE("exposition writer: what an Accept header asks for", "[wire]") {
  using F = WrittenFormat;
  const auto form = [](std::string_view accept) { return WrittenForm::negotiate(accept); };
  CHECK(form("").format == F::kText);
  CHECK(form("").escaping == NameEscaping::kUnderscores);
  CHECK(form("*/*").format == F::kText);
  CHECK(form("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8").format == F::kText);
  CHECK(form("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8").escaping ==
        NameEscaping::kNone);
  const std::string proto =
      "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
  CHECK(form(proto).format == F::kProtobuf);
  CHECK(form("text/plain;version=0.0.4;q=0.5, " + proto + ";q=0.6").format == F::kProtobuf);
  CHECK(form("text/plain;version=0.0.4;q=0.7, " + proto + ";q=0.6").format == F::kText);
  CHECK(form("application/vnd.google.protobuf;proto=other;encoding=delimited").format == F::kText);
  CHECK(form(",;=,;;q=x,text/plain;version=9").format == F::kText);
}

TEST_CASE("exposition writer: protobuf families are what the protobuf reader reads", "[wire]") {
  auto histogram = std::make_shared<Histogram>();
  histogram->schema = 2;
  histogram->count = 7;
  histogram->sum = 12.5;
  histogram->zero_threshold = 0.001;
  histogram->zero_count = 1;
  histogram->positive_spans = {{0, 2}, {3, 1}};
  histogram->positive_counts = {1, 2, 1};
  histogram->negative_spans = {{-2, 1}};
  histogram->negative_counts = {2};
  FamilyWriter writer({WrittenFormat::kProtobuf, NameEscaping::kNone}, Labels{{"region", "eu"}},
                      true);
  std::string out;
  writer.add(sample_of(Labels{{kMetricName, "a"}, {"instance", "i"}}, 4.5), out);
  writer.add(sample_of(Labels{{kMetricName, "a"}, {"region", "us"}}, 5), out);
  writer.add({Labels{{kMetricName, "h"}}, 2000, 0, histogram}, out);
  writer.finish(out);

  ProtoExpositionParser parser(out);
  std::vector<ExpositionSample> samples;
  std::vector<std::string> families;
  Histogram read;  // what a sample points to is gone at the next one
  for (;;) {
    const auto entry = parser.next();
    if (!entry.ok()) FAIL(entry.error().message());
    if (*entry == ExpositionEntry::kEnd) break;
    if (*entry == ExpositionEntry::kSample) {
      families.emplace_back(parser.family());
      samples.push_back(parser.sample());
      if (parser.sample().histogram != nullptr) read = *parser.sample().histogram;
    }
  }
  REQUIRE(samples.size() == 3);
  CHECK(families == std::vector<std::string>{"a", "a", "h"});
  CHECK(samples[0].value == 4.5);
  CHECK(samples[0].timestamp_ms == 1000);
  REQUIRE(samples[2].histogram != nullptr);
  CHECK(read.sum == 12.5);
  CHECK(read.count == 7);
  CHECK(read.schema == 2);
  CHECK(read.positive_counts == histogram->positive_counts);
  CHECK(read.negative_spans == histogram->negative_spans);
}

TEST_CASE("exposition writer: text has no native histograms, and nothing has custom buckets",
          "[wire]") {
  auto histogram = std::make_shared<Histogram>();
  std::string out;
  FamilyWriter text({}, {}, false);
  text.add({Labels{{kMetricName, "h"}}, 1, 0, histogram}, out);
  text.add(sample_of(Labels{{"nameless", "x"}}, 1), out);
  text.finish(out);
  CHECK(out.empty());
  histogram->schema = kCustomBucketsSchema;
  FamilyWriter proto({WrittenFormat::kProtobuf, NameEscaping::kNone}, {}, false);
  proto.add({Labels{{kMetricName, "h"}}, 1, 0, histogram}, out);
  proto.finish(out);
  CHECK(out.empty());
}

}  // namespace
}  // namespace varve::wire
