// SPDX-License-Identifier: Apache-2.0
#include "command_support.h"

namespace varve::cli {
namespace {

constexpr const char* kRules = R"(groups:
- name: recorded
  rules:
  - record: job:up:sum
    expr: sum by (job) (up)
- name: alerts
  rules:
  - alert: Down
    expr: up == 0
    for: 2m
    labels: {severity: page}
    annotations:
      summary: '{{ $labels.instance }} of {{ $externalLabels.dc }} is down: {{ $value }}'
)";

std::string test_file(const std::string& tests) {
  return "rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n" + tests;
}

struct Fixture {
  Folder folder;
  Fixture() { folder.write("rules.yml", kRules); }
  Printed run_tests(const std::string& tests, std::vector<std::string> flags = {}) const {
    std::vector<std::string> words{"test", "rules"};
    words.insert(words.end(), flags.begin(), flags.end());
    words.push_back(folder.write("test.yml", test_file(tests)));
    return run(words);
  }
};

TEST_CASE_METHOD(Fixture, "test rules: alerts and expressions as expected", "[cli]") {
  const Printed printed = run_tests(R"(
- interval: 1m
  external_labels: {dc: eu}
  input_series:
  - {series: 'up{job="a", instance="x"}', values: '1 0x5'}
  - {series: 'up{job="a", instance="y"}', values: '1x5 _ stale'}
  - {series: 'h', values: '{{schema:0 sum:3 count:4 buckets:[1 2 1]}}x5'}
  alert_rule_test:
  - {eval_time: 2m, alertname: Down}
  - eval_time: 3m
    alertname: Down
    exp_alerts:
    - exp_labels: {severity: page, job: a, instance: x}
      exp_annotations: {summary: 'x of eu is down: 0'}
  promql_expr_test:
  - expr: job:up:sum
    eval_time: 1m
    exp_samples: [{labels: 'job:up:sum{job="a"}', value: 1}]
  - expr: h
    eval_time: 0s
    exp_samples: [{labels: h, histogram: '{{schema:0 sum:3 count:4 buckets:[1 2 1]}}'}]
  - {expr: nothing, eval_time: 1m}
  - {expr: 'count(ALERTS{alertstate="firing"})', eval_time: 4m, exp_samples: [{labels: '', value: 1}]}
)");
  CHECK(printed.err.empty());
  CHECK(printed.out == "  SUCCESS\n\n");
  CHECK(printed.status == kExitOk);
}

TEST_CASE_METHOD(Fixture, "test rules: differences are shown in full", "[cli]") {
  const Printed printed = run_tests(R"(
- name: wrong
  input_series: [{series: 'up{job="a", instance="x"}', values: '0x5'}]
  alert_rule_test: [{eval_time: 3m, alertname: Down}]
  promql_expr_test: [{expr: job:up:sum, eval_time: 1m, exp_samples: [{labels: 'x', value: 1.5}]}]
)");
  CHECK(printed.status == kExitFailure);
  CHECK(printed.err == R"(  FAILED:
    name: wrong,
    alertname: Down, time: 3m, 
        exp:[], 
        got:[
            0:
              Labels:{alertname="Down", instance="x", job="a", severity="page"}
              Annotations:{summary="x of  is down: 0"}
            ]
    expr: "job:up:sum", time: 1m,
        exp: {__name__="x"} 1.5E+00
        got: {__name__="job:up:sum", job="a"} 0E+00
)");
}

TEST_CASE_METHOD(Fixture, "test rules: --run picks groups by name, --junit writes the results",
                 "[cli]") {
  const std::string tests = R"(
- {name: good, promql_expr_test: [{expr: '1', eval_time: 0s, exp_samples: [{labels: '{}', value: 1}]}]}
- {name: bad, promql_expr_test: [{expr: '1', eval_time: 0s, exp_samples: [{labels: '{}', value: 2}]}]}
)";
  CHECK(run_tests(tests).status == kExitFailure);
  CHECK(run_tests(tests, {"--run=goo"}).status == kExitOk);
  CHECK(run_tests(tests, {"--run=none", "--run", "bad"}).status == kExitFailure);
  const std::string path = folder.path() + "/junit.xml";
  CHECK(run_tests(tests, {"--junit=" + path}).status == kExitFailure);
  std::ifstream file(path);
  const std::string xml{std::istreambuf_iterator<char>(file), {}};
  CHECK(xml.find("tests=\"2\" failures=\"1\" errors=\"0\"") != std::string::npos);
  CHECK(xml.find("<testcase name=\"bad\"><failure>") != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "test rules: floats are exact unless they may be fuzzy", "[cli]") {
  const std::string tests = R"(
- promql_expr_test: [{expr: '0.1 + 0.2', eval_time: 0s, exp_samples: [{labels: '{}', value: 0.3}]}]
)";
  CHECK(run_tests(tests).status == kExitFailure);
  CHECK(run_tests(tests + "fuzzy_compare: true\n").status == kExitOk);
}

TEST_CASE_METHOD(Fixture, "test rules: infinities are expected in YAML's words", "[cli]") {
  CHECK(run_tests(R"(
- input_series: [{series: a, values: 'Inf -Inf'}]
  promql_expr_test:
  - {expr: a, eval_time: 0s, exp_samples: [{labels: a, value: .inf}]}
  - {expr: a, eval_time: 1m, exp_samples: [{labels: a, value: -.Inf}]}
)")
            .status == kExitOk);
}

TEST_CASE_METHOD(Fixture, "test rules: a rule never sees what comes after its time", "[cli]") {
  folder.write("rules.yml", "groups: [{name: g, rules: [{record: next, expr: 'a offset -1m'}]}]");
  const Printed printed = run_tests(R"(
- input_series: [{series: a, values: '0+1x5'}]
  promql_expr_test: [{expr: next, eval_time: 3m, exp_samples: [{labels: next, value: 3}]}]
)");
  CHECK(printed.err.empty());
}

TEST_CASE_METHOD(Fixture, "test rules: start_timestamp moves history", "[cli]") {
  CHECK(run_tests(R"(
- start_timestamp: 2024-02-29T00:00:00Z
  input_series: [{series: a, values: '1x5'}]
  promql_expr_test:
  - {expr: 'day_of_month() + 0 * a', eval_time: 2m, exp_samples: [{labels: '{}', value: 29}]}
)")
            .status == kExitOk);
  CHECK(run_tests(R"(
- start_timestamp: 1709164800
  promql_expr_test:
  - {expr: day_of_month(), eval_time: 2m, exp_samples: [{labels: '{}', value: 29}]}
)")
            .status == kExitOk);
}

TEST_CASE_METHOD(Fixture, "test rules: what is wrong with the file or its rules is said", "[cli]") {
  CHECK(run_tests("- {input_serie: []}")
            .err.find("field input_serie not known in test group, did you "
                      "mean input_series?") != std::string::npos);
  CHECK(run_tests("- {input_serie: []}", {"--ignore-unknown-fields"}).status == kExitOk);
  CHECK(run_tests("- {alert_rule_test: [{eval_time: 1m}]}")
            .err.find("misses required attribute alertname at eval_time 1m") != std::string::npos);
  CHECK(run_tests("- {input_series: [{series: 'a{', values: '1'}]}").status == kExitFailure);
  folder.write("rules.yml", "groups: [{name: g, rules: [{record: a, expr: 'b + on(c) d'}]}]");
  const Printed printed = run_tests(R"(
- input_series: [{series: 'b', values: '1'}, {series: 'd{e="1"}', values: '1'}, {series: 'd', values: '1'}]
  promql_expr_test: [{expr: a, eval_time: 0s}]
)");
  CHECK(printed.err.find("    rule: a, time: 0s, err: found duplicate series") !=
        std::string::npos);
  CHECK(run({"test", "rules", folder.path() + "/none.yml"}).status == kExitFailure);
  CHECK(run({"test", "rules"}).status == kExitFailure);
}

TEST_CASE_METHOD(Fixture, "test rules: groups are evaluated in the order asked for", "[cli]") {
  folder.write("rules.yml",
               "groups:\n- {name: second, rules: [{record: b, expr: a}]}\n"
               "- {name: first, rules: [{record: a, expr: vector(1)}]}\n");
  const std::string tests =
      "- promql_expr_test: [{expr: b, eval_time: 0s, exp_samples: [{labels: b, value: 1}]}]\n";
  CHECK(run_tests(tests).status == kExitFailure);
  CHECK(run_tests(tests + "group_eval_order: [first, second]\n").status == kExitOk);
  CHECK(run_tests(tests + "group_eval_order: [first, first]\n")
            .err.find("group name repeated in evaluation order: first") != std::string::npos);
}

}  // namespace
}  // namespace varve::cli
