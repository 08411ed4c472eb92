// SPDX-License-Identifier: Apache-2.0
// What every part of the parser stands on: the token at hand, and the first error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "promql/ast.h"
#include "promql/features.h"
#include "promql/parse/lexer.h"
#include "promql/parser.h"
#include "varve/result.h"

namespace varve::promql {

// Base of the layers of the parser, each of which reads more of the language: durations, selectors,
// expressions. Text and features must outlive it.
class TokenReader {
 protected:
  TokenReader(std::string_view text, const Features& features)
      : text_(text), features_(features), lexer_(text) {}

  const Token& current();
  Token take();
  bool accept(TokenType type);
  void fail(Position position, std::string_view message);
  // The current token cannot stand where it does. Without a context of its own the complaint names
  // the aggregation around it, as Prometheus's grammar does.
  std::nullptr_t unexpected(std::string_view context = "", std::string_view expected = "");
  std::nullptr_t too_deep(std::uint32_t start, std::size_t level_max = kExpressionDepthMax);
  // The value of a kNumber or kDuration; 0 after an error.
  double literal_value(const Token& token);
  std::optional<double> signed_number();

  std::string_view text_;
  const Features& features_;
  std::uint32_t last_end_ = 0;  // of the token taken last
  std::size_t depth_ = 0;
  std::string_view context_;    // what unexpected() says it is in, unless told
  std::optional<Error> error_;  // the first

 private:
  Lexer lexer_;
  Token current_;
  bool has_current_ = false;
};

}  // namespace varve::promql
