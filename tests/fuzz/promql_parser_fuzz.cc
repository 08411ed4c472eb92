// SPDX-License-Identifier: Apache-2.0
// Any bytes as an expression: an error or a tree, and a tree's printed form parses to a tree that
// prints the same.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "promql/parser.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace varve::promql;
  const std::string text(data, data + size);
  static_cast<void>(parse_selector(text).ok());
  for (const bool all : {false, true}) {
    Features features;
    features.experimental_functions = all;
    features.extended_range_selectors = all;
    features.binop_fill_modifiers = all;
    const varve::Result<ExprPtr> expr = parse(text, features);
    if (!expr.ok()) {
      VARVE_CHECK(!expr.error().message().empty());
      continue;
    }
    VARVE_CHECK((*expr)->position.end <= size);
    const std::string printed = to_string(**expr);
    static_cast<void>(pretty(**expr).size());
    const varve::Result<ExprPtr> again = parse(printed, features);
    VARVE_CHECK(again.ok());
    VARVE_CHECK(to_string(**again) == printed);
    VARVE_CHECK(to_string(*clone(**expr)) == printed);
  }
  return 0;
}
