// SPDX-License-Identifier: Apache-2.0
// What the parser's tests share: everything switched on, and short ways to ask.
#pragma once

#include <catch2/catch.hpp>
#include <string>
#include <string_view>

#include "promql/parser.h"

namespace varve::promql {

inline Features all_features() {
  Features features;
  features.experimental_functions = true;
  features.extended_range_selectors = true;
  features.binop_fill_modifiers = true;
  return features;
}

// The tree of an expression that must parse.
inline ExprPtr parsed(std::string_view text) {
  CAPTURE(std::string(text));
  Result<ExprPtr> expr = parse(text, all_features());
  if (!expr.ok()) FAIL(expr.error().message());
  return std::move(expr).value();
}

// The message for an expression that must not parse.
inline std::string refusal(std::string_view text, const Features& features = all_features()) {
  const Result<ExprPtr> expr = parse(text, features);
  if (expr.ok()) return "parsed as " + to_string(**expr);
  return expr.error().message();
}

}  // namespace varve::promql
