// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "config/config.h"
#include "config/yaml_writer.h"

using namespace varve;

TEST_CASE("config as YAML: keys, order and defaults are Prometheus's", "[config]") {
  const auto c = config::parse(R"(
global:
  external_labels: {zone: a, "b": "5"}
rule_files: [a.yml]
scrape_configs:
- job_name: node
  basic_auth: {username: u, password: hush}
  params: {"match[]": ["up", "{a='b'}"]}
  relabel_configs:
  - source_labels: [a, b]
    regex: (x)
    target_label: t
  static_configs:
  - targets: [h:1]
    labels: {l: "true"}
)",
                               "f.yml");
  REQUIRE(c.ok());
  CHECK(config::to_yaml(*c) == R"(global:
  scrape_interval: 1m
  scrape_timeout: 10s
  evaluation_interval: 1m
  external_labels:
    b: "5"
    zone: a
  metric_name_validation_scheme: utf8
  scrape_native_histograms: false
runtime:
  gogc: 75
rule_files:
- a.yml
scrape_configs:
- job_name: node
  honor_timestamps: true
  track_timestamps_staleness: false
  params:
    match[]:
    - up
    - '{a=''b''}'
  scrape_interval: 1m
  scrape_timeout: 10s
  scrape_protocols:
  - OpenMetricsText1.0.0
  - OpenMetricsText0.0.1
  - PrometheusText1.0.0
  - PrometheusText0.0.4
  scrape_native_histograms: false
  always_scrape_classic_histograms: false
  convert_classic_histograms_to_nhcb: false
  metrics_path: /metrics
  scheme: http
  enable_compression: true
  metric_name_validation_scheme: utf8
  metric_name_escaping_scheme: allow-utf-8
  extra_scrape_metrics: false
  basic_auth:
    username: u
    password: <secret>
  follow_redirects: true
  enable_http2: true
  relabel_configs:
  - source_labels: [a, b]
    separator: ;
    regex: (x)
    target_label: t
    replacement: $1
    action: replace
  static_configs:
  - targets:
    - h:1
    labels:
      l: "true"
otlp:
  translation_strategy: UnderscoreEscapingWithSuffixes
)");
}

TEST_CASE("config as YAML: what is printed loads again to the same", "[config]") {
  const auto c = config::parse(R"(
global: {scrape_interval: 90s, body_size_limit: 3MB, query_log_file: "a: b"}
scrape_configs:
- job_name: "1"
  params: {a: ["- x", "", "#", "a #b", "x\ny", "0x1F", "1e3", "null"]}
  http_headers: {x-a: {values: [v]}}
  tls_config: {insecure_skip_verify: true}
  proxy_url: http://p:1
  metric_relabel_configs: [{action: labeldrop, regex: "a|b"}]
storage: {tsdb: {out_of_order_time_window: 1h, retention: {size: 1536MB}}}
remote_write: [{url: "http://r", write_relabel_configs: [{action: drop, source_labels: [x], regex: "1"}]}]
)",
                               "f.yml");
  REQUIRE(c.ok());
  const std::string printed = config::to_yaml(*c);
  const auto again = config::parse(printed, "g.yml");
  INFO(printed << (again.ok() ? std::string() : again.error().message()));
  REQUIRE(again.ok());
  CHECK(again->scrape_configs == c->scrape_configs);
  CHECK(config::to_yaml(*again) == printed);
}

TEST_CASE("yaml scalars: quoted only where they would read back as something else", "[config]") {
  CHECK(config::yaml_scalar("abc") == "abc");
  CHECK(config::yaml_scalar("http://a:1/b") == "http://a:1/b");
  CHECK(config::yaml_scalar("-x") == "-x");
  CHECK(config::yaml_scalar("- x") == "'- x'");
  CHECK(config::yaml_scalar("it's: x") == "'it''s: x'");
  CHECK(config::yaml_scalar("") == "\"\"");
  CHECK(config::yaml_scalar("no") == "\"no\"");
  CHECK(config::yaml_scalar("12") == "\"12\"");
  CHECK(config::yaml_scalar("a\nb") == "\"a\\nb\"");
}
