// SPDX-License-Identifier: Apache-2.0
// What does it cost to ask a matcher about a value of a label? 2,000 instances of a fleet, as an
// index asks about each distinct value once. Every verdict is counted against one made by hand.
//
// Floor: a value is a string of 30 bytes that lies where the one before it ended. To compare that
// much is a handful of loads and a branch, 2 ns; whatever needs an automaton reads byte by byte,
// and RE2's takes one dependent load out of L1 for each, 4 to 5 cycles, 1.3 ns a byte, 35 to 40 ns
// a value. So the matchers that need no automaton must be apart from the others by a factor of ten.
#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <vector>

#include "model/matcher.h"

namespace {

using varve::model::Matcher;
using varve::model::MatchType;

constexpr std::size_t kValues = 2000;

std::vector<std::string> instances() {
  static constexpr const char* kRoles[] = {"web", "api", "db", "cache"};
  std::vector<std::string> values;
  for (std::size_t i = 0; i < kValues; ++i) {
    values.push_back(std::string(kRoles[i % 4]) + '-' + std::to_string(i) + ".eu.example.org:9100");
  }
  return values;
}

struct Case {
  const char* name;
  MatchType type;
  const char* value;
  bool (*expected)(std::size_t i, const std::string& value);
};

bool is_web(std::size_t i) { return i % 4 == 0; }

constexpr Case kCases[] = {
    {"equal", MatchType::kEqual, "db-2.eu.example.org:9100",
     [](std::size_t i, const std::string&) { return i == 2; }},
    {"not_equal", MatchType::kNotEqual, "db-2.eu.example.org:9100",
     [](std::size_t i, const std::string&) { return i != 2; }},
    {"literals", MatchType::kRegex,
     "web-0.eu.example.org:9100|api-1.eu.example.org:9100|db-2.eu.example.org:9100",
     [](std::size_t i, const std::string&) { return i < 3; }},
    {"prefix", MatchType::kRegex, "web-.*",
     [](std::size_t i, const std::string&) { return is_web(i); }},
    {"suffix", MatchType::kRegex, ".*:9100", [](std::size_t, const std::string&) { return true; }},
    {"contains", MatchType::kRegex, ".*-17.*",
     [](std::size_t, const std::string& value) { return value.find("-17") != std::string::npos; }},
    {"anything", MatchType::kRegex, ".+", [](std::size_t, const std::string&) { return true; }},
    {"alternation", MatchType::kRegex, "(web|cache)-[0-9]+\\..*",
     [](std::size_t i, const std::string&) { return i % 4 == 0 || i % 4 == 3; }},
    {"digits", MatchType::kRegex, "[a-z]+-1[0-9]*[05]\\.eu\\.example\\.org:[0-9]+",
     [](std::size_t i, const std::string&) {
       const std::string number = std::to_string(i);
       return number.size() > 1 && number.front() == '1' &&
              (number.back() == '0' || number.back() == '5');
     }},
    {"ignoring_case", MatchType::kRegex, "(?i)WEB-.*",
     [](std::size_t i, const std::string&) { return is_web(i); }},
    {"not_regex", MatchType::kNotRegex, "(web|cache)-[0-9]+\\..*",
     [](std::size_t i, const std::string&) { return i % 4 == 1 || i % 4 == 2; }},
};

void match(benchmark::State& state, const Case& one) {
  const std::vector<std::string> values = instances();
  const auto matcher = Matcher::create(one.type, "instance", one.value);
  if (!matcher.ok()) return state.SkipWithError("refused");
  std::size_t expected = 0;
  for (std::size_t i = 0; i < kValues; ++i) expected += one.expected(i, values[i]) ? 1 : 0;
  for (auto _ : state) {
    std::size_t found = 0;
    for (const std::string& value : values) found += matcher->matches(value) ? 1 : 0;
    if (found != expected) state.SkipWithError("matched others");
  }
  state.counters["per_value"] = benchmark::Counter(
      static_cast<double>(kValues),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

// What a query pays once for each of its expressions.
void compile(benchmark::State& state) {
  for (auto _ : state) {
    for (const Case& one : kCases) {
      const auto matcher = Matcher::create(one.type, "instance", one.value);
      if (!matcher.ok()) state.SkipWithError("refused");
      benchmark::DoNotOptimize(matcher);
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(std::size(kCases)));
}
BENCHMARK(compile);

const bool kRegistered = [] {
  for (const Case& one : kCases) {
    benchmark::RegisterBenchmark((std::string("match/") + one.name).c_str(),
                                 [&one](benchmark::State& state) { match(state, one); });
  }
  return true;
}();

}  // namespace
