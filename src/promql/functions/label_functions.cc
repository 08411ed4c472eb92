// SPDX-License-Identifier: Apache-2.0
// label_replace and label_join: new labels for series, values untouched. Series that become equal
// are the evaluator's to merge.
#include <re2/re2.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/try.h"
#include "promql/functions/implementations.h"
#include "promql/parse/text.h"

namespace varve::promql::function_impls {
namespace {

// Bounds what one expression may cost; Prometheus's automaton has no such limit, but no dashboard
// comes near it.
constexpr std::int64_t kRegexMemoryMax = 8 << 20;
// What label_replace and label_join may make in one call. A short text can ask for gigabytes (a
// template of many references, calls nested in calls); relabelling a million series takes less.
// What they make counts as the query's memory besides.
constexpr std::size_t kMadeBytesMax = std::size_t{256} << 20;
constexpr std::size_t kChargedBytes = std::size_t{64} << 10;  // at once

Error invalid(std::string_view what, std::string_view function, std::string_view text) {
  std::string message = "invalid ";
  message.append(what).append(" in ").append(function).append("(): ").append(text);
  return Error(ErrorCode::kExecution, std::move(message));
}

// Any UTF-8 but "".
bool is_label_name(std::string_view name) {
  if (name.empty()) return false;
  for (std::size_t at = 0; at < name.size();) {
    const Rune rune = decode_rune(name, at);
    if (rune.value == kReplacementRune && rune.width == 1) return false;
    at += rune.width;
  }
  return true;
}

// A replacement as Go's regexp expands it: $1, ${1}, $name, ${name}; $$ is a dollar. A reference to
// a group that does not exist is empty.
class Template {
 public:
  Template(std::string_view text, const RE2& regex) {
    const std::map<std::string, int>& names = regex.NamedCapturingGroups();
    while (!text.empty()) {
      const std::size_t dollar = text.find('$');
      if (dollar == std::string_view::npos) break;
      literal(text.substr(0, dollar));
      text.remove_prefix(dollar + 1);
      if (text.starts_with('$')) {
        literal("$");
        text.remove_prefix(1);
        continue;
      }
      const std::string_view name = reference(text);
      if (name.empty()) {
        literal("$");  // refers to nothing, so it means itself
        continue;
      }
      parts_.push_back({{}, group_of(name, names, regex.NumberOfCapturingGroups())});
    }
    literal(text);
  }

  // How long expand() of them would be.
  std::size_t expanded_bytes(std::span<const re2::StringPiece> groups) const {
    std::size_t bytes = 0;
    for (const Part& part : parts_) {
      bytes += part.literal.size();
      if (part.group >= 0) bytes += groups[static_cast<std::size_t>(part.group)].size();
    }
    return bytes;
  }

  std::string expand(std::span<const re2::StringPiece> groups) const {
    std::string out;
    for (const Part& part : parts_) {
      out.append(part.literal);
      if (part.group >= 0) {
        const re2::StringPiece& group = groups[static_cast<std::size_t>(part.group)];
        out.append(group.data() == nullptr ? "" : group.data(), group.size());
      }
    }
    return out;
  }

 private:
  struct Part {
    std::string literal;
    int group = -1;
  };

  void literal(std::string_view text) {
    if (!text.empty()) parts_.push_back({std::string(text), -1});
  }

  // Takes "name" or "{name}" off the front; "" if there is neither.
  static std::string_view reference(std::string_view& text) {
    const bool braces = text.starts_with('{');
    std::size_t end = braces ? 1 : 0;
    const std::size_t begin = end;
    while (end < text.size() &&
           (std::isalnum(static_cast<unsigned char>(text[end])) != 0 || text[end] == '_')) {
      ++end;
    }
    const std::string_view name = text.substr(begin, end - begin);
    if (name.empty()) return {};
    if (braces) {
      if (end == text.size() || text[end] != '}') return {};
      ++end;
    }
    text.remove_prefix(end);
    return name;
  }

  static int group_of(std::string_view name, const std::map<std::string, int>& names,
                      int group_count) {
    const bool number = std::all_of(name.begin(), name.end(), [](char c) {
      return c >= '0' && c <= '9';
    });
    constexpr std::size_t kDigitsMax = 8;  // as Go: larger numbers are names
    if (number && name.size() <= kDigitsMax && (name.size() == 1 || name[0] != '0')) {
      int group = 0;
      for (const char digit : name) group = group * 10 + (digit - '0');
      return group <= group_count ? group : -1;
    }
    const auto found = names.find(std::string(name));
    return found == names.end() ? -1 : found->second;
  }

  std::vector<Part> parts_;
};

// Counts label values before they are made.
class MadeBytes {
 public:
  MadeBytes(std::string_view function, MemoryBudget* memory)
      : function_(function), memory_(memory) {}
  Status add(std::size_t bytes) {
    made_ += bytes;
    if (memory_ != nullptr && made_ > charged_) {
      const std::size_t more = std::max(made_ - charged_, kChargedBytes);
      VARVE_TRY(memory_->charge_bytes(more));
      charged_ += more;
    }
    if (made_ <= kMadeBytesMax) return {};
    std::string message = "label values made by ";
    message.append(function_).append("() take more than ");
    message.append(std::to_string(kMadeBytesMax)).append(" bytes");
    return Error(ErrorCode::kExecution, std::move(message));
  }

 private:
  std::string_view function_;
  MemoryBudget* memory_;
  std::size_t made_ = 0;
  std::size_t charged_ = 0;
};

void set_label(StepSeries& series, std::string_view name, std::string_view value) {
  LabelsBuilder builder(series.labels);
  series.labels = builder.set(name, value).build();
  // A name given on purpose stays.
  if (name == kMetricName) series.drop_name = false;
}

}  // namespace

Result<StepMatrix> label_replace(const CallArgs& args, EvalContext& context) {
  const std::string_view target = args.text(1);
  const std::string_view source = args.text(3);
  const std::string_view pattern = args.text(4);
  RE2::Options options;
  options.set_log_errors(false);
  options.set_dot_nl(true);
  options.set_max_mem(kRegexMemoryMax);
  const RE2 regex(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!regex.ok()) return invalid("regular expression", "label_replace", pattern);
  if (!is_label_name(target)) return invalid("destination label name", "label_replace", target);
  const Template replacement(args.text(2), regex);

  StepMatrix matrix = std::move(*args.values[0].vector);
  std::vector<re2::StringPiece> groups(
      static_cast<std::size_t>(regex.NumberOfCapturingGroups()) + 1);
  MadeBytes made("label_replace", context.memory);
  for (StepSeries& series : matrix.series) {
    const std::string value(series.labels.get(source));
    if (!regex.Match(value, 0, value.size(), RE2::ANCHOR_BOTH, groups.data(),
                     static_cast<int>(groups.size()))) {
      continue;
    }
    VARVE_TRY(made.add(series.labels.bytes().size() + replacement.expanded_bytes(groups)));
    set_label(series, target, replacement.expand(groups));
  }
  return matrix;
}

Result<StepMatrix> label_join(const CallArgs& args, EvalContext& context) {
  const std::string_view target = args.text(1);
  const std::string_view separator = args.text(2);
  for (std::size_t arg = 3; arg < args.size(); ++arg) {
    if (!is_label_name(args.text(arg))) {
      return invalid("source label name", "label_join", args.text(arg));
    }
  }
  if (!is_label_name(target)) return invalid("destination label name", "label_join", target);

  StepMatrix matrix = std::move(*args.values[0].vector);
  std::string joined;
  MadeBytes made("label_join", context.memory);
  for (StepSeries& series : matrix.series) {
    std::size_t joined_bytes = separator.size() * (args.size() > 3 ? args.size() - 4 : 0);
    for (std::size_t arg = 3; arg < args.size(); ++arg) {
      joined_bytes += series.labels.get(args.text(arg)).size();
    }
    VARVE_TRY(made.add(series.labels.bytes().size() + joined_bytes));
    joined.clear();
    for (std::size_t arg = 3; arg < args.size(); ++arg) {
      if (arg > 3) joined.append(separator);
      joined.append(series.labels.get(args.text(arg)));
    }
    set_label(series, target, joined);
  }
  return matrix;
}

}  // namespace varve::promql::function_impls
