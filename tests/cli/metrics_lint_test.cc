// SPDX-License-Identifier: Apache-2.0
#include "cli/metrics_lint.h"

#include <algorithm>
#include <catch2/catch.hpp>

namespace varve::cli {
namespace {

std::vector<std::string> remarks(const std::string& page) {
  const auto families = read_families(page);
  REQUIRE(families.ok());
  std::vector<std::string> out;
  for (const auto& [name, family] : *families) {
    for (const std::string& remark : lint(family)) out.push_back(name + ": " + remark);
  }
  std::sort(out.begin(), out.end());
  return out;
}

using Remarks = std::vector<std::string>;

TEST_CASE("metrics lint: names, units and suffixes", "[cli]") {
  CHECK(remarks("# HELP a_total h\n# TYPE a_total counter\na_total 1\n").empty());
  CHECK(remarks("# HELP x_minutes h\n# TYPE x_minutes gauge\nx_minutes 1\n") ==
        Remarks{"x_minutes: use base unit \"seconds\" instead of \"minutes\""});
  CHECK(remarks("# HELP x_milligrams h\n# TYPE x_milligrams gauge\nx_milligrams 1\n") ==
        Remarks{"x_milligrams: use base unit \"grams\" instead of \"milligrams\""});
  CHECK(remarks("# HELP a_ms h\n# TYPE a_ms gauge\na_ms 1\n") ==
        Remarks{"a_ms: metric names should not contain abbreviated units"});
  CHECK(remarks("# HELP a:b h\n# TYPE a:b gauge\na:b 1\n") ==
        Remarks{"a:b: metric names should not contain ':'"});
  CHECK(remarks("# HELP a_gauge h\n# TYPE a_gauge gauge\na_gauge{aB=\"1\"} 1\n") ==
        Remarks{"a_gauge: label names should be written in 'snake_case' not 'camelCase'",
                "a_gauge: metric name should not include type 'gauge'"});
  CHECK(remarks("# HELP fooBar h\n# TYPE fooBar gauge\nfooBar 1\n") ==
        Remarks{"fooBar: metric names should be written in 'snake_case' not 'camelCase'"});
  CHECK(remarks("# HELP a_sum h\n# TYPE a_sum gauge\na_sum{le=\"1\"} 1\n") ==
        Remarks{"a_sum: non-histogram and non-summary metrics should not have \"_sum\" suffix",
                "a_sum: non-histogram metrics should not have \"le\" label"});
}

TEST_CASE("metrics lint: histograms and summaries are one metric each", "[cli]") {
  CHECK(remarks("# HELP h x\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\n"
                "h_sum 1\nh_count 1\n# HELP s x\n# TYPE s summary\ns{quantile=\"0.5\"} 1\n"
                "s_sum 1\ns_count 1\n")
            .empty());
}

TEST_CASE("metrics lint: a repeated line is not unique; what has no type is let be", "[cli]") {
  CHECK(remarks("# HELP a x\na{b=\"c\"} 1\na{b=\"c\"} 2\na{b=\"d\"} 1\n") ==
        Remarks{"a: metric not unique"});
  CHECK(remarks("# HELP b_bucket x\nb_bucket{le=\"1\"} 1\n").empty());
  CHECK(remarks("# HELP only_declared x\n# TYPE only_declared counter\n").empty());
}

}  // namespace
}  // namespace varve::cli
