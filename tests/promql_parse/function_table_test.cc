// SPDX-License-Identifier: Apache-2.0
#include "parse_support.h"
#include "promql/parse/function_table.h"

#include <algorithm>

namespace varve::promql {
namespace {

TEST_CASE("function table: 73 stable and 17 experimental functions", "[promql][parse]") {
  const auto experimental = std::count_if(functions().begin(), functions().end(),
                                          [](const Function& f) { return f.experimental; });
  CHECK(functions().size() == 90);
  CHECK(experimental == 17);
}

TEST_CASE("function table: every function is found by its name and id", "[promql][parse]") {
  for (const Function& entry : functions()) {
    CHECK(find_function(entry.name) == &entry);
    CHECK(&function(entry.id) == &entry);
  }
  CHECK(find_function("") == nullptr);
  CHECK(find_function("Abs") == nullptr);
  CHECK(find_function("zzz") == nullptr);
}

// A call with the fewest arguments the table allows must parse.
TEST_CASE("function table: every function can be called", "[promql][parse]") {
  for (const Function& entry : functions()) {
    std::string text = std::string(entry.name) + "(";
    for (std::size_t i = 0; i < entry.arg_types.size(); ++i) {
      if (i > 0) text += ", ";
      if (entry.id == FunctionId::kInfo && i == 1) {
        text += "{a=\"b\"}";
        continue;
      }
      switch (entry.arg_types[i]) {
        case ValueType::kScalar: text += "1"; break;
        case ValueType::kVector: text += "x"; break;
        case ValueType::kMatrix: text += "x[5m]"; break;
        default: text += "\"s\"";
      }
    }
    const ExprPtr expr = parsed(text + ")");
    REQUIRE(expr->kind() == ExprKind::kCall);
    CHECK(as<Call>(*expr).function == &entry);
    CHECK(expr->type() == entry.return_type);
  }
}

}  // namespace
}  // namespace varve::promql
