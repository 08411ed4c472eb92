// SPDX-License-Identifier: Apache-2.0
#include "cli/check_config.h"

#include <fmt/format.h>

#include <cstdlib>
#include <ostream>

#include "base/try.h"
#include "cli/arguments.h"
#include "cli/check_rules.h"
#include "cli/features.h"
#include "config/config.h"
#include "fs/matching_files.h"
#include "fs/real_fs.h"
#include "model/duration.h"
#include "scrape/target.h"

namespace varve::cli {
namespace {

std::string environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::string() : std::string(value);
}

// The rule files of a configuration. One that is named without wildcards must be there.
Result<std::vector<std::string>> rule_files(fs::FileSystem& files,
                                            const std::vector<std::string>& patterns) {
  std::vector<std::string> out;
  for (const std::string& pattern : patterns) {
    VARVE_TRY_ASSIGN(const std::vector<std::string> found, fs::matching_files(files, pattern));
    if (found.empty() && pattern.find('*') == std::string::npos) {
      return Error(ErrorCode::kNotFound,
                   fmt::format("\"{}\" does not point to an existing file", pattern));
    }
    out.insert(out.end(), found.begin(), found.end());
  }
  return out;
}

// Whether the targets that stand in the configuration can be scraped, after relabelling.
Status check_targets(const config::Config& config) {
  for (const scrape::PoolOptions& job : config.scrape_configs) {
    for (std::size_t group = 0; group < job.static_configs.size(); ++group) {
      const auto& targets = job.static_configs[group].targets;
      for (std::size_t i = 0; i < targets.size(); ++i) {
        auto target = scrape::populate(targets[i], job.static_configs[group].labels, job);
        if (target.ok()) continue;
        return std::move(target).error().with(fmt::format("instance {} in group {}", i, group));
      }
    }
  }
  return {};
}

struct Checked {
  std::vector<std::string> rule_files;
  config::Config config;
};

Result<Checked> check(fs::FileSystem& files, const std::string& path, bool syntax_only) {
  Checked out;
  if (syntax_only) {
    VARVE_TRY_ASSIGN(const std::string text, files.read_file(path, config::kFileMaxBytes));
    VARVE_TRY_ASSIGN(out.config, config::parse(text, path, environment));
    return out;
  }
  VARVE_TRY_ASSIGN(out.config, config::load_file(files, path, environment));
  VARVE_TRY_ASSIGN(out.rule_files, rule_files(files, out.config.rule_files));
  VARVE_TRY(config::check_files(files, out.config));
  VARVE_TRY(check_targets(out.config));
  return out;
}

bool lint_scrape_intervals(const config::Config& config, const LintOptions& lint,
                           const Console& console) {
  if (lint.scrape_interval_max.count() == 0) return true;
  for (const scrape::PoolOptions& job : config.scrape_configs) {
    if (job.interval < lint.scrape_interval_max) continue;
    console.err << fmt::format(
        "  FAILED: too long scrape interval found, data point will be marked as stale - job: {}, "
        "interval: {}\n",
        job.job_name, model::format_duration(job.interval.count()));
    return false;
  }
  return true;
}

}  // namespace

int check_config(const std::vector<std::string>& words, const Console& console) {
  static constexpr FlagSpec kFlags[] = {{"syntax-only", false},  {"lint"},
                                        {"lint-fatal", false},   {"ignore-unknown-fields", false},
                                        {"agent", false},        {"enable-feature"},
                                        {"query.lookback-delta"}};
  const auto arguments = Arguments::parse(words, kFlags);
  if (!arguments.ok() || arguments->positional().empty()) {
    console.err << "varve: error: "
                << (arguments.ok() ? "required argument 'config-files' not provided"
                                   : arguments.error().message())
                << "\n";
    return kExitFailure;
  }
  const auto lookback = model::parse_duration(arguments->text("query.lookback-delta", "5m"));
  if (!lookback.ok()) {
    console.err << "varve: error: " << lookback.error().message() << "\n";
    return kExitFailure;
  }
  LintOptions lint =
      read_lint_options(arguments->text("lint", "duplicate-rules"), arguments->on("lint-fatal"),
                        true, std::chrono::milliseconds(*lookback), console);
  lint.ignore_unknown = arguments->on("ignore-unknown-fields");
  const promql::Features features = read_features(arguments->all("enable-feature"), console);
  const bool syntax_only = arguments->on("syntax-only");
  fs::RealFs files;
  Findings findings;
  for (const std::string& path : arguments->positional()) {
    console.out << "Checking " << path << "\n" << std::flush;
    const auto checked = check(files, path, syntax_only);
    if (!checked.ok()) {
      console.err << "  FAILED: " << checked.error().message() << "\n";
      console.out << "\n";
      findings.failed = findings.has_errors = true;
      continue;
    }
    for (const std::string& warning : checked->config.warnings) {
      console.out << "  WARNING: " << warning << "\n";
    }
    if (!checked->rule_files.empty()) {
      console.out << "  SUCCESS: " << checked->rule_files.size() << " rule files found\n";
    }
    console.out << " SUCCESS: " << path << " is valid prometheus config file syntax\n\n"
                << std::flush;
    if (syntax_only) continue;
    if (!lint_scrape_intervals(checked->config, lint, console)) findings.failed = true;
    check_rule_files(files, checked->rule_files, lint, features, console, findings);
  }
  return findings.exit_status(lint.fatal);
}

}  // namespace varve::cli
