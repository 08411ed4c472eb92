// SPDX-License-Identifier: Apache-2.0
#include "base/metrics.h"

#include <catch2/catch.hpp>

using namespace varve;

TEST_CASE("metrics: families render sorted, with help, type and escaped labels", "[base]") {
  base::MetricsRegistry registry;
  registry.gauge("b_bytes", "Bytes\nhere.", {{"path", "a\"\\\n"}}).set(1.5);
  registry.counter("a_total", "Things.").add(2);
  registry.counter("a_total", "Things.").add(1);
  const std::string text = registry.render();
  CHECK(text ==
        "# HELP a_total Things.\n# TYPE a_total counter\na_total 3\n"
        "# HELP b_bytes Bytes\\nhere.\n# TYPE b_bytes gauge\n"
        "b_bytes{path=\"a\\\"\\\\\\n\"} 1.5\n");
}

TEST_CASE("metrics: a histogram's buckets are cumulative and include their bound", "[base]") {
  base::MetricsRegistry registry;
  auto& histogram = registry.histogram("h", "H.", {1, 2});
  for (const double value : {0.5, 1.0, 1.5, 9.0}) histogram.observe(value);
  CHECK(registry.render() ==
        "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"2\"} 3\n"
        "h_bucket{le=\"+Inf\"} 4\nh_sum 12\nh_count 4\n");
}

TEST_CASE("metrics: a summary is one family with quantiles, sum and count", "[base]") {
  base::MetricsRegistry registry;
  const int owner = 0;
  registry.summary("s_seconds", "S.",
                   [] {
                     return base::SummaryValues{{{0.5, 2.0}, {0.99, 4.5}}, 12, 5};
                   },
                   {{"pool", "p"}}, &owner);
  CHECK(registry.render() ==
        "# HELP s_seconds S.\n# TYPE s_seconds summary\n"
        "s_seconds{pool=\"p\",quantile=\"0.5\"} 2\ns_seconds{pool=\"p\",quantile=\"0.99\"} 4.5\n"
        "s_seconds_sum{pool=\"p\"} 12\ns_seconds_count{pool=\"p\"} 5\n");
  registry.remove_callbacks(&owner);
  CHECK(registry.render().empty());
}

TEST_CASE("metrics: callbacks of an owner can be taken back", "[base]") {
  base::MetricsRegistry registry;
  const int owner = 0;
  registry.callback(base::MetricsRegistry::CallbackKind::kGauge, "g", "G.", [] { return 4.0; }, {},
                    &owner);
  CHECK(registry.render().ends_with("g 4\n"));
  registry.remove_callbacks(&owner);
  CHECK(registry.render().empty());
}
