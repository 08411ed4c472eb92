// SPDX-License-Identifier: Apache-2.0
// Rule files. Every fault of a file is reported, each with its place, as rule authors expect:
// `rules.yml:7:11: group "g", rule 1, "job:x:sum": could not parse expression: 1:4: parse error: …`
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "model/relabel.h"
#include "promql/features.h"
#include "rules/options.h"
#include "varve/result.h"

namespace varve::fs {
class FileSystem;
}

namespace varve::config {

// What a rule file inherits.
struct RuleFileSettings {
  std::chrono::milliseconds interval = std::chrono::minutes(1);  // global evaluation_interval
  model::NameScheme name_scheme = model::NameScheme::kUtf8;
  promql::Features features = {};
  bool ignore_unknown = false;  // keys that no rule file has; only tools let them pass
};

struct RuleFile {
  std::vector<rules::RuleGroupOptions> groups;
  // Not empty: the file must be refused, and groups is of no use.
  std::vector<Error> errors;
};

// `name` stands for the file in messages and becomes RuleGroupOptions::file.
RuleFile parse_rule_file(std::string_view text, const std::string& name,
                         const RuleFileSettings& settings);
// kIo and kNotFound stand in `errors` too.
RuleFile read_rule_file(fs::FileSystem& files, const std::string& path,
                        const RuleFileSettings& settings);

// The files that the patterns of `rule_files` name, in their order, those of one pattern sorted.
Result<std::vector<std::string>> rule_file_paths(fs::FileSystem& files,
                                                 const std::vector<std::string>& patterns);
// All groups of all files, or the first error.
Result<std::vector<rules::RuleGroupOptions>> load_rule_files(
    fs::FileSystem& files, const std::vector<std::string>& patterns,
    const RuleFileSettings& settings);

}  // namespace varve::config
