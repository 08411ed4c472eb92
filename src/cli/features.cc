// SPDX-License-Identifier: Apache-2.0
#include "cli/features.h"

#include <algorithm>
#include <ostream>
#include <string_view>

namespace varve::cli {

promql::Features read_features(std::span<const std::string> lists, const Console& console) {
  promql::Features features;
  for (std::string_view list : lists) {
    while (!list.empty()) {
      const std::size_t end = std::min(list.find(','), list.size());
      const std::string_view name = list.substr(0, end);
      list.remove_prefix(std::min(end + 1, list.size()));
      if (name == "promql-experimental-functions") {
        features.experimental_functions = true;
      } else if (name == "promql-delayed-name-removal") {
        features.delayed_name_removal = true;
      } else if (name == "promql-extended-range-selectors") {
        features.extended_range_selectors = true;
      } else if (name == "promql-binop-fill-modifiers") {
        features.binop_fill_modifiers = true;
      } else if (!name.empty() && name != "promql-duration-expr") {
        console.out << "  WARNING: Unknown feature passed to --enable-feature: " << name << "\n";
      }
    }
  }
  return features;
}

}  // namespace varve::cli
