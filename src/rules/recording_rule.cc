// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "base/try.h"
#include "rules/rule.h"

namespace varve::rules {

Result<std::vector<RuleSample>> RecordingRule::evaluate(const Iteration& iteration,
                                                        std::int64_t limit) {
  VARVE_TRY_ASSIGN(Vector found,
                   query_vector(environment_, expression_text_, iteration.query_time_ms,
                                iteration.origin));
  std::vector<RuleSample> out;
  out.reserve(found.size());
  std::unordered_set<std::string_view> seen;  // views of the label bytes in `out`
  seen.reserve(found.size());
  LabelsBuilder builder;
  for (VectorSample& sample : found) {
    builder.reset(sample.labels);
    builder.set(kMetricName, options_.name);
    for (const auto& [name, value] : options_.labels) builder.set(name, value);
    out.push_back({builder.build(), sample.value, std::move(sample.histogram)});
    if (!seen.insert(out.back().labels.bytes()).second) {
      return Error(ErrorCode::kExecution,
                   "vector contains metrics with the same labelset after applying rule labels");
    }
  }
  if (limit > 0 && out.size() > static_cast<std::uint64_t>(limit)) {
    return Error(ErrorCode::kLimitExceeded,
                 fmt::format("exceeded limit of {} with {} series", limit, out.size()));
  }
  return out;
}

}  // namespace varve::rules
