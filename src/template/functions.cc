// SPDX-License-Identifier: Apache-2.0
#include "template/functions.h"

#include <fmt/format.h>

#include <map>

namespace varve::templates {

Status Budget::step() {
  if (++steps_ <= limits_.steps_max) return {};
  return Error(ErrorCode::kLimitExceeded,
               fmt::format("template takes more than {} steps", limits_.steps_max));
}

Status Budget::text(std::size_t size_bytes) {
  text_bytes_ += size_bytes;
  if (size_bytes <= limits_.output_max_bytes &&
      text_bytes_ / kTextTotalFactor <= limits_.output_max_bytes) {
    return {};
  }
  return Error(ErrorCode::kLimitExceeded,
               fmt::format("template makes more than {} bytes of text", limits_.output_max_bytes));
}

Status Budget::query() {
  if (++queries_ <= limits_.queries_max) return {};
  return Error(ErrorCode::kLimitExceeded,
               fmt::format("template asks more than {} queries", limits_.queries_max));
}

const Function* find_function(std::string_view name) {
  static const auto all = [] {
    std::map<std::string_view, const Function*> functions;
    for (const auto table :
         {go_functions(), comparison_functions(), prometheus_functions(), humanize_functions()}) {
      for (const Function& function : table) functions.emplace(function.name, &function);
    }
    return functions;
  }();
  const auto at = all.find(name);
  return at == all.end() ? nullptr : at->second;
}

}  // namespace varve::templates
