// SPDX-License-Identifier: Apache-2.0
// Vector selectors and lists of label names.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/matcher.h"
#include "promql/ast.h"
#include "promql/parse/duration_parser.h"

namespace varve::promql {

class SelectorParser : protected DurationParser {
 protected:
  using DurationParser::DurationParser;

  // Keywords may be names of metrics where no keyword can stand.
  static bool is_metric_name(const Token& token);
  // `name`: the metric name before the braces, taken already; null if there is none.
  std::unique_ptr<VectorSelector> vector_selector(const Token* name);
  // "(a, b)", also "()" and with a comma at the end.
  bool grouping_labels(std::vector<std::string>& labels);

 private:
  // Up to and with "}".
  bool matchers(model::Matchers& out);
  void add_matcher(model::Matchers& out, model::MatchType type, std::string_view name,
                   std::string_view value, Position position);
  bool grouping_label(std::vector<std::string>& labels);
};

}  // namespace varve::promql
