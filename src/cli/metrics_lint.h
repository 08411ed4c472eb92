// SPDX-License-Identifier: Apache-2.0
// What is unusual about metrics on a page, as promlint sees it.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "varve/labels.h"
#include "varve/result.h"

namespace varve::cli {

// A metric family: what shares a name and, for histograms and summaries, its suffixes.
struct MetricFamily {
  std::string name;
  std::string type = "untyped";  // as the text format says it
  bool has_help = false;
  // Label sets without `le` and `quantile`, once per histogram or summary, else once per line.
  std::vector<Labels> metrics;
  std::size_t first_parts = 0;  // buckets or quantiles of the first one
};

// The families of a page in text format, by name. kInvalidArgument names the line.
Result<std::map<std::string, MetricFamily>> read_families(std::string_view page);

// Remarks on one family, not sorted.
std::vector<std::string> lint(const MetricFamily& family);

}  // namespace varve::cli
