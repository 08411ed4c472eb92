// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "config/read_rules.h"

namespace varve::config {
namespace {

// Runs of blanks are one line's end in these texts: '|' stands for a new line.
std::string lines(std::string text) {
  for (char& c : text) c = c == '|' ? '\n' : c;
  return text;
}

std::vector<std::string> errors_of(const std::string& text, RuleFileSettings settings = {}) {
  std::vector<std::string> out;
  for (const Error& error : parse_rule_file(lines(text), "r.yml", settings).errors) {
    out.push_back(error.message());
  }
  return out;
}

// The one error of a rule in an otherwise good file; the rule's first key stands at 4:5.
std::string rule_error(const std::string& rule) {
  const auto errors = errors_of("groups:|- name: g|  rules:|  - " + rule + "|");
  return errors.size() == 1 ? errors[0] : "not one error but " + std::to_string(errors.size());
}

}  // namespace

TEST_CASE("rule file: everything it can say", "[config]") {
  const RuleFile file = parse_rule_file(R"(groups:
- name: one
  interval: 30s
  limit: 5
  query_offset: 1m
  labels: {team: core, kind: group}
  rules:
  - record: job:up:sum
    expr: sum by (job) (up)
    labels: {kind: rule, gone: ""}
  - alert: Down
    expr: |
      up == 0
    for: 5m
    keep_firing_for: 10m
    annotations: {summary: "{{ $labels.job }}"}
- name: two
  rules: []
)",
                                        "r.yml", {std::chrono::seconds(15)});
  REQUIRE(file.errors.empty());
  REQUIRE(file.groups.size() == 2);
  const rules::RuleGroupOptions& one = file.groups[0];
  CHECK(one.file == "r.yml");
  CHECK(one.interval == std::chrono::seconds(30));
  CHECK(one.limit == 5);
  CHECK(one.query_offset == std::chrono::minutes(1));
  REQUIRE(one.rules.size() == 2);
  CHECK(one.rules[0].kind == rules::RuleKind::kRecording);
  CHECK(one.rules[0].labels == rules::TextMap{{"team", "core"}, {"kind", "rule"}, {"gone", ""}});
  CHECK(one.rules[1].kind == rules::RuleKind::kAlerting);
  CHECK(one.rules[1].hold == std::chrono::minutes(5));
  CHECK(one.rules[1].keep_firing == std::chrono::minutes(10));
  CHECK(one.rules[1].labels == rules::TextMap{{"team", "core"}, {"kind", "group"}});
  CHECK(file.groups[1].interval == std::chrono::seconds(15));
  CHECK_FALSE(file.groups[1].query_offset);
}

TEST_CASE("rule file: an empty file has no groups", "[config]") {
  CHECK(errors_of("").empty());
  CHECK(errors_of("groups:").empty());
}

TEST_CASE("rule file: an unknown key names its place and the nearest right one", "[config]") {
  CHECK(errors_of("group: []") ==
        std::vector<std::string>{
            "r.yml:1:1: field group not known in rule file, did you mean groups?"});
  CHECK(errors_of("groups:|- name: g|  intervall: 5s") ==
        std::vector<std::string>{
            "r.yml:3:3: field intervall not known in rule group, did you mean interval?"});
  CHECK(rule_error("alrt: x") == "r.yml:4:5: field alrt not known in rule, did you mean alert?");
}

TEST_CASE("rule file: what is wrong with a rule, with group, rule and position", "[config]") {
  const std::string where = "r.yml:4:13: group \"g\", rule 1, \"a\": ";
  CHECK(rule_error("record: a|    expr: sum(") ==
        "r.yml:5:11: group \"g\", rule 1, \"a\": could not parse expression: 1:5: parse error: "
        "unclosed left parenthesis");
  CHECK(rule_error("record: a") ==
        "r.yml:4:5: group \"g\", rule 1, \"a\": field 'expr' must be set in rule");
  CHECK(rule_error("record: a|    expr: x|    for: 5m") ==
        where + "invalid field 'for' in recording rule");
  CHECK(rule_error("record: a|    expr: x|    keep_firing_for: 5m") ==
        where + "invalid field 'keep_firing_for' in recording rule");
  CHECK(rule_error("record: a|    expr: x|    annotations: {b: c}") ==
        where + "invalid field 'annotations' in recording rule");
  CHECK(rule_error("record: a|    alert: b|    expr: x") ==
        "r.yml:4:13: group \"g\", rule 1, \"b\": only one of 'record' and 'alert' must be set");
  CHECK(rule_error("expr: x") ==
        "r.yml:4:5: group \"g\", rule 1, \"\": one of 'record' or 'alert' must be set");
  CHECK(rule_error("record: 'a{b=\"c\"}'|    expr: x") ==
        "r.yml:4:13: group \"g\", rule 1, \"a{b=\\\"c\\\"}\": braces present in the recording rule "
        "name; should it be in expr?: a{b=\"c\"}");
  CHECK(rule_error("record: a|    expr: x|    labels: {__name__: b}") ==
        "r.yml:4:5: group \"g\", rule 1, \"a\": invalid label name: __name__");
  CHECK(rule_error("record: a|    expr: x|    for: 5").find("r.yml:6:10: ") == 0);
}

TEST_CASE("rule file: names follow the scheme", "[config]") {
  const std::string text = "groups:|- name: g|  rules:|  - {record: 'a b', expr: x}|";
  CHECK(errors_of(text).empty());
  RuleFileSettings legacy;
  legacy.name_scheme = model::NameScheme::kLegacy;
  CHECK(errors_of(text, legacy) ==
        std::vector<std::string>{
            "r.yml:4:14: group \"g\", rule 1, \"a b\": invalid recording rule name: a b"});
  CHECK(errors_of("groups:|- name: g|  rules:|  - {record: 'a:b_c', expr: x}|", legacy).empty());
}

TEST_CASE("rule file: a template that does not parse names the label or annotation", "[config]") {
  const std::string error =
      rule_error("alert: A|    expr: x|    annotations: {summary: '{{ $labels.'}");
  CHECK(error.find("r.yml:4:5: group \"g\", rule 1, \"A\": annotation \"summary\": template: "
                   "__alert_A:1: ") == 0);
}

TEST_CASE("rule file: all faults of a file are told", "[config]") {
  const auto errors = errors_of(
      "groups:|- name: g|  rules:|  - {record: a, expr: '('}|  - {alert: B}|- name: g|- rules: "
      "[]|");
  CHECK(errors.size() == 4);
  CHECK(errors.at(2) == "r.yml:6:3: groupname: \"g\" is repeated in the same file");
  CHECK(errors.at(3) == "r.yml:7:3: Groupname must not be empty");
}

}  // namespace varve::config
