// SPDX-License-Identifier: Apache-2.0
// Runs one group of unit tests: input series come into sight, the rules are evaluated at every
// interval, and alerts and expressions are compared with what is expected.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/rule_test_file.h"
#include "promql/features.h"
#include "rules/options.h"

namespace varve::cli {

// What the groups of a file share.
struct RuleTestSettings {
  std::chrono::milliseconds evaluation_interval{};
  std::vector<std::string> group_eval_order;
  bool fuzzy_compare = false;  // floats may differ in the last bit
  bool debug = false;
  promql::Features features;
};

// The differences and errors, in promtool's words; none if the tests passed. `groups` are the rule
// files' in the order of the files.
std::vector<std::string> run_test_group(const TestGroup& test,
                                        std::vector<rules::RuleGroupOptions> groups,
                                        const RuleTestSettings& settings, const Console& console);

}  // namespace varve::cli
