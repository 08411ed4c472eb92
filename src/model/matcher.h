// SPDX-License-Identifier: Apache-2.0
// Label matchers: the four conditions a selector is made of.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "varve/result.h"

namespace varve::model {

enum class MatchType : std::uint8_t { kEqual, kNotEqual, kRegex, kNotRegex };

// "=", "!=", "=~", "!~".
std::string_view to_string(MatchType type);

// Immutable, cheap to copy, thread-safe. A regular expression has RE2's syntax, is anchored at both
// ends, and `.` matches newline. An absent label has the value "".
class Matcher {
 public:
  // kInvalidArgument for a regex that RE2 refuses or whose program exceeds the memory bound.
  static Result<Matcher> create(MatchType type, std::string name, std::string value);

  MatchType type() const { return type_; }
  const std::string& name() const { return name_; }
  const std::string& value() const { return value_; }

  bool matches(std::string_view label_value) const;
  bool matches_empty() const { return matches_empty_; }

  // For kRegex and kNotRegex: the alternatives if the expression is a plain alternation of literals
  // ("a|b|c"), else empty. An index looks these up instead of scanning.
  const std::vector<std::string>& literals() const;
  // A literal that every matching value of the expression begins with; may be "".
  std::string_view prefix() const;
  // Whether the expression matches every string (".*"), and every non-empty one (".+").
  bool matches_all() const;
  bool matches_all_nonempty() const;

  // As PromQL prints it: name=~"value".
  std::string to_string() const;

  friend bool operator==(const Matcher& a, const Matcher& b) {
    return a.type_ == b.type_ && a.name_ == b.name_ && a.value_ == b.value_;
  }

 private:
  struct Regex;
  MatchType type_ = MatchType::kEqual;
  bool matches_empty_ = false;
  std::string name_;
  std::string value_;
  std::shared_ptr<const Regex> regex_;
};

using Matchers = std::vector<Matcher>;

// Bounds the time that regular expressions take on this thread while it lives: `over` is asked
// after every few milliseconds of matching, however long that takes in all. Once it has said yes,
// matches() says no to everything at once, so that whoever selects comes to an end soon; what was
// selected is worthless then and must be given up: ask stopped(). For scopes within each other the
// innermost is asked. A hook of the thread, because matching happens deep in indices that know no
// queries.
class MatchWatch {
 public:
  explicit MatchWatch(std::function<bool()> over);
  ~MatchWatch();
  MatchWatch(const MatchWatch&) = delete;
  MatchWatch& operator=(const MatchWatch&) = delete;

  bool stopped() const { return stopped_; }
  // Of the innermost one of this thread, for code that must not act on what a broken off search has
  // found; false without one.
  static bool thread_stopped();
  // About to match a text of this length with a program of this many instructions. False: stopped.
  bool allows(std::size_t text_bytes, std::size_t program_size);

 private:
  const std::function<bool()> over_;
  MatchWatch* const outer_;
  std::size_t work_ = 0;  // since `over` was asked last
  bool stopped_ = false;
};

}  // namespace varve::model
