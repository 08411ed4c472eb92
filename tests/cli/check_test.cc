// SPDX-License-Identifier: Apache-2.0
#include "command_support.h"

namespace varve::cli {
namespace {

constexpr const char* kRules =
    "groups:\n- name: g\n  rules:\n  - record: a:b\n    expr: sum(up)\n  - alert: Down\n"
    "    expr: up == 0\n    annotations: {summary: '{{ $labels.job }} is down'}\n";
constexpr const char* kDuplicates =
    "groups:\n- name: g\n  rules:\n  - {record: a:b, expr: up, labels: {x: y}}\n"
    "- name: h\n  rules:\n  - {record: a:b, expr: down, labels: {x: y}}\n";

TEST_CASE("check rules: counts what is valid", "[cli]") {
  const Folder folder;
  const std::string path = folder.write("rules.yml", kRules);
  const Printed printed = run({"check", "rules", path});
  CHECK(printed.status == kExitOk);
  CHECK(printed.out == "Checking " + path + "\n  SUCCESS: 2 rules found\n\n");
  CHECK(printed.err.empty());
}

TEST_CASE("check rules: reads standard input where no file is named", "[cli]") {
  const Printed printed = run({"check", "rules"}, kRules);
  CHECK(printed.status == kExitOk);
  CHECK(printed.out == "Checking standard input\n  SUCCESS: 2 rules found\n\n");
  CHECK(run({"check", "rules"}, "groups: 1").status == kExitFailure);
}

TEST_CASE("check rules: duplicates fail by their own status, if that is wanted", "[cli]") {
  const Folder folder;
  const std::string path = folder.write("rules.yml", kDuplicates);
  const Printed printed = run({"check", "rules", path});
  CHECK(printed.status == kExitOk);
  CHECK(printed.err ==
        "  FAILED:\nlint error 1 duplicate rule(s) found.\nMetric: a:b\nLabel(s):\n\tx: y\n"
        "Might cause inconsistency while recording expressions\n");
  CHECK(run({"check", "rules", "--lint-fatal", path}).status == kExitLint);
  CHECK(run({"check", "rules", "--lint-fatal", "--lint=none", path}).status == kExitOk);
}

TEST_CASE("check rules: an expression or template that does not parse is an error", "[cli]") {
  const Folder folder;
  const std::string expression =
      folder.write("a.yml", "groups: [{name: g, rules: [{record: a, expr: 'sum('}]}]");
  const Printed printed = run({"check", "rules", expression});
  CHECK(printed.status == kExitFailure);
  CHECK(printed.err.find("could not parse expression") != std::string::npos);
  const std::string text = folder.write(
      "b.yml", "groups: [{name: g, rules: [{alert: A, expr: up, labels: {a: '{{ foo }}'}}]}]");
  CHECK(run({"check", "rules", text}).err.find("function \"foo\" not defined") !=
        std::string::npos);
}

TEST_CASE("check config: looks at the rule files too", "[cli]") {
  const Folder folder;
  folder.write("rules.yml", kRules);
  const std::string path = folder.write("varve.yml", "rule_files: ['*rules.yml']\n");
  const Printed printed = run({"check", "config", path});
  CHECK(printed.status == kExitOk);
  CHECK(printed.out == "Checking " + path + "\n  SUCCESS: 1 rule files found\n SUCCESS: " + path +
                           " is valid prometheus config file syntax\n\nChecking " + folder.path() +
                           "/rules.yml\n  SUCCESS: 2 rules found\n\n");
}

TEST_CASE("check config: a rule file that is named must be there, unless only syntax counts",
          "[cli]") {
  const Folder folder;
  const std::string path = folder.write("varve.yml", "rule_files: [none.yml]\n");
  const Printed printed = run({"check", "config", path});
  CHECK(printed.status == kExitFailure);
  CHECK(printed.err ==
        "  FAILED: \"" + folder.path() + "/none.yml\" does not point to an existing file\n");
  CHECK(run({"check", "config", "--syntax-only", path}).status == kExitOk);
}

TEST_CASE("check config: intervals past the lookback are style", "[cli]") {
  const Folder folder;
  const std::string path =
      folder.write("varve.yml", "scrape_configs: [{job_name: slow, scrape_interval: 10m}]\n");
  CHECK(run({"check", "config", "--lint-fatal", path}).status == kExitOk);
  const Printed printed = run({"check", "config", "--lint=all", "--lint-fatal", path});
  CHECK(printed.status == kExitLint);
  CHECK(printed.err.find("job: slow, interval: 10m") != std::string::npos);
}

TEST_CASE("check config: broken YAML names its place", "[cli]") {
  const Folder folder;
  const std::string path = folder.write("varve.yml", "global:\n  scrape_intervall: 1m\n");
  const Printed printed = run({"check", "config", path, "/nonexistent.yml"});
  CHECK(printed.status == kExitFailure);
  CHECK(printed.err.find(":2:3: field scrape_intervall not known") != std::string::npos);
  CHECK(printed.err.find("/nonexistent.yml") != std::string::npos);
}

TEST_CASE("check metrics: remarks end with the status of style", "[cli]") {
  const Printed good =
      run({"check", "metrics"}, "# HELP a_total x\n# TYPE a_total counter\na_total 1\n");
  CHECK(good.status == kExitOk);
  CHECK(good.err.empty());
  const Printed odd = run({"check", "metrics"}, "# TYPE a counter\na 1\n");
  CHECK(odd.status == kExitLint);
  CHECK(odd.err == "a counter metrics should have \"_total\" suffix\na no help text\n");
  CHECK(run({"check", "metrics"}, "a{ 1\n").status == kExitFailure);
}

TEST_CASE("check metrics --extended: a table of cardinality", "[cli]") {
  const Printed printed = run({"check", "metrics", "--extended", "--lint=none"},
                              "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\n"
                              "h_sum 3\nh_count 2\n# TYPE g gauge\ng 1\n");
  CHECK(printed.status == kExitOk);
  CHECK(printed.out ==
        "Metric    Cardinality    Percentage    \nh         4              80.00%        \n"
        "g         1              20.00%        \nTotal     5              100%          \n");
}

TEST_CASE("check config: looks into the files of file_sd_configs", "[cli]") {
  const Folder folder;
  const std::string path = folder.write(
      "p.yml",
      "scrape_configs: [{job_name: j, file_sd_configs: [{files: ['t*.yml', gone.json]}]}]\n");
  folder.write("t1.yml", "- targets: ['a:1']\n");
  Printed printed = run({"check", "config", path});
  CHECK(printed.status == kExitOk);
  CHECK(printed.out.find("  WARNING: file \"" + folder.path() +
                         "/gone.json\" for file_sd in scrape "
                         "job \"j\" does not exist\n") != std::string::npos);
  folder.write("gone.json", "[{\"targets\": 1}]");
  printed = run({"check", "config", path});
  CHECK(printed.status == kExitFailure);
  CHECK(printed.err.find("  FAILED: checking SD file \"" + folder.path() + "/gone.json\": ") !=
        std::string::npos);
  CHECK(run({"check", "config", "--syntax-only", path}).status == kExitOk);
  folder.write("gone.json", "[]");
  folder.write("t1.yml", "- targets: ['http://a:1/x']\n");
  printed = run({"check", "config", path});
  CHECK(printed.status == kExitFailure);
  CHECK(printed.err.find("is not a valid hostname") != std::string::npos);
}

TEST_CASE("commands that ask a server refuse a bad --http.config.file by its place", "[cli]") {
  const Folder folder;
  const std::string path = folder.write("h.yml", "basic_auht: {}\n");
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"query", "instant", "http://127.0.0.1:1", "up"},
        {"debug", "metrics", "http://127.0.0.1:1"},
        {"check", "healthy"}}) {
    std::vector<std::string> words = command;
    words.push_back("--http.config.file=" + path);
    const Printed printed = run(words);
    CHECK(printed.status == kExitFailure);
    CHECK(printed.err.find(path + ":1:1: field basic_auht not known in HTTP client config, did you "
                                  "mean basic_auth?") != std::string::npos);
  }
}

}  // namespace
}  // namespace varve::cli
