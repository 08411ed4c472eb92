// SPDX-License-Identifier: Apache-2.0
// Text to syntax tree and back. Parsing checks everything that can be known without data: grammar,
// types, argument counts, matching rules, switched-off features.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "model/matcher.h"
#include "promql/features.h"
#include "promql/ast.h"
#include "varve/result.h"

namespace varve::promql {

// An expression that nests deeper, or is longer, is refused with kInvalidArgument. Nesting
// (brackets, calls, signs, powers) costs the parser about 2 KiB of stack a level, 12 under
// AddressSanitizer. The depth of the tree, to which chains such as `a or b or c` add, bounds the
// recursion of everyone who walks it.
inline constexpr std::size_t kExpressionNestingMax = 500;
inline constexpr std::size_t kExpressionDepthMax = 1000;
inline constexpr std::size_t kExpressionBytesMax = 1U << 20U;

// Errors are kInvalidArgument with Prometheus's text: "1:5: parse error: unexpected …".
Result<ExprPtr> parse(std::string_view expression, const Features& features);

// A series selector as in match[]=…: a vector selector without offset or @.
Result<model::Matchers> parse_selector(std::string_view selector);

// One line, in the form in which Prometheus prints expressions.
std::string to_string(const Expr& expr);
// Over several lines, as `promtool promql format` and /api/v1/format_query do.
std::string pretty(const Expr& expr);

// What a function takes and gives; lives as long as the program.
struct FunctionSignature {
  std::string_view name;
  ValueType return_type = ValueType::kNone;
  // The last argument type may be left out or repeated: see Function::variadic.
  int variadic = 0;
  std::span<const ValueType> arg_types;
};
FunctionSignature signature_of(const Function& function);

// A string as Go's strconv.Quote writes it.
std::string quote(std::string_view text);

}  // namespace varve::promql
