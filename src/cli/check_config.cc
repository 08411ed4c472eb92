// SPDX-License-Identifier: Apache-2.0
#include "cli/check_config.h"

#include <fmt/format.h>

#include <cstdlib>
#include <ostream>
#include <span>
#include <variant>

#include "base/try.h"
#include "cli/arguments.h"
#include "cli/check_rules.h"
#include "cli/features.h"
#include "config/config.h"
#include "discovery/read_groups.h"
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

// Whether targets can be scraped by a job, after relabelling.
Status check_groups(std::span<const model::TargetGroup> groups, const scrape::PoolOptions& job) {
  for (std::size_t group = 0; group < groups.size(); ++group) {
    const auto& targets = groups[group].targets;
    for (std::size_t i = 0; i < targets.size(); ++i) {
      auto target = scrape::populate(targets[i], groups[group].labels, job);
      if (target.ok()) continue;
      return std::move(target).error().with(fmt::format("instance {} in group {}", i, group));
    }
  }
  return {};
}

Result<std::vector<model::TargetGroup>> read_target_file(fs::FileSystem& files,
                                                         const std::string& path) {
  VARVE_TRY_ASSIGN(const std::string text, files.read_file(path, config::kFileMaxBytes));
  if (path.ends_with(".json") || path.ends_with(".JSON")) return discovery::read_json_groups(text);
  return config::parse_target_groups(text, path);
}

// Looks into the files of file_sd_configs; `job` is null for those of Alertmanagers, `whose` is for
// the warning about a file that is not there.
Status check_target_files(fs::FileSystem& files,
                          std::span<const discovery::SourceOptions> discovery,
                          const scrape::PoolOptions* job, std::string_view whose,
                          std::vector<std::string>& warnings) {
  for (const discovery::SourceOptions& source : discovery) {
    const auto* const options = std::get_if<discovery::FileOptions>(&source);
    if (options == nullptr) continue;
    for (const std::string& pattern : options->files) {
      VARVE_TRY_ASSIGN(const std::vector<std::string> found, fs::matching_files(files, pattern));
      if (found.empty()) {
        warnings.push_back(
            fmt::format("file \"{}\" for file_sd in {} does not exist", pattern, whose));
      }
      for (const std::string& path : found) {
        auto groups = read_target_file(files, path);
        if (!groups.ok()) {
          return std::move(groups).error().with(fmt::format("checking SD file \"{}\"", path));
        }
        if (job != nullptr) VARVE_TRY(check_groups(*groups, *job));
      }
    }
  }
  return {};
}

// The targets that stand in the configuration and in the files it names.
Status check_targets(fs::FileSystem& files, config::Config& config) {
  for (const scrape::PoolOptions& job : config.scrape_configs) {
    VARVE_TRY(check_groups(job.static_configs, job));
    const auto found = config.scrape_discovery.find(job.job_name);
    if (found == config.scrape_discovery.end()) continue;
    VARVE_TRY(check_target_files(files, found->second, &job,
                                 fmt::format("scrape job \"{}\"", job.job_name),
                                 config.warnings));
  }
  for (const auto& sources : config.alertmanager_discovery) {
    VARVE_TRY(check_target_files(files, sources, nullptr, "alertmanager config", config.warnings));
  }
  return {};
}

struct Checked {
  std::vector<std::string> rule_files;
  config::Config config;
};

Result<Checked> check(fs::FileSystem& files, const std::string& path, bool syntax_only,
                      const config::RawRetention& raw) {
  Checked out;
  if (syntax_only) {
    VARVE_TRY_ASSIGN(const std::string text, files.read_file(path, config::kFileMaxBytes));
    VARVE_TRY_ASSIGN(out.config, config::parse(text, path, environment, {raw}));
    return out;
  }
  VARVE_TRY_ASSIGN(out.config, config::load_file(files, path, environment, {raw}));
  VARVE_TRY_ASSIGN(out.rule_files, rule_files(files, out.config.rule_files));
  VARVE_TRY(config::check_files(files, out.config));
  VARVE_TRY(check_targets(files, out.config));
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
                                        {"query.lookback-delta"},
                                        {"storage.tsdb.retention.time"}};
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
  // As the daemon will be given it: a ladder must fit what it says.
  config::RawRetention raw;
  if (arguments->given("storage.tsdb.retention.time")) {
    const auto given = model::parse_duration(arguments->text("storage.tsdb.retention.time"));
    if (!given.ok()) {
      console.err << "varve: error: " << given.error().message() << "\n";
      return kExitFailure;
    }
    raw = {std::chrono::milliseconds(*given), true};
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
    const auto checked = check(files, path, syntax_only, raw);
    if (!checked.ok()) {
      console.err << "  FAILED: " << checked.error().message() << "\n";
      console.out << "\n";
      findings.failed = findings.has_errors = true;
      continue;
    }
    for (const std::string& warning : checked->config.warnings) {
      console.out << "  WARNING: " << warning << "\n";
    }
    for (const std::string& line : config::describe_history(checked->config.storage)) {
      console.out << "  HISTORY: " << line << "\n";
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
