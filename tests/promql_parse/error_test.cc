// SPDX-License-Identifier: Apache-2.0
// The texts are Prometheus's: those of 2.42 wherever its grammar is the same, checked against its
// promtool.
#include "parse_support.h"

namespace varve::promql {
namespace {

struct Refused {
  std::string_view text;
  std::string_view message;  // behind "parse error: "
  std::string_view at = "1:1";
};

const Refused kRefused[] = {
    {"", "no expression found in input"},
    {"# only a comment", "no expression found in input"},
    // lexical
    {"foo$", "unexpected character: '$'", "1:4"},
    {"foo)", "unexpected right parenthesis ')'", "1:5"},
    {"foo]", "unexpected right bracket ']'", "1:4"},
    {"(foo", "unclosed left parenthesis", "1:5"},
    {"foo{", "unexpected end of input inside braces", "1:5"},
    {"foo{a!b}", "unexpected character after '!' inside braces: 'b'", "1:6"},
    {"a =~ b", "unexpected character after '=': '~'", "1:3"},
    {"\"abc", "unterminated quoted string"},
    {"`abc", "unterminated raw string"},
    {R"("a\qb")", "unknown escape sequence U+0071 'q'"},
    {R"("\777")", "escape sequence is an invalid Unicode code point"},
    {R"("\xg0")", "illegal character U+0067 'g' in escape sequence"},
    {"0o17", "bad number or duration syntax: \"0\""},
    {"1_", "bad number or duration syntax: \"1_\""},
    {"0x", "error parsing number: strconv.ParseFloat: parsing \"0x\": invalid syntax"},
    {"1e400", "error parsing number: strconv.ParseFloat: parsing \"1e400\": value out of range"},
    {"5m5h", "not a valid duration string: \"5m5h\""},
    {"foo[5m", "unclosed left bracket", "1:7"},
    {"foo[", "unexpected end of input in duration expression", "1:5"},
    {"foo[x]", "unexpected character in duration expression: 'x'", "1:5"},
    {"foo[5m::]", "unexpected colon ':'", "1:8"},
    // grammar
    {"1 +", "unexpected end of input", "1:4"},
    {"foo bar", "unexpected identifier \"bar\"", "1:5"},
    {"foo +\n\n bar baz", "unexpected identifier \"baz\"", "3:6"},
    {"sum(1 +)", "unexpected \")\" in aggregation", "1:8"},
    {"sum(x) by a", "unexpected identifier \"a\" in grouping opts, expected \"(\"", "1:11"},
    {"sum by (1) (x)", "unexpected number \"1\" in grouping opts, expected label", "1:9"},
    {"sum by (a b) (x)", "unexpected identifier \"b\" in grouping opts, expected \",\" or \")\"",
     "1:11"},
    {"sum by (\"\") (x)", "invalid label name for grouping: \"\"", "1:9"},
    {"foo{,}", "unexpected \",\" in label matching, expected identifier or \"}\"", "1:5"},
    {"foo{a}", "unexpected \"}\" in label matching, expected label matching operator", "1:6"},
    {"foo{a=b}", "unexpected identifier \"b\" in label matching, expected string", "1:7"},
    {"foo{a=\"b\" c=\"d\"}",
     "unexpected identifier \"c\" in label matching, expected \",\" or \"}\"", "1:11"},
    {"foo @ bar", "unexpected identifier \"bar\" in @, expected timestamp", "1:7"},
    {"foo offset bar",
     "unexpected identifier \"bar\" in offset, expected number, duration, step(), or range()",
     "1:12"},
    {"foo[5m 5m]", "unexpected duration \"5m\" in subquery or range, expected \":\" or \"]\"",
     "1:8"},
    {"rate(a[5m],)", "trailing commas not allowed in function call args", "1:11"},
    {"a + group_left() b", "unexpected <group_left>", "1:5"},
    // selectors
    {"{}", "vector selector must contain at least one non-empty matcher"},
    {"1 + {a=~\".*\"}", "vector selector must contain at least one non-empty matcher", "1:5"},
    {"foo{__name__=\"x\"}", "metric name must not be set twice: \"foo\" or \"x\""},
    {"foo offset 1m offset 2m", "offset may not be set multiple times"},
    {"foo @ 1 @ 2", "@ <timestamp> may not be set multiple times"},
    {"foo @ Inf", "timestamp out of bounds for @ modifier: +Inf"},
    {"1 offset 5m",
     "offset modifier must be preceded by an instant vector selector or range vector selector or a "
     "subquery"},
    {"sum(x) @ 1",
     "@ modifier must be preceded by an instant vector selector or range vector selector or a "
     "subquery"},
    {"(foo)[5m]", "ranges only allowed for vector selectors", "1:6"},
    {"foo offset 5m[5m]", "no offset modifiers allowed before range", "1:14"},
    {"foo @ 1 [5m]", "no @ modifiers allowed before range", "1:9"},
    {"foo[0]", "duration must be greater than 0", "1:5"},
    {"foo[5m:-1]", "duration must be greater than 0", "1:8"},
    {"foo[1m/0]", "division by zero", "1:7"},
    {"foo[5m] anchored smoothed", "anchored and smoothed modifiers cannot be used together"},
    {"foo[5m:1m] anchored", "anchored modifier is not supported for subqueries"},
    // types
    {"rate(foo)", "expected type range vector in call to function \"rate\", got instant vector",
     "1:6"},
    {"abs(1)", "expected type instant vector in call to function \"abs\", got scalar", "1:5"},
    {"sum(foo[5m])", "expected type instant vector in aggregation expression, got range vector",
     "1:5"},
    {"topk(foo, bar)", "expected type scalar in aggregation parameter, got instant vector", "1:6"},
    {"count_values(1, x)", "expected type string in aggregation parameter, got scalar", "1:14"},
    {"time()[5m:]", "subquery is only allowed on instant vector, got scalar instead"},
    {"-\"x\"",
     "unary expression only allowed on expressions of type scalar or instant vector, got "
     "\"string\""},
    {"foo + \"x\"", "binary expression must contain only scalar and instant vector types", "1:7"},
    {"nofn(1)", "unknown function with name \"nofn\""},
    {"abs()", "expected 1 argument(s) in call to \"abs\", got 0"},
    {"round(x, 1, 2)", "expected at most 2 argument(s) in call to \"round\", got 3"},
    {"label_join(x, \"a\")", "expected at least 3 argument(s) in call to \"label_join\", got 2"},
    {"sum()", "no arguments for aggregate expression provided"},
    {"topk(x)", "wrong number of arguments for aggregate expression provided, expected 2, got 1"},
    {"info(a, b)", "expected label selectors only, got vector selector instead", "1:9"},
    // operators
    {"1 == 1", "comparisons between scalars must use BOOL modifier", "1:3"},
    {"a + bool b", "bool modifier can only be used on comparison operators", "1:3"},
    {"1 and foo", "set operator \"and\" not allowed in binary scalar expression"},
    {"a or on() group_left b", "no grouping allowed for \"or\" operation"},
    {"a + on(x) group_left(x) b", "label \"x\" must not occur in ON and GROUP clause at once",
     "1:3"},
    {"a + on(x) 1", "vector matching only allowed between instant vectors"},
    {"a + fill(1) 1", "filling in missing series only allowed between instant vectors"},
    {"a and fill(1) b", "filling in missing series not allowed for set operators"},
};

TEST_CASE("parser: errors carry Prometheus's text and position", "[promql][parse]") {
  for (const Refused& example : kRefused) {
    CAPTURE(std::string(example.text));
    CHECK(refusal(example.text) ==
          std::string(example.at) + ": parse error: " + std::string(example.message));
  }
}

TEST_CASE("parser: what a feature switches on is refused without it", "[promql][parse]") {
  const Features none;
  CHECK(refusal("min_of(1, 2)", none) == "1:1: parse error: function \"min_of\" is not enabled");
  CHECK(refusal("sum(limitk(1, x))", none) ==
        "1:5: parse error: limitk() is experimental and must be enabled with "
        "--enable-feature=promql-experimental-functions");
  CHECK(refusal("x[5m] smoothed", none) ==
        "1:1: parse error: smoothed modifier is experimental and not enabled");
  CHECK(refusal("a + fill(1) b", none) ==
        "1:1: parse error: binop fill modifiers are experimental and not enabled");
  Features no_expressions;
  no_expressions.duration_expressions = false;
  CHECK(refusal("x[5m + 1]", no_expressions) ==
        "1:3: parse error: experimental duration expression is not enabled");
}

TEST_CASE("parser: a selector for match[] has no modifiers", "[promql][parse]") {
  const auto matchers = parse_selector(R"(up{job="a"})");
  REQUIRE(matchers.ok());
  REQUIRE(matchers->size() == 2);
  CHECK((*matchers)[0].to_string() == "job=\"a\"");
  CHECK((*matchers)[1].to_string() == "__name__=\"up\"");
  CHECK(parse_selector("up offset 5m").error().message() ==
        "1:4: parse error: unexpected <offset>");
  CHECK(parse_selector("").error().message() == "1:1: parse error: unexpected end of input");
  CHECK(parse_selector("{}").ok());  // whether it selects something is the caller's question
}

}  // namespace
}  // namespace varve::promql
