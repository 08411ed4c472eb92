// SPDX-License-Identifier: Apache-2.0
#include "config/read_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>

#include "config/config.h"
#include "config/yaml_reader.h"
#include "fs/file_system.h"
#include "fs/matching_files.h"
#include "promql/parser.h"
#include "template/template.h"

namespace varve::config {
namespace {

// A rule as it stands in the file, with the places that faults are reported at.
struct WrittenRule {
  std::string record, alert, expression;
  std::chrono::milliseconds hold{}, keep_firing{};
  rules::TextMap labels, annotations;
  Place place, record_place, alert_place, expression_place;
};

struct WrittenGroup {
  rules::RuleGroupOptions options;
  std::optional<std::int64_t> limit;
  rules::TextMap labels;
  std::vector<WrittenRule> rules;
  Place place;
};

ReadValue placed_text(std::string& out, Place& place) {
  return [&out, &place](const Source& source, const Node& node) -> Status {
    place = node.place;
    return text(out)(source, node);
  };
}

ReadValue texts_by_name(rules::TextMap& out) {
  return [&out](const Source& source, const Node& node) -> Status {
    std::map<std::string, std::string> read;
    VARVE_TRY(text_map(read)(source, node));
    out.clear();
    out.insert(read.begin(), read.end());
    return {};
  };
}

// Takes unknown keys where they are to be ignored.
ReadUnknown tolerance(const RuleFileSettings& settings) {
  if (!settings.ignore_unknown) return {};
  return [](const Node::Entry&) { return std::optional<Status>(Status()); };
}

Status read_rule(const Source& source, const Node& node, const ReadUnknown& unknown,
                 WrittenRule& out) {
  out.place = out.record_place = out.alert_place = out.expression_place = node.place;
  return read_map(source, node, "rule",
                  {{"record", placed_text(out.record, out.record_place)},
                   {"alert", placed_text(out.alert, out.alert_place)},
                   {"expr", placed_text(out.expression, out.expression_place)},
                   {"for", duration(out.hold)},
                   {"keep_firing_for", duration(out.keep_firing)},
                   {"labels", texts_by_name(out.labels)},
                   {"annotations", texts_by_name(out.annotations)}},
                  unknown);
}

Status read_group(const Source& source, const Node& node, const ReadUnknown& unknown,
                  WrittenGroup& out) {
  out.place = node.place;
  std::chrono::milliseconds interval{};
  const ReadValue rules = [&](const Source& from, const Node& list) {
    return read_list(from, list, [&](const Source& each, const Node& item) {
      return read_rule(each, item, unknown, out.rules.emplace_back());
    });
  };
  VARVE_TRY(read_map(source, node, "rule group",
                     {{"name", text(out.options.name)},
                      {"interval", duration(interval)},
                      {"limit", integer(out.limit)},
                      {"query_offset", duration(out.options.query_offset)},
                      {"labels", texts_by_name(out.labels)},
                      {"rules", rules}},
                     unknown));
  if (interval.count() > 0) out.options.interval = interval;
  out.options.limit = out.limit.value_or(0);
  return {};
}

bool valid_metric_name(std::string_view name, model::NameScheme scheme) {
  if (scheme == model::NameScheme::kUtf8) return !name.empty() && model::valid_utf8(name);
  std::string without_colons(name);
  for (char& c : without_colons) c = c == ':' ? '_' : c;
  return model::valid_label_name(without_colons, scheme);
}

// Finds every fault of a file that is good YAML with the right keys.
class Checker {
 public:
  Checker(const std::string& name, const RuleFileSettings& settings, std::vector<Error>& errors)
      : name_(name), settings_(settings), errors_(errors) {}

  void check(const std::vector<WrittenGroup>& groups) {
    std::set<std::string_view> names;
    for (const WrittenGroup& group : groups) {
      const std::string& name = group.options.name;
      if (name.empty()) add(group.place, "Groupname must not be empty");
      if (!names.insert(name).second) {
        add(group.place, fmt::format("groupname: \"{}\" is repeated in the same file", name));
      }
      for (const auto& [label, value] : group.labels) {
        if (!valid_label(label)) {
          add(group.place,
              fmt::format("group {}: invalid label name: {}", promql::quote(name), label));
        }
      }
      for (std::size_t i = 0; i < group.rules.size(); ++i) {
        const WrittenRule& rule = group.rules[i];
        where_ = fmt::format("group {}, rule {}, {}: ", promql::quote(name), i + 1,
                             promql::quote(rule.alert.empty() ? rule.record : rule.alert));
        check_rule(rule);
        where_.clear();
      }
    }
  }

 private:
  void add(Place place, std::string_view message) {
    errors_.push_back(error_at(name_, place, where_ + std::string(message)));
  }

  bool valid_label(std::string_view label) const {
    return model::valid_label_name(label, settings_.name_scheme) && label != kMetricName;
  }

  void check_rule(const WrittenRule& rule) {
    if (!rule.record.empty() && !rule.alert.empty()) {
      add(rule.record_place, "only one of 'record' and 'alert' must be set");
    }
    if (rule.record.empty() && rule.alert.empty()) {
      add(rule.place, "one of 'record' or 'alert' must be set");
    }
    if (rule.expression.empty()) {
      add(rule.expression_place, "field 'expr' must be set in rule");
    } else if (auto parsed = promql::parse(rule.expression, settings_.features); !parsed.ok()) {
      add(rule.expression_place, "could not parse expression: " + parsed.error().message());
    }
    if (!rule.record.empty()) check_recording(rule);
    for (const auto& [label, value] : rule.labels) {
      if (!valid_label(label)) add(rule.place, fmt::format("invalid label name: {}", label));
    }
    for (const auto& [name, value] : rule.annotations) {
      if (!model::valid_label_name(name, settings_.name_scheme)) {
        add(rule.place, fmt::format("invalid annotation name: {}", name));
      }
    }
    if (rule.alert.empty()) return;
    check_templates(rule, "label", rule.labels);
    check_templates(rule, "annotation", rule.annotations);
  }

  void check_recording(const WrittenRule& rule) {
    const auto refuse = [&](std::string_view field) {
      add(rule.record_place, fmt::format("invalid field '{}' in recording rule", field));
    };
    if (!rule.annotations.empty()) refuse("annotations");
    if (rule.hold.count() != 0) refuse("for");
    if (rule.keep_firing.count() != 0) refuse("keep_firing_for");
    if (!valid_metric_name(rule.record, settings_.name_scheme)) {
      add(rule.record_place, fmt::format("invalid recording rule name: {}", rule.record));
    }
    if (rule.record.find_first_of("{}") != std::string::npos) {
      add(rule.record_place,
          fmt::format("braces present in the recording rule name; should it be in expr?: {}",
                      rule.record));
    }
  }

  void check_templates(const WrittenRule& rule, std::string_view what,
                       const rules::TextMap& texts) {
    for (const auto& [name, value] : texts) {
      const auto parsed = templates::Template::parse("__alert_" + rule.alert, value);
      if (parsed.ok()) continue;
      add(rule.place,
          fmt::format("{} {}: {}", what, promql::quote(name), parsed.error().message()));
    }
  }

  const std::string& name_;
  const RuleFileSettings& settings_;
  std::vector<Error>& errors_;
  std::string where_;  // which rule a fault is of
};

rules::RuleGroupOptions finished(WrittenGroup group, const std::string& file) {
  rules::RuleGroupOptions out = std::move(group.options);
  out.file = file;
  for (WrittenRule& rule : group.rules) {
    rules::RuleOptions& options = out.rules.emplace_back();
    const bool alerting = !rule.alert.empty();
    options.kind = alerting ? rules::RuleKind::kAlerting : rules::RuleKind::kRecording;
    options.name = std::move(alerting ? rule.alert : rule.record);
    options.expression = std::move(rule.expression);
    options.hold = rule.hold;
    options.keep_firing = rule.keep_firing;
    options.labels = std::move(rule.labels);
    options.labels.insert(group.labels.begin(), group.labels.end());  // the rule's own win
    options.annotations = std::move(rule.annotations);
  }
  return out;
}

Result<std::vector<WrittenGroup>> read_groups(std::string_view text, const std::string& name,
                                              const RuleFileSettings& settings) {
  VARVE_TRY_ASSIGN(const Tree tree, Tree::parse(text, name));
  std::vector<WrittenGroup> groups;
  const ReadUnknown unknown = tolerance(settings);
  const ReadValue list = [&](const Source& from, const Node& node) {
    return read_list(from, node, [&](const Source& each, const Node& item) {
      WrittenGroup& group = groups.emplace_back();
      group.options.interval = settings.interval;
      return read_group(each, item, unknown, group);
    });
  };
  VARVE_TRY(read_map(Source{name, {}}, tree.root(), "rule file", {{"groups", list}}, unknown));
  return groups;
}

}  // namespace

RuleFile parse_rule_file(std::string_view text, const std::string& name,
                         const RuleFileSettings& settings) {
  RuleFile file;
  auto groups = read_groups(text, name, settings);
  if (!groups.ok()) {
    file.errors.push_back(std::move(groups).error());
    return file;
  }
  Checker(name, settings, file.errors).check(*groups);
  if (!file.errors.empty()) return file;
  for (WrittenGroup& group : *groups) file.groups.push_back(finished(std::move(group), name));
  return file;
}

RuleFile read_rule_file(fs::FileSystem& files, const std::string& path,
                        const RuleFileSettings& settings) {
  const auto content = files.read_file(path, kFileMaxBytes);
  if (content.ok()) return parse_rule_file(*content, path, settings);
  return {{}, {content.error()}};
}

Result<std::vector<std::string>> rule_file_paths(fs::FileSystem& files,
                                                 const std::vector<std::string>& patterns) {
  std::vector<std::string> out;
  for (const std::string& pattern : patterns) {
    VARVE_TRY_ASSIGN(const std::vector<std::string> found, fs::matching_files(files, pattern));
    for (const std::string& path : found) {
      // A file that two patterns name holds its groups once.
      if (std::find(out.begin(), out.end(), path) == out.end()) out.push_back(path);
    }
  }
  return out;
}

Result<std::vector<rules::RuleGroupOptions>> load_rule_files(
    fs::FileSystem& files, const std::vector<std::string>& patterns,
    const RuleFileSettings& settings) {
  VARVE_TRY_ASSIGN(const std::vector<std::string> paths, rule_file_paths(files, patterns));
  std::vector<rules::RuleGroupOptions> out;
  for (const std::string& path : paths) {
    RuleFile file = read_rule_file(files, path, settings);
    if (!file.errors.empty()) return std::move(file.errors.front());
    out.insert(out.end(), std::make_move_iterator(file.groups.begin()),
               std::make_move_iterator(file.groups.end()));
  }
  return out;
}

}  // namespace varve::config
