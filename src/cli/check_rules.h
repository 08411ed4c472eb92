// SPDX-License-Identifier: Apache-2.0
// Are rule files valid, and is there anything odd in them?
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.h"
#include "promql/features.h"

namespace varve::fs {
class FileSystem;
}

namespace varve::cli {

// --lint and --lint-fatal.
struct LintOptions {
  bool duplicate_rules = false;
  std::chrono::milliseconds scrape_interval_max{};  // 0: not looked at
  bool fatal = false;
  bool ignore_unknown = false;  // --ignore-unknown-fields: of rule files
};
// `list` is comma-separated; `with_config` also takes the options for scrape configs.
LintOptions read_lint_options(std::string_view list, bool fatal, bool with_config,
                              std::chrono::milliseconds lookback_delta, const Console& console);

// What checks have found so far.
struct Findings {
  bool failed = false;      // anything at all
  bool has_errors = false;  // more than style
  int exit_status(bool lint_fatal) const {
    if (failed && has_errors) return kExitFailure;
    return failed && lint_fatal ? kExitLint : kExitOk;
  }
};

void check_rule_files(fs::FileSystem& files, const std::vector<std::string>& paths,
                      const LintOptions& lint, const promql::Features& features,
                      const Console& console, Findings& findings);

// The command; reads standard input if no files are named.
int check_rules(const std::vector<std::string>& words, const Console& console);

}  // namespace varve::cli
