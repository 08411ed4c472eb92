// SPDX-License-Identifier: Apache-2.0
#include "cli/test_rules.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <memory>
#include <optional>
#include <ostream>
#include <set>

#include "base/clock.h"
#include "base/log.h"
#include "cli/arguments.h"
#include "cli/features.h"
#include "cli/junit.h"
#include "cli/rule_test.h"
#include "cli/rule_test_file.h"
#include "config/config.h"
#include "fs/matching_files.h"
#include "config/read_rules.h"
#include "fs/real_fs.h"

namespace varve::cli {
namespace {

class Tester {
 public:
  Tester(const Arguments& arguments, std::unique_ptr<RE2> run, const Console& console)
      : run_(std::move(run)),
        ignore_unknown_(arguments.on("ignore-unknown-fields")),
        debug_(arguments.on("debug")),
        features_(read_features(arguments.all("enable-feature"), console)),
        console_(console) {}

  // The errors of a file; none if its tests passed.
  std::vector<std::string> test_file(const std::string& path, JunitSuite& suite) {
    suite.name = path;
    const auto abort = [&](const std::string& message) -> std::vector<std::string> {
      if (suite.cases.empty()) suite.cases.push_back({"unknown", {}, ""});
      suite.cases.back().error = message;
      return {message};
    };
    const auto text = files_.read_file(path, config::kFileMaxBytes);
    if (!text.ok()) return abort(text.error().message());
    auto parsed = parse_rule_test_file(*text, path, fs::parent_of(path), ignore_unknown_);
    if (!parsed.ok()) return abort(parsed.error().message());
    std::vector<std::string> rule_files;
    for (const std::string& pattern : parsed->rule_files) {
      const auto found = fs::matching_files(files_, pattern);
      if (!found.ok()) return abort(found.error().message());
      if (found->empty()) console_.err << "  WARNING: no file match pattern " << pattern << "\n";
      rule_files.insert(rule_files.end(), found->begin(), found->end());
    }
    suite.timestamp = base::format_utc(base::SystemClock().now_ms()).substr(0, 19);
    std::set<std::string> order;
    for (const std::string& name : parsed->group_eval_order) {
      if (order.insert(name).second) continue;
      return abort("group name repeated in evaluation order: " + name);
    }
    return test_groups(*parsed, rule_files, suite);
  }

 private:
  std::vector<std::string> test_groups(const RuleTestFile& file,
                                       const std::vector<std::string>& rule_files,
                                       JunitSuite& suite) {
    RuleTestSettings settings;
    settings.evaluation_interval = file.evaluation_interval;
    settings.group_eval_order = file.group_eval_order;
    settings.fuzzy_compare = file.fuzzy_compare;
    settings.debug = debug_;
    settings.features = features_;
    std::vector<std::string> errors;
    for (std::size_t i = 0; i < file.groups.size(); ++i) {
      const TestGroup& group = file.groups[i];
      if (run_ && !RE2::PartialMatch(group.name, *run_)) continue;
      suite.cases.push_back(
          {group.name.empty() ? fmt::format("unnamed#{}", i) : group.name, {}, ""});
      if (debug_) console_.err << "DEBUG: Starting test " << suite.cases.back().name << "\n";
      suite.cases.back().failures = test_group(group, rule_files, settings);
      if (debug_) console_.err << "DEBUG: Test " << suite.cases.back().name << " finished\n";
      for (const std::string& failure : suite.cases.back().failures) errors.push_back(failure);
    }
    return errors;
  }

  std::vector<std::string> test_group(const TestGroup& group,
                                      const std::vector<std::string>& rule_files,
                                      const RuleTestSettings& settings) {
    config::RuleFileSettings inherited;
    inherited.interval = group.interval;
    inherited.features = features_;
    inherited.ignore_unknown = ignore_unknown_;
    std::vector<rules::RuleGroupOptions> groups;
    for (const std::string& path : rule_files) {
      config::RuleFile rules = config::read_rule_file(files_, path, inherited);
      if (!rules.errors.empty()) {
        std::vector<std::string> errors;
        for (const Error& error : rules.errors) errors.push_back(error.message());
        return errors;
      }
      for (auto& options : rules.groups) groups.push_back(std::move(options));
    }
    return run_test_group(group, std::move(groups), settings, console_);
  }

  const std::unique_ptr<RE2> run_;
  const bool ignore_unknown_;
  const bool debug_;
  const promql::Features features_;
  const Console& console_;
  fs::RealFs files_;
};

}  // namespace

int test_rules(const std::vector<std::string>& words, const Console& console) {
  static constexpr FlagSpec kFlags[] = {{"run"},
                                        {"junit"},
                                        {"debug", false},
                                        {"diff", false},
                                        {"ignore-unknown-fields", false},
                                        {"enable-feature"}};
  const auto arguments = Arguments::parse(words, kFlags);
  const auto refuse = [&](std::string_view message) {
    console.err << "varve: error: " << message << "\n";
    return kExitFailure;
  };
  if (!arguments.ok()) return refuse(arguments.error().message());
  if (arguments->positional().empty()) {
    return refuse("required argument 'test-rule-file' not provided");
  }
  std::unique_ptr<RE2> run;
  if (arguments->given("run")) {
    run =
        std::make_unique<RE2>(fmt::format("{}", fmt::join(arguments->all("run"), "|")), RE2::Quiet);
    if (!run->ok()) return refuse("--run: " + run->error());
  }
  Tester tester(*arguments, std::move(run), console);
  std::vector<JunitSuite> suites;
  bool failed = false;
  for (const std::string& path : arguments->positional()) {
    const auto errors = tester.test_file(path, suites.emplace_back());
    if (errors.empty()) {
      console.out << "  SUCCESS\n";
    } else {
      failed = true;
      console.err << "  FAILED:\n";
      for (const std::string& error : errors) {
        console.err << error << "\n" << std::flush;
        console.out << "\n" << std::flush;
      }
    }
    console.out << "\n" << std::flush;
  }
  if (const std::string path = arguments->text("junit"); !path.empty()) {
    fs::RealFs files;
    const Status written = files.write_file_atomically(path, junit_xml(suites));
    if (!written.ok()) {
      console.err << "failed to write JUnit XML: " << written.error().message() << "\n";
    }
  }
  return failed ? kExitFailure : kExitOk;
}

}  // namespace varve::cli
