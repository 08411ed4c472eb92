// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "http/server.h"

namespace varve::http {
namespace {

TEST_CASE("form: values are decoded and keep their order", "[http]") {
  const auto form =
      parse_form("query=up%7Ba%3D%22b%22%7D+%2B+1&match[]=x&match%5B%5D=y&&empty=&bare");
  REQUIRE(form.ok());
  CHECK(*form == FormValues{{"query", "up{a=\"b\"} + 1"}, {"match[]", "x"}, {"match[]", "y"},
                            {"empty", ""}, {"bare", ""}});
  CHECK(parse_form("")->empty());
  CHECK(*parse_form("a=b=c") == FormValues{{"a", "b=c"}});
}

TEST_CASE("form: broken escapes are named", "[http]") {
  for (const char* text : {"a=%", "a=%4", "a=%zz", "%g0=1"}) {
    CAPTURE(text);
    const auto form = parse_form(text);
    REQUIRE_FALSE(form.ok());
    CHECK(form.error().message().starts_with("invalid URL escape \"%"));
  }
}

TEST_CASE("request: headers are found in any case", "[http]") {
  Request request;
  request.headers = {{"Content-TYPE", "a"}, {"X", "b"}};
  CHECK(request.header("content-type") == "a");
  CHECK(request.header("x") == "b");
  CHECK(request.header("y").empty());
}

}  // namespace
}  // namespace varve::http
