// SPDX-License-Identifier: Apache-2.0
#include "model/matcher.h"

#include <re2/re2.h>

#include <catch2/catch.hpp>

using namespace varve;
using model::Matcher;
using model::MatchWatch;
using model::MatchType;

TEST_CASE("matcher: fast paths agree with RE2 on every pattern and value", "[model]") {
  const std::vector<std::string> patterns{
      "",      "a",       "a|b",    "(a|b)",  "(?:ab|c|)", ".*",     ".+",        "a.*",  "a.+",
      ".*a",   ".*ab.*",  "a\\.b",  "a\\.*",  "ab*",       "ab?c",   "a{2}",      "a|b.*", "(a)(b)",
      "^a$",   "[ab]",    "a\\|b",  "(?i)AB", "ab|ab",     "\\d+",   "ü*",        "aü?",  "(a|b)c",
      "(a)|b", "a\\",     ".",      "a.b",    "(a|(b))",   "|",      "a||b",      "x\\)"};
  const std::vector<std::string> values{"",    "a",    "b", "ab", "abc", "a.b",
                                        "aab", "a\nb", "c", "AB", "ac",  "a|b",
                                        "zab", "aü",   "ü", "\n", "1",   "x)"};
  for (const std::string& pattern : patterns) {
    RE2::Options options(RE2::Quiet);
    options.set_dot_nl(true);
    const RE2 reference(pattern, options);
    const auto matcher = Matcher::create(MatchType::kRegex, "l", pattern);
    CAPTURE(pattern);
    REQUIRE(matcher.ok() == reference.ok());
    if (!matcher.ok()) continue;
    const auto negated = Matcher::create(MatchType::kNotRegex, "l", pattern);
    for (const std::string& value : values) {
      CAPTURE(value);
      const bool expected = RE2::FullMatch(value, reference);
      CHECK(matcher->matches(value) == expected);
      CHECK(negated->matches(value) != expected);
      if (expected) CHECK(value.starts_with(matcher->prefix()));
      if (expected && !matcher->literals().empty()) {
        CHECK(std::count(matcher->literals().begin(), matcher->literals().end(), value) == 1);
      }
    }
  }
}

TEST_CASE("matcher: a broken or exploding regex is refused", "[model]") {
  CHECK_FALSE(Matcher::create(MatchType::kRegex, "l", "a(").ok());
  CHECK_FALSE(Matcher::create(MatchType::kRegex, "l", "((a{1000}){1000}){1000}").ok());
}

TEST_CASE("matcher: empty values stand for absent labels", "[model]") {
  CHECK(Matcher::create(MatchType::kEqual, "l", "")->matches_empty());
  CHECK(Matcher::create(MatchType::kNotEqual, "l", "x")->matches_empty());
  CHECK_FALSE(Matcher::create(MatchType::kNotEqual, "l", "")->matches_empty());
  CHECK(Matcher::create(MatchType::kRegex, "l", "a|")->matches_empty());
}
TEST_CASE(
    "matcher: a watch that has had enough ends matching on its thread, and only while it lives",
    "[model]") {
  const auto made = Matcher::create(MatchType::kRegex, "a", "(x+x+)+y.*");
  REQUIRE(made.ok());
  const Matcher& matcher = *made;
  const std::string value = std::string(4000, 'x') + "y";
  int asked = 0;
  {
    const MatchWatch outer([] { return false; });
    const MatchWatch watch([&asked] { return ++asked == 3; });
    int matched = 0;
    for (int i = 0; i < 100'000 && !watch.stopped(); ++i) matched += matcher.matches(value) ? 1 : 0;
    CHECK(watch.stopped());
    CHECK(asked == 3);
    CHECK(matched > 0);
    CHECK_FALSE(matcher.matches(value));
    CHECK_FALSE(outer.stopped());
  }
  CHECK(matcher.matches(value));
}
