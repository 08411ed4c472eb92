// SPDX-License-Identifier: Apache-2.0
// Durations where the grammar wants one: literals, numbers, and arithmetic of them.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "promql/ast.h"
#include "promql/parse/token_reader.h"

namespace varve::promql {

inline constexpr std::string_view kDurationExpected = "number, duration, step(), or range()";

class DurationParser : protected TokenReader {
 protected:
  using TokenReader::TokenReader;

  // Of a range or a subquery's step; `expected` is what the complaint about something else names.
  std::optional<Duration> positive_duration(std::string_view context, std::string_view expected);
  // Unlike in brackets, arithmetic ends the offset unless it is in parentheses: in `x offset 1m +
  // 1` the sum is that of the selector and 1.
  std::optional<Duration> offset_duration();

 private:
  using DurationPtr = std::unique_ptr<DurationExpr>;

  DurationPtr duration(int lowest);
  DurationPtr signed_duration(const Token& sign, DurationPtr operand);
  DurationPtr duration_rest(DurationPtr lhs, int lowest);
  DurationPtr duration_primary();
  DurationPtr duration_node(DurationOp op, DurationPtr lhs, DurationPtr rhs, std::uint32_t start);
  void needs_duration_expressions(const DurationExpr& expr);

  std::string_view duration_expected_;  // what may stand for a duration, in words
};

}  // namespace varve::promql
