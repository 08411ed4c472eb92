// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <cmath>

#include "promql/test_language/compare.h"
#include "promql/test_language/script.h"
#include "promql/test_language/series_notation.h"

namespace varve::promql::test_language {
namespace {

SeriesLine line_of(std::string_view text) {
  CAPTURE(std::string(text));
  Result<SeriesLine> line = parse_series_line(text);
  if (!line.ok()) FAIL(line.error().message());
  return std::move(line).value();
}

// "1 _ stale": floats as integers.
std::string values_of(std::string_view text) {
  std::string out;
  for (const SequenceValue& value : line_of("x " + std::string(text)).values) {
    if (!out.empty()) out += ' ';
    if (value.kind == SequenceValue::Kind::kOmitted) {
      out += '_';
    } else if (value.kind == SequenceValue::Kind::kHistogram) {
      out += "h" + std::to_string(std::lround(value.histogram->count));
    } else {
      out += is_stale(value.value) ? "stale" : std::to_string(std::lround(value.value));
    }
  }
  return out;
}

TEST_CASE("series notation: sequences expand", "[promql][test_language]") {
  CHECK(values_of("1 2 3") == "1 2 3");
  CHECK(values_of("_ _x3 1") == "_ _ _ _ 1");
  CHECK(values_of("5x2") == "5 5 5");
  CHECK(values_of("0+10x3") == "0 10 20 30");
  CHECK(values_of("-2-4x2") == "-2 -6 -10");
  CHECK(values_of("-2+1x2") == "-2 -1 0");
  CHECK(values_of("1e1+5e-1x2") == "10 11 11");
  CHECK(values_of("1 stale stalex1") == "1 stale stale stale");
  CHECK(values_of("{{count:3}} {{count:1}}x1") == "h3 h1 h1");
  CHECK(values_of("{{count:3}}+{{count:2}}x2 {{count:9}}-{{count:4}}x1") == "h3 h5 h7 h9 h5");
  CHECK(values_of("") == "");
  CHECK(std::isinf(line_of("x -Inf").values[0].value));
  CHECK(std::isnan(line_of("x nan").values[0].value));
}

TEST_CASE("series notation: names and labels", "[promql][test_language]") {
  CHECK(line_of("a:b 1").labels == Labels{{"__name__", "a:b"}});
  CHECK(line_of("sum{by=\"x\", b='y',} 1").labels ==
        Labels{{"__name__", "sum"}, {"by", "x"}, {"b", "y"}});
  CHECK(line_of("{\"a.b\", \"c.d\"=`e`, f=\"\"} 1").labels ==
        Labels{{"__name__", "a.b"}, {"c.d", "e"}});
  CHECK(line_of("{} 1").labels.empty());
}

TEST_CASE("series notation: histograms", "[promql][test_language]") {
  const SeriesLine line = line_of(
      "x {{schema:-53 sum:-3.5 count:6 custom_values:[5 10.5] buckets:[1 4 1] "
      "counter_reset_hint:gauge}} {{ n_buckets:[1 2] n_offset:-2 offset:3 buckets:[7] z_bucket:4 "
      "z_bucket_w:0.01 }}");
  REQUIRE(line.values.size() == 2);
  const Histogram& custom = *line.values[0].histogram;
  CHECK(custom.schema == kCustomBucketsSchema);
  CHECK(custom.sum == -3.5);
  CHECK(custom.custom_bounds == std::vector<double>{5, 10.5});
  CHECK(custom.positive_counts == std::vector<double>{1, 4, 1});
  CHECK(custom.counter_reset_hint == CounterResetHint::kGauge);
  CHECK(line.values[0].hint_written);
  const Histogram& plain = *line.values[1].histogram;
  CHECK(plain.negative_spans == std::vector<HistogramSpan>{{-2, 2}});
  CHECK(plain.positive_spans == std::vector<HistogramSpan>{{3, 1}});
  CHECK(plain.zero_count == 4);
  CHECK(plain.zero_threshold == 0.01);
  CHECK_FALSE(line.values[1].hint_written);
}

TEST_CASE("series notation: start timestamps", "[promql][test_language]") {
  const SeriesLine line = line_of("x{a=\"b\"}@st _ -1m -1m+30sx2 _x2");
  CHECK(line.start_times);
  const std::vector<std::optional<std::int64_t>> expected = {
      std::nullopt, -60'000, -60'000, -30'000, 0, std::nullopt, std::nullopt};
  CHECK(line.start_offsets_ms == expected);
}

TEST_CASE("series notation: what is none is refused", "[promql][test_language]") {
  for (const std::string_view text :
       {"", "1", "x 1x", "x 1+x2", "x 1+2", "x foo", "x{a=b} 1", "x{a} 1", "x{a=\"b\" 1", "x 0x1F",
        "x {{count:1}", "x {{count:a}}", "x {{size:1}}", "x 1x9999999", "x{a=\"b\"}y 1",
        "x {{count:1}}+{{count:1}}", "x {{schema:0}}+{{schema:-53}}x1"}) {
    CAPTURE(std::string(text));
    CHECK_FALSE(parse_series_line(text).ok());
  }
}

TEST_CASE("scalar lines: numbers in every base", "[promql][test_language]") {
  CHECK(parse_scalar_line("12.5") == 12.5);
  CHECK(parse_scalar_line("-Inf") == -std::numeric_limits<double>::infinity());
  CHECK(parse_scalar_line("0x1F") == 31.0);
  CHECK(parse_scalar_line("0b101") == 5.0);
  CHECK(parse_scalar_line("1_000") == 1000.0);
  CHECK_FALSE(parse_scalar_line("x 1").has_value());
  CHECK_FALSE(parse_scalar_line("{} 1").has_value());
}

TEST_CASE("script: an indented comment ends a command", "[promql][test_language]") {
  const auto commands = parse_script("load 1m\n  a 1\n  # note\n\neval instant at 1m a\n  a 1\n");
  REQUIRE(commands.ok());
  CHECK(commands->size() == 2);
}

TEST_CASE("script: mistakes name their line", "[promql][test_language]") {
  const auto message = [](std::string_view text) { return parse_script(text).error().message(); };
  CHECK(message("\nlode 1m\n") == "line 2: unknown command \"lode\"");
  CHECK(message("load 1m\n  a b\n") == "line 2: bad value \"b\"");
  CHECK(message("eval instant at 1m\n") == "line 1: eval without a query");
  CHECK(message("eval instant at 1m a\n a 1 2\n") ==
        "line 2: an instant query gives one value per series");
  CHECK(message("eval instant at 1m a\n expect warn\n expect no_warn\n") ==
        "line 3: annotations of one kind are both expected and excluded");
  CHECK(message("eval range from 2m to 1m step 1m a\n") ==
        "line 1: a range needs a step above 0 and an end that is not before its start");
}

TEST_CASE("compare: floats are equal to a millionth", "[promql][test_language]") {
  const double nan = std::nan("");
  CHECK(almost_equal(1.0, 1.0000009));
  CHECK_FALSE(almost_equal(1.0, 1.00001));
  CHECK_FALSE(almost_equal(0.0, 1e-300));
  CHECK(almost_equal(nan, normal_nan()));
  CHECK_FALSE(almost_equal(nan, stale_marker()));
  CHECK(almost_equal(stale_marker(), stale_marker()));
  CHECK_FALSE(almost_equal(INFINITY, -INFINITY));
  CHECK(almost_equal(1e308, 1e308 * 1.0000001));
}

TEST_CASE("compare: histograms by what their buckets mean", "[promql][test_language]") {
  const auto same = [](std::string_view a, std::string_view b) {
    return almost_equal(line_of("x " + std::string(a)).values[0],
                        *line_of("x " + std::string(b)).values[0].histogram);
  };
  CHECK(same("{{buckets:[0 1 0 2]}}", "{{offset:1 buckets:[1 0 2 0]}}"));
  CHECK_FALSE(same("{{buckets:[1 2]}}", "{{offset:1 buckets:[1 2]}}"));
  CHECK_FALSE(same("{{sum:1}}", "{{sum:2}}"));
  CHECK(same("{{sum:1}}", "{{sum:1 counter_reset_hint:gauge}}"));
  CHECK_FALSE(same("{{sum:1 counter_reset_hint:unknown}}", "{{sum:1 counter_reset_hint:gauge}}"));
}

}  // namespace
}  // namespace varve::promql::test_language
