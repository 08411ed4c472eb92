// SPDX-License-Identifier: Apache-2.0
#include "parse_support.h"

namespace varve::promql {
namespace {

struct Printed {
  std::string_view text;
  std::string_view canonical;  // "" if it is the text
};

const Printed kExpressions[] = {
    // numbers
    {"1", ""},
    {"017", "15"},
    {"08", "8"},
    {"0x1F", "31"},
    {"1_000", "1000"},
    {"1_000.5", "1000.5"},
    {"1e3", "1000"},
    {"1e-7", "0.0000001"},
    {".5", "0.5"},
    {"5.", "5"},
    {"9223372036854775808", "9223372036854776000"},
    {"Inf", "+Inf"},
    {"-iNF", "-Inf"},
    {"nan", "NaN"},
    {"5m", ""},
    {"-90m", "-1h30m"},
    {"--1", "1"},
    {"+-1", "-1"},
    // strings
    {R"("a\"b")", ""},
    {R"('a"b\'c')", R"("a\"b'c")"},
    {"`raw\\n`", R"("raw\\n")"},
    {R"("\x41\101\u00e9\U0001F600")", "\"AAé😀\""},
    {R"("\xff")", ""},
    // selectors
    {"foo", ""},
    {"foo{}", "foo"},
    {"a:b:c", ""},
    {R"(foo{b="2",a="1",})", R"(foo{a="1",b="2"})"},
    {R"(foo{a!="1",b=~"x.*",c!~"y|z"})", ""},
    {R"({"my.metric", "l.x"="v"})", R"({"l.x"="v",__name__="my.metric"})"},
    {R"({__name__=~"a.+"})", ""},
    {"foo offset 5m", ""},
    {"foo offset -1h30m", ""},
    {"foo offset 300", "foo offset 5m"},
    {"foo @ 12.5", "foo @ 12.500"},
    {"foo @ -1", "foo @ -1.000"},
    {"foo offset 5m @ start()", "foo @ start() offset 5m"},
    {"foo[5m] @ end() offset 1m", ""},
    {"foo[90]", "foo[1m30s]"},
    {"foo[5m:]", ""},
    {"foo[5m:30s] @ 1 offset -1m", "foo[5m:30s] @ 1.000 offset -1m"},
    {"foo[5m] anchored", ""},
    {"foo[5m] @ 1 smoothed", "foo[5m] smoothed @ 1.000"},
    {"foo smoothed", ""},
    // durations that are expressions
    {"foo[5m+step()]", "foo[5m + step()]"},
    {"foo[(5m+1)*2]", "foo[(5m + 1) * 2]"},
    {"foo[max_of(min_of(step(),1h),1ms)]", "foo[max_of(min_of(step(), 1h), 1ms)]"},
    {"foo[STEP()^2:range()/2]", "foo[step() ^ 2:range() / 2]"},
    {"foo offset -(2*1m)", "foo offset -(2 * 1m)"},
    {"foo offset -step()", ""},
    {"foo offset (1m)*2", "foo offset (1m * 2)"},
    {"foo offset - +2 ^ 2", "foo offset (-2 ^ 2)"},
    {"foo offset step()*2", "foo offset step() * 2"},
    {"foo offset 1m+1m", "foo offset 1m + 1m"},
    // calls and aggregations
    {"time()", ""},
    {"rate(foo[5m])", ""},
    {"min_of(1, 2)", ""},
    {"step()", ""},
    {"sum(foo)", ""},
    {"SUM BY (a, b,) (foo)", "sum by (a, b) (foo)"},
    {"sum(foo) by (a)", "sum by (a) (foo)"},
    {"sum by () (foo)", "sum(foo)"},
    {"sum without () (foo)", ""},
    {R"(sum by ("a.b", on) (foo))", ""},
    {"topk(5, foo) without (x)", "topk without (x) (5, foo)"},
    {R"(count_values("v", foo))", ""},
    {"limit_ratio(-0.5, foo)", ""},
    // operators
    {"a + b * c ^ d ^ e", ""},
    {"-a ^ 2", ""},
    {"-Inf ^ 2", ""},
    {"-(a)", ""},
    {"+a", ""},
    {"a and b or c unless d", ""},
    {"a atan2 b", ""},
    {"h </ 2", ""},
    {"h >/ -1", ""},
    {"1 == bool 2", ""},
    {"a > bool on (x) group_left (y, z) b", ""},
    {"a / ignoring(x) group_right b", "a / ignoring (x) group_right () b"},
    {"a + on() b", "a + on () b"},
    {"a + ignoring() b", "a + b"},
    {"a + fill(0) b", "a + fill (0) b"},
    {"a + on(x) fill_right(-1) fill_left(1e6) b", "a + on (x) fill_left (1e+06) fill_right (-1) b"},
    {"(a + (b))", ""},
    // keywords as names
    {"sum", ""},
    {"by + offset", ""},
    {"and and and", ""},
    {"start", ""},
    {"fill", ""},
    {"foo{by=\"1\",sum=\"2\"}", ""},
    // comments and white space
    {"a # note\n + # more\n b", "a + b"},
};

TEST_CASE("printer: expressions print in Prometheus's canonical form", "[promql][parse]") {
  for (const Printed& example : kExpressions) {
    const std::string printed = to_string(*parsed(example.text));
    CHECK(printed == (example.canonical.empty() ? example.text : example.canonical));
  }
}

TEST_CASE("printer: what is printed parses to the same again", "[promql][parse]") {
  for (const Printed& example : kExpressions) {
    const std::string printed = to_string(*parsed(example.text));
    CHECK(to_string(*parsed(printed)) == printed);
  }
}

TEST_CASE("printer: a clone prints like the original", "[promql][parse]") {
  for (const Printed& example : kExpressions) {
    const ExprPtr expr = parsed(example.text);
    const ExprPtr copy = clone(*expr);
    CHECK(to_string(*copy) == to_string(*expr));
    CHECK(copy->position == expr->position);
  }
}

TEST_CASE("printer: pretty breaks only what exceeds a line", "[promql][parse]") {
  CHECK(pretty(*parsed("sum(rate(foo[5m])) by (a)")) == "sum by (a) (rate(foo[5m]))");
  const std::string selector =
      R"(http_requests_total{code="500",handler="/api/v1/query",instance="a",job="prometheus"})";
  CHECK(pretty(*parsed("sum by (job) (rate(" + selector + "[5m])) / 100")) ==
        "  sum by (job) (\n"
        "    rate(" + selector + "[5m])\n"
        "  )\n"
        "/\n"
        "  100");
}

}  // namespace
}  // namespace varve::promql
