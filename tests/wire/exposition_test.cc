// SPDX-License-Identifier: Apache-2.0
#include "wire/exposition.h"

#include <bit>
#include <catch2/catch.hpp>
#include <charconv>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "exposition_lines.h"
#include "wire/exposition_number.h"

namespace varve::wire {
namespace {

std::vector<std::string> entries(std::string_view body, ExpositionFormat format) {
  ExpositionParser parser(body, format);
  return testing::lines_of(parser);
}

using Lines = std::vector<std::string>;

TEST_CASE("exposition: the text format", "[wire]") {
  CHECK(entries("# HELP m Help with \\\\ and \\n inside.\n"
                "# TYPE m counter\n"
                "m{a=\"1\",b=\"}{ #\"} 3\n"
                "\n"
                "# a comment\n"
                "m 4.5 1234567\r\n"
                "  m2\t{a=\"b\"}\t-1e3   -5\n"
                "#TYPE u untyped\n"
                "u +Inf",
                ExpositionFormat::kText) ==
        Lines{"HELP m Help with \\ and \n inside.", "TYPE m counter",
              "m{a=\"1\",b=\"}{ #\"} 3.000000", "m 4.500000 @1234567",
              "m2\t{a=\"b\"} -1000.000000 @-5", "TYPE u unknown", "u inf"});
  CHECK(entries("", ExpositionFormat::kText).empty());
}

TEST_CASE("exposition: OpenMetrics", "[wire]") {
  CHECK(entries("# TYPE m_seconds histogram\n"
                "# UNIT m_seconds seconds\n"
                "# HELP m_seconds A \\\"quote\\\".\n"
                "m_seconds_bucket{le=\"1\"} 3 # {trace_id=\"a } # b\"} 0.5 1.5\n"
                "m_seconds_bucket{le=\"# {\"} 4 1.25\n"
                "m_seconds_created 1.5\n"
                "m_seconds_count 9 # {} 1\n"
                "other_created 2\n"
                "# EOF",
                ExpositionFormat::kOpenMetrics) ==
        Lines{"TYPE m_seconds histogram", "UNIT m_seconds seconds", "HELP m_seconds A \"quote\".",
              "m_seconds_bucket{le=\"1\"} 3.000000 # {trace_id=\"a } # b\"} 0.500000 @1500",
              "m_seconds_bucket{le=\"# {\"} 4.000000 @1250", "m_seconds_created 1.500000 created",
              "m_seconds_count 9.000000 # {} 1.000000", "other_created 2.000000"});
  CHECK(entries("# EOF\n", ExpositionFormat::kOpenMetrics).empty());
}

TEST_CASE("exposition: errors name the line and what was wrong", "[wire]") {
  const auto text_error = [](std::string_view body) {
    return entries(body, ExpositionFormat::kText).back();
  };
  CHECK(text_error("a 1\nb\n") ==
        "error: line 2: expected value after metric, got \"\" while parsing: \"b\"");
  CHECK(text_error("m x") ==
        "error: line 1: expected value after metric, got \"x\" while parsing: \"m x\"");
  CHECK(text_error("m 1 2 3").find("expected next entry after timestamp, got \"3\"") !=
        std::string::npos);
  CHECK(text_error("m 1 2.5").find("invalid timestamp \"2.5\"") != std::string::npos);
  CHECK(text_error("# TYPE m gouge").find("invalid metric type \"gouge\"") != std::string::npos);
  CHECK(text_error("# TYPE").starts_with("error: line 1: expected metric name"));
  CHECK(text_error("# HELP m \xff").find("not a valid utf8 string") != std::string::npos);
  // The syntax of labels is checked when they are parsed.
  CHECK(text_error("m{a=\"b\" 1") == "m{a=\"b\" 1.000000");
  CHECK_FALSE(parse_series_text("m{a=\"b\"").ok());

  const auto om_error = [](std::string_view body) {
    return entries(body, ExpositionFormat::kOpenMetrics).back();
  };
  CHECK(om_error("") == "error: data does not end with # EOF");
  CHECK(om_error("m 1\n") == "error: data does not end with # EOF");
  CHECK(om_error("# EOF\nm 1\n") == "error: line 2: unexpected data after # EOF");
  CHECK(om_error("\n# EOF\n").find("unexpected blank line") != std::string::npos);
  CHECK(om_error("# comment\n# EOF\n").find("expected HELP, TYPE, UNIT or EOF") !=
        std::string::npos);
  CHECK(om_error("# UNIT m seconds\n# EOF").find("unit \"seconds\" not a suffix of metric \"m\"") !=
        std::string::npos);
  CHECK(om_error("m 1 NaN\n# EOF").find("invalid timestamp") != std::string::npos);
  CHECK(om_error("m 1 1e300\n# EOF").find("invalid timestamp") != std::string::npos);
  CHECK(om_error("m 1 # x\n# EOF").find("expected exemplar labels") != std::string::npos);
  CHECK(om_error("m{a=\"# 1\n# EOF").find("labels are not closed") != std::string::npos);
  CHECK(om_error("# TYPE m untyped\n# EOF").find("invalid metric type") != std::string::npos);
}

TEST_CASE("exposition: numbers mean what they mean to Go", "[wire]") {
  CHECK(*parse_exposition_float("0") == 0);
  CHECK(*parse_exposition_float("123456789012345678901234567890") ==
        123456789012345678901234567890.0);
  CHECK(*parse_exposition_float("+1.5e-3") == 0.0015);
  CHECK(*parse_exposition_float(".5") == 0.5);
  CHECK(*parse_exposition_float("5.") == 5);
  CHECK(std::bit_cast<std::uint64_t>(*parse_exposition_float("-0")) == 0x8000000000000000ULL);
  CHECK(*parse_exposition_float("-inf") == -std::numeric_limits<double>::infinity());
  CHECK(*parse_exposition_float("+Infinity") == std::numeric_limits<double>::infinity());
  CHECK(std::bit_cast<std::uint64_t>(*parse_exposition_float("NaN")) == kNormalNanBits);
  CHECK(*parse_exposition_float("1e-999") == 0);
  CHECK(*parse_exposition_float("4.9e-324") == 4.9e-324);
  for (const char* text : {"", "-", "+", "1e999", "-1e999", "0x10", "1_000", "1,5", "nan(1)",
                           "+nan", "+-1", "--1", "infin", "1e", "e5", "1 ", "1f"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_exposition_float(text).has_value());
  }
  CHECK(*parse_exposition_int("+5") == 5);
  CHECK(*parse_exposition_int("-9223372036854775808") == std::numeric_limits<std::int64_t>::min());
  for (const char* text : {"", "+", "-", "+-5", "9223372036854775808", "1.0"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_exposition_int(text).has_value());
  }
}

TEST_CASE("exposition: short decimals are what from_chars makes of them", "[wire]") {
  const std::uint32_t seed = GENERATE(1u, 2u, 3u);
  CAPTURE(seed);
  std::mt19937 random(seed);
  std::size_t read = 0;
  for (int i = 0; i < 100'000; ++i) {
    // Mostly numbers, now and then with a point too many or something else within.
    std::string text(1 + random() % 17, '0');
    for (char& c : text) c = static_cast<char>('0' + random() % 10);
    if (random() % 4 != 0) text[random() % text.size()] = '.';
    if (random() % 8 == 0) text[random() % text.size()] = "./:e -+\xb0\0"[random() % 9];
    if (random() % 4 == 0) text.insert(0, 1, '-');
    CAPTURE(text);
    double expected = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, problem] =
        std::from_chars(text.data(), end, expected, std::chars_format::fixed);
    const bool is_number = stop == end && problem == std::errc();
    const auto number = parse_short_decimal(text);
    const auto any = parse_exposition_float(text);
    if (number) {
      ++read;
      REQUIRE(is_number);
      REQUIRE(std::bit_cast<std::uint64_t>(*number) == std::bit_cast<std::uint64_t>(expected));
    }
    if (is_number) REQUIRE(any == expected);
  }
  CHECK(read > 50'000);
}

TEST_CASE("exposition: formats by content type", "[wire]") {
  CHECK(*format_from_content_type("text/plain; version=0.0.4; charset=utf-8") ==
        ExpositionFormat::kText);
  CHECK(*format_from_content_type("Text/Plain") == ExpositionFormat::kText);
  CHECK(*format_from_content_type("application/openmetrics-text;version=1.0.0") ==
        ExpositionFormat::kOpenMetrics);
  CHECK(*format_from_content_type("text/html", ExpositionFormat::kOpenMetrics) ==
        ExpositionFormat::kOpenMetrics);
  CHECK(format_from_content_type("").error().message() ==
        "non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol "
        "specified for target");
  CHECK(format_from_content_type("text/html").error().message() ==
        "received unsupported Content-Type \"text/html\" and no fallback_scrape_protocol specified "
        "for target");
}

}  // namespace
}  // namespace varve::wire
