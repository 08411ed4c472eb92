// SPDX-License-Identifier: Apache-2.0
#include "wire/exposition_proto.h"

#include <catch2/catch.hpp>

#include "exposition_lines.h"
#include "metric_family_builder.h"
#include "model/histogram.h"

using namespace varve;
using namespace varve::wire;
using namespace varve::wire::testing;
using Writer = protozero::pbf_writer;

namespace {

std::vector<std::string> entries(std::string_view body, ProtoExpositionOptions options = {}) {
  ProtoExpositionParser parser(body, options);
  return lines_of(parser);
}

using Lines = std::vector<std::string>;

std::string one_metric(std::string_view name, int type, const Fill& fill) {
  return family(name, type, [&](Writer& writer) { put(writer, 4, fill); });
}

}  // namespace

TEST_CASE("protobuf exposition: counters bring exemplar, start and timestamp", "[wire]") {
  const std::string body = family(
      "c_total", 0,
      [](Writer& writer) {
        put(writer, 4, [](Writer& metric) {
          put_label(metric, "a", "x\"y\\z\nw");
          put_label(metric, "b.c", "2");
          put(metric, 3, [](Writer& counter) {
            counter.add_double(1, 7);
            put(counter, 2, [](Writer& exemplar) {
              put_label(exemplar, "trace", "t1");
              exemplar.add_double(2, 0.5);
              put_time(exemplar, 3, 12, 345'000'000);
            });
            put_time(counter, 3, 10, 0);
          });
          metric.add_int64(6, 99);
        });
        put(writer, 4, [](Writer& metric) {
          put(metric, 3, [](Writer& counter) { counter.add_double(1, 0); });
        });
      },
      "Help.");
  CHECK(entries(body) ==
        Lines{"HELP c_total Help.", "TYPE c_total counter",
              "c_total{a=\"x\\\"y\\\\z\\nw\",\"b.c\"=\"2\"} 7.000000 @99 since 10000 # "
              "{trace=\"t1\"} 0.500000 @12345",
              "c_total 0.000000"});
  ProtoExpositionParser parser(body);
  while (*parser.next() != ExpositionEntry::kSample) continue;
  CHECK(*parse_series_text(parser.sample().series) ==
        Labels{{"__name__", "c_total"}, {"a", "x\"y\\z\nw"}, {"b.c", "2"}});
}

TEST_CASE("protobuf exposition: names beyond the old alphabet are quoted", "[wire]") {
  const std::string body = one_metric("my.gauge", 1, [](Writer& metric) {
    put_label(metric, "a", "1");
    put(metric, 2, [](Writer& gauge) { gauge.add_double(1, -2.5); });
  });
  CHECK(entries(body)[2] == "{\"my.gauge\",a=\"1\"} -2.500000");
  ProtoExpositionParser parser(body);
  while (*parser.next() != ExpositionEntry::kSample) continue;
  CHECK(*parse_series_text(parser.sample().series) == Labels{{"__name__", "my.gauge"}, {"a", "1"}});
}

TEST_CASE("protobuf exposition: a summary is count, sum and quantiles", "[wire]") {
  const std::string body = one_metric("s", 2, [](Writer& metric) {
    put(metric, 4, [](Writer& summary) {
      summary.add_uint64(1, 3);
      summary.add_double(2, 4.5);
      for (const double q : {0.5, 1.0}) {
        put(summary, 3, [q](Writer& quantile) {
          quantile.add_double(1, q);
          quantile.add_double(2, 10 * q);
        });
      }
    });
  });
  CHECK(entries(body) == Lines{"HELP s ", "TYPE s summary", "s_count 3.000000", "s_sum 4.500000",
                               "s{quantile=\"0.5\"} 5.000000", "s{quantile=\"1.0\"} 10.000000"});
}

TEST_CASE("protobuf exposition: a histogram is native, classic or both", "[wire]") {
  const std::string body = one_metric("h", 4, [](Writer& metric) {
    put_label(metric, "a", "1");
    put_histogram(metric, put_native);
  });
  const std::string native =
      "h{a=\"1\"} {{count:4 sum:5.5 z_bucket_w:0.001 offset:-1 buckets:[1 3]}}";
  const Lines classic{"h_count{a=\"1\"} 4.000000", "h_sum{a=\"1\"} 5.500000",
                      "h_bucket{a=\"1\",le=\"0.5\"} 1.000000",
                      "h_bucket{a=\"1\",le=\"1.0\"} 3.000000",
                      "h_bucket{a=\"1\",le=\"+Inf\"} 4.000000"};
  Lines expected{"HELP h ", "TYPE h histogram", native};
  CHECK(entries(body) == expected);
  expected.insert(expected.end(), classic.begin(), classic.end());
  CHECK(entries(body, {.classic = true}) == expected);
  expected.erase(expected.begin() + 2);
  CHECK(entries(body, {.native = false}) == expected);
}

TEST_CASE("protobuf exposition: float counts, gauge hints and zero thresholds", "[wire]") {
  const std::string body = one_metric("h", 5, [](Writer& metric) {
    put(metric, 7, [](Writer& histogram) {
      histogram.add_double(2, 1);
      histogram.add_double(4, 2.5);
      histogram.add_double(6, 0.5);
      histogram.add_double(8, 1.5);
      put(histogram, 9, [](Writer& span) { span.add_uint32(2, 1); });
      const double counts[] = {1.0};
      histogram.add_packed_double(11, std::begin(counts), std::end(counts));
    });
  });
  ProtoExpositionParser parser(body);
  while (*parser.next() != ExpositionEntry::kSample) continue;
  REQUIRE(parser.sample().histogram != nullptr);
  const Histogram& histogram = *parser.sample().histogram;
  CHECK_FALSE(histogram.integer);
  CHECK(histogram.counter_reset_hint == CounterResetHint::kGauge);
  CHECK(histogram.zero_count == 1.5);
  CHECK(histogram.negative_counts == std::vector<double>{1});
}

TEST_CASE("protobuf exposition: exemplars of native histograms need times", "[wire]") {
  const auto exemplar = [](Writer& into, std::uint32_t field, const char* id, bool timed) {
    put(into, field, [&](Writer& message) {
      put_label(message, "id", id);
      message.add_double(2, 1);
      if (timed) put_time(message, 3, 5, 0);
    });
  };
  const std::string own = one_metric("h", 4, [&](Writer& metric) {
    put_histogram(metric, [&](Writer& histogram) {
      put_native(histogram);
      exemplar(histogram, 16, "a", true);
      exemplar(histogram, 16, "b", false);
    });
  });
  CHECK(entries(own)[2].ends_with(" # {id=\"a\"} 1.000000 @5000"));
  const std::string of_buckets = one_metric("h", 4, [&](Writer& metric) {
    put_histogram(metric, [&](Writer& histogram) {
      put_native(histogram);
      put(histogram, 3, [&](Writer& bucket) {
        bucket.add_uint64(1, 4);
        bucket.add_double(2, std::numeric_limits<double>::infinity());
        exemplar(bucket, 3, "c", true);
      });
    });
  });
  CHECK(entries(of_buckets)[2].ends_with(" # {id=\"c\"} 1.000000 @5000"));
}

TEST_CASE("protobuf exposition: what contradicts itself is refused", "[wire]") {
  const auto error_of = [](const std::string& body) { return entries(body).back(); };
  const auto gauge = [](Writer& metric) { put(metric, 2, [](Writer& g) { g.add_double(1, 1); }); };
  CHECK(error_of(one_metric("", 1, gauge)) == "error: invalid metric name: ");
  CHECK(error_of(one_metric("g", 9, gauge)) == "error: unknown metric type for metric \"g\": 9");
  CHECK(error_of(family("g_bytes", 1, [&](Writer& writer) {
          put(writer, 4, gauge);
          writer.add_string(5, "seconds");
        })) == "error: unit \"seconds\" not a suffix of metric \"g_bytes\"");
  CHECK(error_of(one_metric("h", 4, [](Writer& metric) {
          put_histogram(metric, [](Writer& histogram) {
            put_native(histogram);
            histogram.add_sint32(5, 9);
          });
        })).find("error: histogram h{}:") == 0);
  std::string cut = one_metric("g", 1, gauge);
  cut.pop_back();
  CHECK(error_of(cut) == "error: a metric family is cut off by the end of the body");
  CHECK(error_of(std::string(12, '\xff')).find("error: invalid protobuf") == 0);
  // A family that promises a metric longer than itself.
  CHECK(error_of(std::string("\x03\x22\x7f\x00", 4)).find("error: invalid protobuf") == 0);
}

TEST_CASE("protobuf exposition: histograms have a bound in memory", "[wire]") {
  const std::string body =
      one_metric("h", 4, [](Writer& metric) { put_histogram(metric, put_native); });
  CHECK(entries(body, {.histograms_max_bytes = 100}).back() ==
        "error: the native histograms of the scrape take too much memory");
}
