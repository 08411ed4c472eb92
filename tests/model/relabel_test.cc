// SPDX-License-Identifier: Apache-2.0
#include "model/relabel.h"

#include <catch2/catch.hpp>

using namespace varve;
using model::NameScheme;
using model::RelabelAction;
using model::RelabelOptions;
using model::RelabelRule;

namespace {

RelabelOptions rule(RelabelAction action) {
  RelabelOptions options;
  options.action = action;
  return options;
}

RelabelOptions replace(std::vector<std::string> sources, std::string regex, std::string target,
                       std::string replacement) {
  RelabelOptions options;
  options.source_labels = std::move(sources);
  options.regex = std::move(regex);
  options.target_label = std::move(target);
  options.replacement = std::move(replacement);
  return options;
}

// The labels after the rules, printed; "dropped" if they drop the set.
std::string run(const Labels& in, const std::vector<RelabelOptions>& options) {
  std::vector<RelabelRule> rules;
  for (const RelabelOptions& one : options) {
    auto made = RelabelRule::create(one);
    REQUIRE(made.ok());
    rules.push_back(*std::move(made));
  }
  LabelsBuilder builder(in);
  return model::relabel(rules, builder) ? builder.build().to_string() : "dropped";
}

std::string why(RelabelOptions options, NameScheme scheme = NameScheme::kUtf8) {
  const auto made = RelabelRule::create(std::move(options), scheme);
  return made.ok() ? "ok" : made.error().message();
}

}  // namespace

TEST_CASE("relabel: replace fills in groups by number, braces and name", "[model]") {
  const Labels in{{"a", "foo"}, {"b", "bar"}};
  CHECK(run(in, {replace({"a", "b"}, "f(.*);(.*)r", "c", "${1}-$2")}) ==
        R"({a="foo", b="bar", c="oo-ba"})");
  CHECK(run(in, {replace({"a"}, "(?P<first>.)(?<rest>.*)", "c", "${rest}$first")}) ==
        R"({a="foo", b="bar", c="oof"})");
  // A name is as long as it can be: $1x is the group "1x", which does not exist.
  CHECK(run(in, {replace({"a"}, "(.*)", "c", "[$1x]")}) == R"({a="foo", b="bar", c="[]"})");
  CHECK(run(in, {replace({"a"}, "(.*)", "c", "$$1 $ ${1")}) ==
        R"({a="foo", b="bar", c="$1 $ ${1"})");
  CHECK(run(in, {replace({"a"}, "(f)(.*)", "${2}_$1", "x")}) ==
        R"({a="foo", b="bar", oo_f="x"})");
}

TEST_CASE("relabel: replace leaves alone what does not match at both ends", "[model]") {
  const Labels in{{"a", "foo"}};
  CHECK(run(in, {replace({"a"}, "fo", "c", "x")}) == R"({a="foo"})");
  CHECK(run(in, {replace({"a"}, "f|o|foo", "c", "x")}) == R"({a="foo", c="x"})");
  // An empty result removes the label; a missing source is the empty string.
  CHECK(run(in, {replace({"none"}, "(.*)", "a", "$1")}) == "{}");
  CHECK(run(in, {replace({}, "(.*)", "fixed", "v")}) == R"({a="foo", fixed="v"})");
  // A target that comes out empty is no label name.
  CHECK(run(in, {replace({"none"}, "(.*)", "$1", "v")}) == R"({a="foo"})");
  CHECK(run(Labels{{"a", "x\ny"}}, {replace({"a"}, "x.y", "b", "1")}) ==
        R"({a="x\ny", b="1"})");
}

TEST_CASE("relabel: keep, drop and their equal twins", "[model]") {
  const Labels in{{"a", "1"}, {"b", "1"}, {"c", "2"}};
  auto with = [](RelabelAction action, std::string regex) {
    RelabelOptions options = rule(action);
    options.source_labels = {"a", "c"};
    options.regex = std::move(regex);
    return options;
  };
  CHECK(run(in, {with(RelabelAction::kKeep, "1;2")}) != "dropped");
  CHECK(run(in, {with(RelabelAction::kKeep, "1;3")}) == "dropped");
  CHECK(run(in, {with(RelabelAction::kDrop, "1;.*")}) == "dropped");
  CHECK(run(in, {with(RelabelAction::kDrop, "2")}) != "dropped");
  auto equal = [](RelabelAction action, std::string target) {
    RelabelOptions options = rule(action);
    options.source_labels = {"a"};
    options.target_label = std::move(target);
    return options;
  };
  CHECK(run(in, {equal(RelabelAction::kKeepEqual, "b")}) != "dropped");
  CHECK(run(in, {equal(RelabelAction::kKeepEqual, "c")}) == "dropped");
  CHECK(run(in, {equal(RelabelAction::kDropEqual, "b")}) == "dropped");
  CHECK(run(in, {equal(RelabelAction::kDropEqual, "c")}) != "dropped");
}

TEST_CASE("relabel: hashmod is the last eight bytes of the MD5", "[model]") {
  RelabelOptions options = rule(RelabelAction::kHashMod);
  options.source_labels = {"c"};
  options.target_label = "d";
  options.modulus = 1000;
  // Values of Prometheus's own test.
  CHECK(run(Labels{{"a", "foo"}, {"b", "bar"}, {"c", "baz"}}, {options}) ==
        R"({a="foo", b="bar", c="baz", d="976"})");
  CHECK(run(Labels{{"a", "foo\nbar"}, {"c", "foo\nbar"}}, {options}) ==
        R"({a="foo\nbar", c="foo\nbar", d="734"})");
}

TEST_CASE("relabel: labelmap, labeldrop and labelkeep go by names", "[model]") {
  const Labels in{{"__meta_x", "1"}, {"__meta_y", "2"}, {"job", "j"}};
  RelabelOptions map = rule(RelabelAction::kLabelMap);
  map.regex = "__meta_(.+)";
  CHECK(run(in, {map}) == R"({__meta_x="1", __meta_y="2", job="j", x="1", y="2"})");
  RelabelOptions drop = rule(RelabelAction::kLabelDrop);
  drop.regex = "__meta_.*";
  CHECK(run(in, {map, drop}) == R"({job="j", x="1", y="2"})");
  RelabelOptions keep = rule(RelabelAction::kLabelKeep);
  keep.regex = "job|__meta_x";
  CHECK(run(in, {keep}) == R"({__meta_x="1", job="j"})");
}

TEST_CASE("relabel: lowercase and uppercase know Unicode", "[model]") {
  const Labels in{{"a", "Straße ÄÖ Ж 1"}};
  RelabelOptions lower = rule(RelabelAction::kLowercase);
  lower.source_labels = {"a"};
  lower.target_label = "b";
  CHECK(run(in, {lower}) == "{a=\"Straße ÄÖ Ж 1\", b=\"straße äö ж 1\"}");
  RelabelOptions upper = lower;
  upper.action = RelabelAction::kUppercase;
  CHECK(run(Labels{{"a", "äж"}}, {upper}) == "{a=\"äж\", b=\"ÄЖ\"}");
}

TEST_CASE("relabel: a wrong rule is refused in Prometheus's words", "[model]") {
  CHECK(why(rule(RelabelAction::kHashMod)) ==
        "relabel configuration for hashmod requires non-zero modulus");
  CHECK(why(rule(RelabelAction::kReplace)) ==
        "relabel configuration for replace action requires 'target_label' value");
  CHECK(why(replace({"a"}, "(.*)", "0x", "y"), NameScheme::kLegacy) ==
        "\"0x\" is invalid 'target_label' for replace action");
  CHECK(why(replace({"a"}, "(.*)", "0x", "y")) == "ok");
  CHECK(why(replace({"a"}, "(.*)", "a${1", "y"), NameScheme::kLegacy) ==
        "\"a${1\" is invalid 'target_label' for replace action");
  RelabelOptions lower = rule(RelabelAction::kLowercase);
  lower.target_label = "b";
  lower.replacement = "x";
  CHECK(why(lower) == "'replacement' can not be set for lowercase action");
  RelabelOptions keep = rule(RelabelAction::kLabelKeep);
  keep.source_labels = {"a"};
  CHECK(why(keep) == "labelkeep action requires only 'regex', and no other fields");
  RelabelOptions equal = rule(RelabelAction::kDropEqual);
  equal.target_label = "b";
  equal.regex = "x";
  CHECK(why(equal) ==
        "dropequal action requires only 'source_labels' and `target_label`, and no other fields");
  CHECK(why(replace({"a"}, "a(", "b", "c")).starts_with("error parsing regexp: "));
  CHECK(why(replace({"a"}, "((a{1000}){1000}){1000}", "b", "c"))
            .starts_with("error parsing regexp: "));
}

TEST_CASE("relabel: actions read in any case", "[model]") {
  CHECK(model::parse_relabel_action("LabelMap") == RelabelAction::kLabelMap);
  CHECK_FALSE(model::parse_relabel_action("label_map").has_value());
}

TEST_CASE("utf-8: overlong forms, surrogates and cut sequences are invalid", "[model]") {
  CHECK(model::valid_utf8("a\u00e9\u65e5\U0001f600"));
  for (const char* bad :
       {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80", "\xff"}) {
    CHECK_FALSE(model::valid_utf8(bad));
  }
}
