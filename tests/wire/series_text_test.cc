// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "wire/exposition.h"

namespace varve::wire {
namespace {

TEST_CASE("series text: names and labels in every spelling", "[wire]") {
  const Labels expected{{"__name__", "m"}, {"a", "1"}, {"b", "x y"}};
  for (const char* text :
       {R"(m{a="1",b="x y"})", R"(m{b="x y",a="1",})", R"(m { a = "1" , b = "x y" , } )",
        R"({"m",a="1",b="x y"})", R"({a="1","m",b="x y"})", R"(m{"a"="1",b="x y",c=""})"}) {
    CAPTURE(text);
    const auto labels = parse_series_text(text);
    REQUIRE(labels.ok());
    CHECK(*labels == expected);
  }
  CHECK(*parse_series_text("ns:metric:rate5m") == Labels{{"__name__", "ns:metric:rate5m"}});
  CHECK(*parse_series_text("m{}") == Labels{{"__name__", "m"}});
  CHECK(*parse_series_text(R"({"a.b c","k.\"1"="v"})") ==
        Labels{{"__name__", "a.b c"}, {"k.\"1", "v"}});
}

TEST_CASE("series text: escapes", "[wire]") {
  CHECK(parse_series_text(R"(m{a="x\\y\"z\nq\d}",b="}{"})")->get("a") == "x\\y\"z\nq\\d}");
  CHECK(parse_label_set(R"({trace_id="a\n"})")->get("trace_id") == "a\n");
}

TEST_CASE("series text: what is broken is refused with its text", "[wire]") {
  for (const char* text : {"",
                           "{",
                           "m{",
                           "m{a",
                           "m{a=",
                           "m{a=1}",
                           "m{a=\"1}",
                           "m{a=\"1\\",
                           "m{a=\"1\"",
                           "m{,}",
                           "m{a=\"1\"b=\"2\"}",
                           "m{a=\"1\"}x",
                           "1m",
                           "m-x{}",
                           "{a=\"1\"}",
                           "{}",
                           "m{1a=\"x\"}",
                           "m{a:b=\"x\"}",
                           "m{a=\"\xff\"}",
                           "m{a=\"1\",a=\"2\"}",
                           "m{\"x\"}",
                           "m{\"\"=\"x\"}"}) {
    CAPTURE(text);
    const auto labels = parse_series_text(text);
    REQUIRE_FALSE(labels.ok());
    CHECK(labels.error().code() == ErrorCode::kInvalidArgument);
  }
  CHECK(parse_series_text("m{a=1}").error().message() ==
        "expected label value, got \"1}\" while parsing: \"m{a=1}\"");
}

}  // namespace
}  // namespace varve::wire
