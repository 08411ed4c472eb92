// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <span>
#include <string>
#include <string_view>

#include "cli/arguments.h"
#include "cli/check_config.h"
#include "cli/check_metrics.h"
#include "cli/check_rules.h"
#include "cli/check_web_config.h"
#include "cli/debug.h"
#include "cli/features.h"
#include "cli/query.h"
#include "cli/test_rules.h"
#include "cli/tsdb.h"
#include "fs/real_fs.h"
#include "promql/parser.h"
#include "promql/test_language.h"

namespace varve::cli {
namespace {

using Words = std::vector<std::string>;

int test_promql(const Words& paths, const Console& console) {
  fs::RealFs files;
  const auto reports = promql::test_language::run_paths(files, paths);
  if (!reports.ok()) {
    console.err << "varve: error: " << reports.error().message() << "\n";
    return kExitFailure;
  }
  console.out << promql::test_language::render(*reports, true);
  for (const auto& report : *reports) {
    if (report.cases_failed > 0) return kExitFailure;
  }
  return kExitOk;
}

int format_promql(const Words& words, const Console& console) {
  static constexpr FlagSpec kFlags[] = {{"enable-feature"}, {"experimental", false}};
  const auto arguments = Arguments::parse(words, kFlags);
  if (!arguments.ok() || arguments->positional().size() != 1) {
    console.err << "varve: error: "
                << (arguments.ok() ? "required argument 'query' not provided"
                                   : arguments.error().message())
                << "\n";
    return kExitFailure;
  }
  const auto expression = promql::parse(arguments->positional()[0],
                                        read_features(arguments->all("enable-feature"), console));
  if (!expression.ok()) {
    console.err << expression.error().message() << "\n";
    return kExitFailure;
  }
  console.out << promql::pretty(**expression) << "\n";
  return kExitOk;
}

struct Command {
  std::string_view group;
  std::string_view name;
  std::string_view arguments;
  std::string_view help;
  int (*run)(const Words& words, const Console& console);
};

constexpr Command kCommands[] = {
    {"check", "config", "[--syntax-only] [--lint=…] [--lint-fatal] <file>...",
     "Check configuration files and what they name.", check_config},
    {"check", "rules", "[--lint=…] [--lint-fatal] [<file>...]",
     "Check rule files, or standard input.", check_rules},
    {"check", "metrics", "[--extended] [--lint=all|none]",
     "Check a page of metrics from standard input.", check_metrics},
    {"check", "web-config", "<file>...", "Check files for --web.config.file.", check_web_config},
    {"check", "healthy", "[--url=<server>]", "Ask a server whether it is healthy.", check_healthy},
    {"check", "ready", "[--url=<server>]", "Ask a server whether it is ready.", check_ready},
    {"test", "rules", "[--run=<regexp>] [--junit=<file>] <file>...", "Run unit tests of rules.",
     test_rules},
    {"test", "promql", "<file or folder>...", "Run scripts of the PromQL test language.",
     test_promql},
    {"query", "instant", "[-o promql|json] [--time=…] <server> <expression>",
     "Evaluate at one time.", query_instant},
    {"query", "range", "[-o …] [--start=…] [--end=…] [--step=…] <server> <expression>",
     "Evaluate over a range of time.", query_range},
    {"query", "series", "--match=<selector> [--start=…] [--end=…] <server>", "List series.",
     query_series},
    {"query", "labels", "[--match=<selector>] [--start=…] [--end=…] <server> <label>",
     "List a label's values.", query_labels},
    {"debug", "metrics", "<server>", "Write a server's metrics to debug.tar.gz.", debug_metrics},
    {"debug", "all", "<server>", "Write all a server tells about itself to debug.tar.gz.",
     debug_all},
    {"tsdb", "list", "[--json] [--no-head] [<directory>]",
     "List blocks, head, log and other files of a data directory.", tsdb_list},
    {"tsdb", "analyze", "[--json] [--limit=20] [--match=<selector>] [<directory> [<block>]]",
     "Say what takes the space: metrics, labels, encodings, churn.", tsdb_analyze},
    {"tsdb", "verify", "[--json] [<directory>]", "Read everything and report what is damaged.",
     tsdb_verify},
    {"tsdb", "dump", "[--min-time=<ms>] [--max-time=<ms>] [--match=<selector>]... [<directory>]",
     "Print samples as text.", tsdb_dump},
    {"tsdb", "plan",
     "[--json] [--series=10k] [--interval=15s] [--ladder=…|--config=<file>] [--retention=…] "
     "[<directory>]",
     "Work out the disk that series will take.", tsdb_plan},
    {"tsdb", "bench", "[--json] [<directory>]", "Measure how quickly blocks are read here.",
     tsdb_bench},
    {"promql", "format", "<expression>", "Print an expression well laid out.", format_promql},
};

// Flags before the command's name that belong to it all the same.
constexpr std::string_view kGlobalFlags[] = {"--experimental", "--enable-feature"};

bool is_group(std::string_view word) {
  for (const Command& command : kCommands) {
    if (command.group == word) return true;
  }
  return false;
}

// Of the commands whose names begin with these.
std::string usage_of(std::span<const std::string_view> names) {
  std::string text;
  for (const Command& command : kCommands) {
    if (!names.empty() && names[0] != command.group) continue;
    if (names.size() > 1 && names[1] != command.name) continue;
    text += fmt::format("  varve {} {} {}\n        {}\n", command.group, command.name,
                        command.arguments, command.help);
  }
  return text;
}

}  // namespace

std::string usage() { return usage_of({}); }

bool is_command(const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view word = arguments[i];
    if (is_group(word)) return true;
    const std::string_view name = word.substr(0, word.find('='));
    if (name != kGlobalFlags[0] && name != kGlobalFlags[1]) return false;
    if (name == kGlobalFlags[1] && name.size() == word.size()) ++i;  // its value
  }
  return false;
}

int run_command(const std::vector<std::string>& arguments, const Console& console) {
  Words words;  // all but the command's two names
  std::vector<std::string_view> names;
  bool value_follows = false;
  for (const std::string& word : arguments) {
    if (names.size() < 2 && !value_follows && !word.starts_with('-')) {
      names.push_back(word);
    } else {
      words.push_back(word);
    }
    value_follows = names.empty() && word == kGlobalFlags[1];
  }
  const bool help = std::any_of(words.begin(), words.end(), [](const std::string& word) {
    return word == "--help" || word == "-h";
  });
  if (const std::string own = usage_of(names); help && !own.empty()) {
    console.out << "usage:\n" << own;
    return kExitOk;
  }
  if (names.size() == 2) {
    for (const Command& command : kCommands) {
      if (command.group == names[0] && command.name == names[1]) return command.run(words, console);
    }
    console.err << fmt::format("varve: error: there is no command \"{} {}\"\n", names[0], names[1]);
  }
  console.err << "usage:\n" << usage();
  return kExitFailure;
}

}  // namespace varve::cli
