// SPDX-License-Identifier: Apache-2.0
#include "model/matcher.h"

#include <fmt/format.h>
#include <re2/re2.h>
#include <utility>

#include <algorithm>

#include "base/check.h"

namespace varve::model {
namespace {

// A compiled program larger than this is refused; it bounds what one query's regexes can hold.
constexpr std::int64_t kRegexMemoryMaxBytes = 8 << 20;
// Longer alternations are matched by RE2 rather than by look-ups.
constexpr std::size_t kLiteralsMax = 4096;

constexpr std::string_view kMetaBytes = R"(\.+*?()|[]{}^$)";

// Reads a run of plain bytes and escaped punctuation from the front of `rest`.
std::string take_literal(std::string_view& rest) {
  std::string literal;
  while (!rest.empty()) {
    std::size_t used = 1;
    char c = rest[0];
    if (c == '\\') {
      if (rest.size() < 2 || kMetaBytes.find(rest[1]) == std::string_view::npos) break;
      c = rest[1];
      used = 2;
    } else if (kMetaBytes.find(c) != std::string_view::npos) {
      break;
    }
    // A quantifier binds to this byte (to the whole code point, so never split one).
    const std::string_view after = rest.substr(used);
    if (!after.empty() && std::string_view("*?{+").find(after[0]) != std::string_view::npos) {
      if ((static_cast<unsigned char>(c) & 0x80) != 0) literal.clear();
      break;
    }
    literal += c;
    rest = after;
  }
  return literal;
}

std::string_view without_group(std::string_view pattern) {
  for (const std::string_view open : {"(?:", "("}) {
    if (pattern.size() > open.size() && pattern.starts_with(open) && pattern.ends_with(")") &&
        pattern.substr(open.size()).find('(') == std::string_view::npos &&
        pattern.find(')') == pattern.size() - 1 && pattern[pattern.size() - 2] != '\\') {
      return pattern.substr(open.size(), pattern.size() - open.size() - 1);
    }
  }
  return pattern;
}

// RE2 runs a DFA, at about a nanosecond a byte, unless its states do not fit its memory; then it
// follows all of the program at every byte.
constexpr std::size_t kInstructionsPerUnit = 16;
constexpr std::size_t kUnitsPerCall = 64;
constexpr std::size_t kUnitsBetweenLooks = 1 << 20;

thread_local MatchWatch* watch_of_thread = nullptr;

}  // namespace

MatchWatch::MatchWatch(std::function<bool()> over)
    : over_(std::move(over)), outer_(std::exchange(watch_of_thread, this)) {}

MatchWatch::~MatchWatch() { watch_of_thread = outer_; }

bool MatchWatch::thread_stopped() {
  return watch_of_thread != nullptr && watch_of_thread->stopped_;
}

bool MatchWatch::allows(std::size_t text_bytes, std::size_t program_size) {
  if (stopped_) return false;
  work_ += kUnitsPerCall + text_bytes * (1 + program_size / kInstructionsPerUnit);
  if (work_ < kUnitsBetweenLooks) return true;
  work_ = 0;
  stopped_ = over_();
  return !stopped_;
}

struct Matcher::Regex {
  enum class Shape { kLiterals, kAll, kAllNonempty, kPrefix, kSuffix, kContains, kProgram };

  Regex(const std::string& pattern, const RE2::Options& options)
      : program(pattern, options),
        program_size(static_cast<std::size_t>(std::max(program.ProgramSize(), 0))) {}

  void find_shape(std::string_view pattern) {
    if (pattern == ".*") {
      shape = Shape::kAll;
      return;
    }
    if (pattern == ".+") {
      shape = Shape::kAllNonempty;
      return;
    }
    if (find_literals(without_group(pattern))) return;
    std::string_view rest = pattern;
    const bool open_start = rest.starts_with(".*");
    if (open_start) rest.remove_prefix(2);
    text = take_literal(rest);
    if (!open_start) prefix = text;
    if (text.empty() || (!rest.empty() && rest != ".*")) return;
    if (open_start) {
      shape = rest.empty() ? Shape::kSuffix : Shape::kContains;
    } else if (!rest.empty()) {
      shape = Shape::kPrefix;
    }
  }

  bool find_literals(std::string_view pattern) {
    std::vector<std::string> found;
    std::string_view rest = pattern;
    for (;;) {
      found.push_back(take_literal(rest));
      if (rest.empty()) break;
      if (rest[0] != '|' || found.size() == kLiteralsMax) {
        // "foo|bar.*" has no common prefix; a single branch's prefix is found by the caller.
        if (pattern.find('|') != std::string_view::npos) shape = Shape::kProgram;
        return pattern.find('|') != std::string_view::npos;
      }
      rest.remove_prefix(1);
    }
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    literals = std::move(found);
    shape = Shape::kLiterals;
    if (literals.size() == 1) prefix = literals[0];
    return true;
  }

  bool matches(std::string_view value) const {
    switch (shape) {
      case Shape::kLiterals:
        return std::binary_search(literals.begin(), literals.end(), value, std::less<>());
      case Shape::kAll: return true;
      case Shape::kAllNonempty: return !value.empty();
      case Shape::kPrefix: return value.starts_with(text);
      case Shape::kSuffix: return value.ends_with(text);
      case Shape::kContains: return value.find(text) != std::string_view::npos;
      case Shape::kProgram: break;
    }
    if (!value.starts_with(prefix)) return false;
    if (watch_of_thread != nullptr && !watch_of_thread->allows(value.size(), program_size)) {
      return false;
    }
    return RE2::FullMatch(re2::StringPiece(value.data(), value.size()), program);
  }

  RE2 program;
  std::size_t program_size;
  Shape shape = Shape::kProgram;
  std::vector<std::string> literals;  // sorted
  std::string prefix;
  std::string text;
};

std::string_view to_string(MatchType type) {
  switch (type) {
    case MatchType::kEqual: return "=";
    case MatchType::kNotEqual: return "!=";
    case MatchType::kRegex: return "=~";
    case MatchType::kNotRegex: return "!~";
  }
  return "=";
}

Result<Matcher> Matcher::create(MatchType type, std::string name, std::string value) {
  Matcher matcher;
  matcher.type_ = type;
  matcher.name_ = std::move(name);
  matcher.value_ = std::move(value);
  if (type == MatchType::kRegex || type == MatchType::kNotRegex) {
    RE2::Options options(RE2::Quiet);
    options.set_dot_nl(true);
    options.set_max_mem(kRegexMemoryMaxBytes);
    auto regex = std::make_shared<Regex>(matcher.value_, options);
    if (!regex->program.ok()) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("error parsing regexp: {}", regex->program.error()));
    }
    regex->find_shape(matcher.value_);
    matcher.regex_ = std::move(regex);
  }
  matcher.matches_empty_ = matcher.matches("");
  return matcher;
}

bool Matcher::matches(std::string_view label_value) const {
  switch (type_) {
    case MatchType::kEqual: return label_value == value_;
    case MatchType::kNotEqual: return label_value != value_;
    case MatchType::kRegex: return regex_->matches(label_value);
    case MatchType::kNotRegex: return !regex_->matches(label_value);
  }
  return false;
}

const std::vector<std::string>& Matcher::literals() const {
  VARVE_CHECK(regex_ != nullptr);
  return regex_->literals;
}

std::string_view Matcher::prefix() const { return regex_ ? regex_->prefix : std::string_view(); }

bool Matcher::matches_all() const { return regex_ && regex_->shape == Regex::Shape::kAll; }

bool Matcher::matches_all_nonempty() const {
  return regex_ && regex_->shape == Regex::Shape::kAllNonempty;
}

std::string Matcher::to_string() const {
  std::string quoted;
  for (const char c : value_) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (c == '\n') {
      quoted += "\\n";
    } else {
      quoted += c;
    }
  }
  return fmt::format("{}{}\"{}\"", name_, model::to_string(type_), quoted);
}

}  // namespace varve::model
