// SPDX-License-Identifier: Apache-2.0
#include "cli/check_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <istream>
#include <iterator>
#include <ostream>
#include <set>
#include <tuple>

#include "cli/arguments.h"
#include "cli/features.h"
#include "config/read_rules.h"
#include "fs/real_fs.h"

namespace varve::cli {
namespace {

// Two rules with one name and the same labels write the same series.
struct RuleIdentity {
  std::string name;
  rules::TextMap labels;
  friend bool operator<(const RuleIdentity& a, const RuleIdentity& b) {
    return std::tie(a.name, a.labels) < std::tie(b.name, b.labels);
  }
};

std::set<RuleIdentity> duplicates(const std::vector<rules::RuleGroupOptions>& groups) {
  std::set<RuleIdentity> seen, repeated;
  for (const rules::RuleGroupOptions& group : groups) {
    for (const rules::RuleOptions& rule : group.rules) {
      RuleIdentity identity{rule.name, rule.labels};
      if (!seen.insert(identity).second) repeated.insert(std::move(identity));
    }
  }
  return repeated;
}

void report(const config::RuleFile& file, const LintOptions& lint, const Console& console,
            Findings& findings) {
  if (!file.errors.empty()) {
    console.err << "  FAILED:\n";
    for (const Error& error : file.errors) console.err << error.message() << "\n";
    findings.failed = findings.has_errors = true;
    return;
  }
  std::size_t count = 0;
  for (const rules::RuleGroupOptions& group : file.groups) count += group.rules.size();
  const auto repeated = lint.duplicate_rules ? duplicates(file.groups) : std::set<RuleIdentity>();
  if (repeated.empty()) {
    console.out << "  SUCCESS: " << count << " rules found\n\n";
    return;
  }
  console.err << "  FAILED:\nlint error " << repeated.size() << " duplicate rule(s) found.\n";
  for (const RuleIdentity& rule : repeated) {
    console.err << "Metric: " << rule.name << "\nLabel(s):\n";
    for (const auto& [name, value] : rule.labels) {
      console.err << "\t" << name << ": " << value << "\n";
    }
  }
  console.err << "Might cause inconsistency while recording expressions\n";
  console.out << "\n";
  findings.failed = true;
}

}  // namespace

LintOptions read_lint_options(std::string_view list, bool fatal, bool with_config,
                              std::chrono::milliseconds lookback_delta, const Console& console) {
  LintOptions lint;
  lint.fatal = fatal;
  bool none = false;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    const std::string_view option = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    if (option == "all" || option == "duplicate-rules") lint.duplicate_rules = true;
    if (with_config && (option == "all" || option == "too-long-scrape-interval")) {
      lint.scrape_interval_max = lookback_delta;
    } else if (option == "none") {
      none = true;
    } else if (option != "all" && option != "duplicate-rules") {
      console.out << fmt::format("WARNING: unknown lint option: \"{}\"\n", option);
    }
  }
  if (none) {
    lint.duplicate_rules = false;
    lint.scrape_interval_max = {};
  }
  return lint;
}

void check_rule_files(fs::FileSystem& files, const std::vector<std::string>& paths,
                      const LintOptions& lint, const promql::Features& features,
                      const Console& console, Findings& findings) {
  config::RuleFileSettings settings;
  settings.features = features;
  settings.ignore_unknown = lint.ignore_unknown;
  for (const std::string& path : paths) {
    console.out << "Checking " << path << "\n" << std::flush;
    report(config::read_rule_file(files, path, settings), lint, console, findings);
  }
}

int check_rules(const std::vector<std::string>& words, const Console& console) {
  static constexpr FlagSpec kFlags[] = {{"lint"},
                                        {"lint-fatal", false},
                                        {"ignore-unknown-fields", false},
                                        {"enable-feature"},
                                        {"query.lookback-delta"}};
  const auto arguments = Arguments::parse(words, kFlags);
  if (!arguments.ok()) {
    console.err << "varve: error: " << arguments.error().message() << "\n";
    return kExitFailure;
  }
  LintOptions lint = read_lint_options(arguments->text("lint", "duplicate-rules"),
                                       arguments->on("lint-fatal"), false, {}, console);
  lint.ignore_unknown = arguments->on("ignore-unknown-fields");
  const promql::Features features = read_features(arguments->all("enable-feature"), console);
  Findings findings;
  fs::RealFs files;
  if (arguments->positional().empty()) {
    console.out << "Checking standard input\n" << std::flush;
    const std::string text{std::istreambuf_iterator<char>(console.in), {}};
    config::RuleFileSettings settings;
    settings.features = features;
    settings.ignore_unknown = lint.ignore_unknown;
    report(config::parse_rule_file(text, "stdin", settings), lint, console, findings);
  } else {
    check_rule_files(files, arguments->positional(), lint, features, console, findings);
  }
  return findings.exit_status(lint.fatal);
}

}  // namespace varve::cli
