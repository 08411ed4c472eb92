// SPDX-License-Identifier: Apache-2.0
// A file of the test language as a list of commands: load, clear, eval with what it expects.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "promql/test_language/series_notation.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::promql::test_language {

struct ClearCommand {};

struct LoadCommand {
  std::int64_t step_ms = 0;
  bool with_custom_buckets = false;  // load_with_nhcb
  std::vector<SeriesLine> series;    // of two lines for one series the later alone is here
};

// What an error or annotation must say.
struct MessagePattern {
  enum class Kind : std::uint8_t { kAny, kExact, kRegex };
  Kind kind = Kind::kAny;
  std::string text;
};

// Expected annotations of one kind. Neither list nor flag: they are not looked at.
struct AnnotationExpectation {
  bool none = false;
  std::vector<MessagePattern> patterns;
};

struct StepRange {
  Timestamp start_ms = 0;
  Timestamp end_ms = 0;
  std::int64_t step_ms = 0;
};

struct EvalCommand {
  std::size_t line = 0;  // in the file, from 1
  std::string query;
  bool is_range = false;
  Timestamp time_ms = 0;  // instant
  StepRange range;        // of a range query

  std::optional<MessagePattern> fail;
  AnnotationExpectation warnings;
  AnnotationExpectation infos;
  bool ordered = false;
  std::optional<StepRange> range_vector;  // an instant query that gives a range vector
  std::optional<std::string> string;
  std::optional<double> scalar;
  std::vector<SeriesLine> series;  // in the order written
};

using Command = std::variant<ClearCommand, LoadCommand, EvalCommand>;

// kInvalidArgument: "line 12: what is wrong".
Result<std::vector<Command>> parse_script(std::string_view text);

}  // namespace varve::promql::test_language
