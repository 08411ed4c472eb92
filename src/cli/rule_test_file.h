// SPDX-License-Identifier: Apache-2.0
// The format of unit tests of rules, as promtool's users write them.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rules/options.h"
#include "varve/labels.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::cli {

struct InputSeries {
  std::string series;
  std::string values;
};

struct ExpectedAlert {
  rules::TextMap labels;  // without alertname
  rules::TextMap annotations;
};

struct AlertTest {
  std::chrono::milliseconds eval_time{};
  std::string alertname;
  std::vector<ExpectedAlert> alerts;
};

struct ExpectedSample {
  std::string labels;
  double value = 0;
  std::string histogram;  // if not empty, it is meant and not the value
};

struct ExpressionTest {
  std::string expression;
  std::chrono::milliseconds eval_time{};
  std::vector<ExpectedSample> samples;
};

struct TestGroup {
  std::string name;
  std::chrono::milliseconds interval{};  // between samples of the input series
  std::vector<InputSeries> input_series;
  std::vector<AlertTest> alert_tests;
  std::vector<ExpressionTest> expression_tests;
  Labels external_labels;
  std::string external_url;
  Timestamp start_ms = 0;
};

struct RuleTestFile {
  std::vector<std::string> rule_files;  // patterns, joined with the file's folder
  std::chrono::milliseconds evaluation_interval{};
  std::vector<std::string> group_eval_order;
  std::vector<TestGroup> groups;
  bool fuzzy_compare = false;
};

// `name` is the file in messages, `directory` what relative rule files are joined with. Unknown
// keys are errors unless they are to be ignored. kInvalidArgument: "file:line:column: what".
Result<RuleTestFile> parse_rule_test_file(std::string_view text, const std::string& name,
                                          const std::string& directory, bool ignore_unknown);

}  // namespace varve::cli
