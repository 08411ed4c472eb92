// SPDX-License-Identifier: Apache-2.0
// Relabelling: rules that change, keep or drop a label set, with Prometheus's semantics for targets
// (relabel_configs), scraped series (metric_relabel_configs), alerts and remote write.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "varve/labels.h"
#include "varve/result.h"

namespace varve::model {

enum class RelabelAction : std::uint8_t {
  kReplace,
  kKeep,
  kDrop,
  kKeepEqual,
  kDropEqual,
  kHashMod,
  kLabelMap,
  kLabelDrop,
  kLabelKeep,
  kLowercase,
  kUppercase,
};

// "replace", "keep", …; reading ignores case.
std::string_view to_string(RelabelAction action);
std::optional<RelabelAction> parse_relabel_action(std::string_view text);

// Which label names are allowed: any UTF-8, or [a-zA-Z_][a-zA-Z0-9_]*.
enum class NameScheme : std::uint8_t { kUtf8, kLegacy };
bool valid_label_name(std::string_view name, NameScheme scheme);
bool valid_utf8(std::string_view text);

// What a rule says, with Prometheus's defaults.
struct RelabelOptions {
  std::vector<std::string> source_labels;
  std::string separator = ";";
  std::string regex = "(.*)";  // anchored at both ends when compiled
  std::uint64_t modulus = 0;
  std::string target_label;
  std::string replacement = "$1";
  RelabelAction action = RelabelAction::kReplace;
  friend bool operator==(const RelabelOptions&, const RelabelOptions&) = default;
};

// A checked and compiled rule. Immutable, cheap to copy, thread-safe. `$1`, `${1}` and `${name}` in
// target_label (replace) and replacement stand for the regex's groups, `$$` for a dollar sign, as
// in Go's regexp.Expand.
class RelabelRule {
 public:
  // kInvalidArgument with Prometheus's text.
  static Result<RelabelRule> create(RelabelOptions options, NameScheme scheme = NameScheme::kUtf8);

  const RelabelOptions& options() const { return options_; }
  // False: the label set is dropped (and `labels` is of no further use).
  bool apply(LabelsBuilder& labels) const;

  friend bool operator==(const RelabelRule& a, const RelabelRule& b) {
    return a.options_ == b.options_ && a.scheme_ == b.scheme_;
  }

 private:
  struct Program;
  RelabelOptions options_;
  NameScheme scheme_ = NameScheme::kUtf8;
  std::shared_ptr<const Program> program_;
};

// Applies the rules in order; false as soon as one drops the set.
bool relabel(std::span<const RelabelRule> rules, LabelsBuilder& labels);

}  // namespace varve::model
