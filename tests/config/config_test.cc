// SPDX-License-Identifier: Apache-2.0
#include "config/config.h"

#include <catch2/catch.hpp>

#include "config/yaml_reader.h"

using namespace varve;
using namespace std::chrono_literals;

namespace {

std::string environment(const std::string& name) { return name == "REGION" ? "eu" : ""; }

config::Config good(std::string_view text) {
  auto parsed = config::parse(text, "f.yml", environment);
  INFO((parsed.ok() ? std::string() : parsed.error().message()));
  REQUIRE(parsed.ok());
  return *std::move(parsed);
}

std::string bad(std::string_view text) {
  const auto parsed = config::parse(text, "f.yml", environment);
  return parsed.ok() ? "accepted" : parsed.error().message();
}

// A job with more keys, each indented by two.
std::string job(std::string_view more) {
  return "scrape_configs:\n- job_name: j\n" + std::string(more);
}

}  // namespace

TEST_CASE("config: an empty file has Prometheus's defaults", "[config]") {
  for (const char* text : {"", "global:\n", "{}", "# only a comment\n", "---\n"}) {
    CAPTURE(text);
    const config::Config c = good(text);
    CHECK(c.global.scrape_interval == 1min);
    CHECK(c.global.scrape_timeout == 10s);
    CHECK(c.global.evaluation_interval == 1min);
    CHECK(c.scrape_configs.empty());
    CHECK_FALSE(c.alerting.present());
  }
}

TEST_CASE("config: a job inherits from global wherever that stands", "[config]") {
  const config::Config c = good(R"(
scrape_configs:
- job_name: a
  static_configs:
  - targets: [localhost:1, "localhost:2"]
    labels: {env: prod, n: 5}
- job_name: b
  scrape_interval: 5s
  sample_limit: 7
  scrape_protocols: [PrometheusText0.0.4]
  fallback_scrape_protocol: PrometheusText0.0.4
global:
  scrape_interval: 30s
  sample_limit: 100
  body_size_limit: 10MB
  external_labels: {region: "${REGION}-1", cost: $$5, gone: $NOWHERE}
)");
  REQUIRE(c.scrape_configs.size() == 2);
  const auto& a = c.scrape_configs[0];
  CHECK(a.interval == 30s);
  CHECK(a.timeout == 10s);
  CHECK(a.limits.samples == 100);
  CHECK(a.limits.body_size_bytes == 10U << 20);
  CHECK(a.metrics_path == "/metrics");
  CHECK(a.honor_timestamps);
  REQUIRE(a.static_configs.size() == 1);
  CHECK(a.static_configs[0].targets.size() == 2);
  CHECK(a.static_configs[0].labels == Labels{{"env", "prod"}, {"n", "5"}});
  const auto& b = c.scrape_configs[1];
  CHECK(b.interval == 5s);
  CHECK(b.timeout == 5s);
  CHECK(b.limits.samples == 7);
  CHECK(b.protocols == std::vector{scrape::Protocol::kPrometheusText0_0_4});
  CHECK(b.fallback_protocol == scrape::Protocol::kPrometheusText0_0_4);
  CHECK(c.global.external_labels == Labels{{"cost", "$5"}, {"region", "eu-1"}});
  CHECK(c.warnings ==
        std::vector<std::string>{"external_labels: empty environment variable NOWHERE"});
}

TEST_CASE("config: a wrong key names file, line, column and the nearest right one", "[config]") {
  CHECK(bad("global:\n  scrape_intervall: 5s\n") ==
        "f.yml:2:3: field scrape_intervall not known in global config, did you mean "
        "scrape_interval?");
  CHECK(bad("scrape_config: []\n") ==
        "f.yml:1:1: field scrape_config not known in config, did you mean scrape_configs?");
  CHECK(bad(job("  tls_config: {cafile: x}\n")) ==
        "f.yml:3:16: field cafile not known in tls_config, did you mean ca_file?");
  CHECK(bad("zzzzzzzzzzzz: 1\n") == "f.yml:1:1: field zzzzzzzzzzzz not known in config");
  CHECK(bad(job("  static_configs:\n  - target: [a]\n")) ==
        "f.yml:4:5: field target not known in static config, did you mean targets?");
  CHECK(bad(job("  relabel_configs:\n  - source_label: [a]\n")) ==
        "f.yml:4:5: field source_label not known in relabel config, did you mean source_labels?");
}

TEST_CASE("config: discovery that is not there is refused by its name", "[config]") {
  const std::string supported =
      " is not supported by Varve; supported are: static_configs, file_sd_configs, "
      "http_sd_configs, dns_sd_configs, consul_sd_configs, kubernetes_sd_configs";
  CHECK(bad(job("  ec2_sd_configs: []\n")) == "f.yml:3:3: ec2_sd_configs" + supported);
  CHECK(bad("alerting:\n  alertmanagers:\n  - azure_sd_configs: []\n") ==
        "f.yml:3:5: azure_sd_configs" + supported);
  CHECK(
      bad(job("  foo_sd_configs: []\n")).starts_with("f.yml:3:3: field foo_sd_configs not known"));
  CHECK(bad(job("  file_sd_config: []\n")) ==
        "f.yml:3:3: field file_sd_config not known in scrape config, did you mean "
        "file_sd_configs?");
}

TEST_CASE("config: wrong values name their place", "[config]") {
  struct Case {
    std::string text, error;
  };
  const std::vector<Case> cases{
      {"global: {scrape_interval: 5x}", "f.yml:1:27: "},
      {"global: 5", "f.yml:1:9: expected a map for global config, got a value"},
      {"scrape_configs: {}", "f.yml:1:17: expected a list, got a map"},
      {"scrape_configs:\n-\n", "empty or null scrape config section"},
      {"scrape_configs:\n- honor_labels: true\n", "f.yml:2:3: job_name is empty"},
      {job("  honor_labels: maybe\n"), "f.yml:3:17: expected true or false, got \"maybe\""},
      {job("  honor_labels: \"true\"\n"), "f.yml:3:17: expected true or false, got \"true\""},
      {job("  sample_limit: -1\n"),
       "f.yml:3:17: expected a whole number that is not negative, got \"-1\""},
      {job("  body_size_limit: 10\n"), "f.yml:3:20: units: missing unit in \"10\""},
      {job("  body_size_limit: 10XB\n"), "f.yml:3:20: units: unknown unit XB in \"10XB\""},
      {job("  static_configs:\n  - targets: [\"http://x\"]\n"),
       "f.yml:4:15: \"http://x\" is not a valid hostname"},
      {job("  scrape_timeout: 2m\n"),
       "scrape timeout greater than scrape interval for scrape config with job name \"j\""},
      {"global: {scrape_interval: 5s, scrape_timeout: 6s}",
       "f.yml:1:47: global scrape timeout greater than scrape interval"},
      {job("- job_name: j\n"), "f.yml:3:13: found multiple scrape configs with job name \"j\""},
      {job("  job_name: k\n"), "f.yml:3:3: key \"job_name\" already set in map"},
      {job("  scrape_protocols: []\n"), "f.yml:3:21: scrape_protocols cannot be empty"},
      {job("  scrape_protocols: [X]\n"), "f.yml:3:22: unknown scrape protocol X, supported: "},
      {job("  basic_auth: {username: a, password: b, password_file: c}\n"),
       "f.yml:2:3: at most one of basic_auth password & password_file must be configured"},
      {job("  basic_auth: {username: a}\n  bearer_token: x\n"),
       "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured"},
      {job("  authorization: {type: Basic}\n"),
       "authorization type cannot be set to \"basic\", use \"basic_auth\" instead"},
      {job("  http_headers: {Host: {values: [x]}}\n"),
       "f.yml:3:18: setting header \"Host\" is not allowed"},
      {job("  relabel_configs:\n  - action: explode\n"),
       "f.yml:4:13: unknown relabel action \"explode\""},
      {job("  relabel_configs:\n  - action: hashmod\n    target_label: x\n"),
       "f.yml:4:5: relabel configuration for hashmod requires non-zero modulus"},
      {job("  relabel_configs:\n  -\n"),
       "empty or null target relabeling rule in scrape config"},
      {job("  metric_relabel_configs:\n  - regex: a(\n    target_label: x\n"),
       "f.yml:4:5: error parsing regexp: "},
      {job("  metric_name_validation_scheme: legacy\n"
           "  metric_name_escaping_scheme: allow-utf-8\n"),
       "utf8 metric names requested but validation scheme is not set to UTF8"},
      {"rule_files: [a/*/b.yml]", "f.yml:1:14: invalid rule file path \"a/*/b.yml\""},
      {"remote_write: [{name: x}]", "f.yml:1:16: url for remote_write is empty"},
      {"remote_write: [{url: 'http://a', name: x}, {url: 'http://b', name: x}]",
       "found multiple remote write configs with job name \"x\""},
      {"tracing: {insecure: true}", "tracing endpoint must be set"},
      {"otlp: {translation_strategy: None}",
       "f.yml:1:30: unsupported OTLP translation strategy \"None\""},
      {"alerting: {alertmanagers: [{api_version: v1}]}",
       "expected Alertmanager api version to be one of [v2] but got v1"},
      {"global: [\n", "f.yml:2:1: yaml: "},
      {"a: 1\n---\nb: 2\n", "only one document is allowed"},
      {"global: {external_labels: {a: *nowhere}}", "yaml: "},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text, c.error);
    const std::string got = bad(c.text);
    CAPTURE(got);
    CHECK(got.starts_with("f.yml"));
    CHECK(got.find(c.error) != std::string::npos);
  }
}

TEST_CASE("config: anchors and merge keys work as in Go's YAML", "[config]") {
  const config::Config c = good(R"(
scrape_configs:
- &base
  job_name: a
  scrape_interval: 7s
  metrics_path: /m
- <<: *base
  job_name: b
  metrics_path: /n
)");
  REQUIRE(c.scrape_configs.size() == 2);
  CHECK(c.scrape_configs[1].job_name == "b");
  CHECK(c.scrape_configs[1].interval == 7s);
  CHECK(c.scrape_configs[1].metrics_path == "/n");
}

TEST_CASE("config: alias bombs and deep nesting end with a bound", "[config]") {
  std::string bomb = "rule_files: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    bomb += "k" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) bomb += (j > 0 ? ", *a" : "*a") + std::to_string(i - 1);
    bomb += "]\n";
  }
  auto parsed = config::parse(bomb, "f.yml");
  REQUIRE_FALSE(parsed.ok());
  CHECK(parsed.error().code() == ErrorCode::kLimitExceeded);
  for (const std::size_t depth : {200U, 100'000U}) {
    parsed = config::parse("global: " + std::string(depth, '['), "f.yml");
    REQUIRE_FALSE(parsed.ok());
  }
  parsed = config::parse("global: {a: &x [*x]}", "f.yml");
  CHECK_FALSE(parsed.ok());
}

TEST_CASE("config: the sections for later are kept, their secrets masked", "[config]") {
  const config::Config c = good(R"(
alerting:
  alertmanagers:
  - basic_auth: {username: u, password: hush}
    static_configs:
    - targets: [localhost:9093]
remote_write:
- url: http://x/write
  queue_config: {max_shards: 3}
storage:
  tsdb:
    out_of_order_time_window: 30m
    retention: {time: 30d, size: 5GB}
  exemplars: {max_exemplars: 5}
runtime: {gogc: 50}
)");
  CHECK(c.alerting.present());
  CHECK(c.alerting.yaml.find("hush") != std::string::npos);
  CHECK(c.alerting.masked ==
        "alerting:\n  alertmanagers:\n  - basic_auth:\n      username: u\n      password: "
        "<secret>\n    static_configs:\n    - targets:\n      - localhost:9093\n");
  CHECK(c.remote_write.present());
  CHECK(c.storage.out_of_order_time_window == 30min);
  CHECK(c.storage.retention_time == 30 * 24h);
  CHECK(c.storage.retention_bytes == std::uint64_t{5} << 30);
  CHECK(c.storage.exemplars_max == 5);
}

TEST_CASE("config: bearer_token becomes an authorization", "[config]") {
  const config::Config c = good(job("  bearer_token: t\n  tls_config: {ca_file: ca.pem}\n"));
  const auto& client = c.scrape_configs[0].client;
  REQUIRE(client.authorization);
  CHECK(client.authorization->type == "Bearer");
  CHECK(client.authorization->credentials.value == "t");
  CHECK(client.tls.ca_file == "ca.pem");
}

TEST_CASE("config: a client section that is left empty is not there", "[config]") {
  const auto parsed = config::parse(
      "scrape_configs:\n- job_name: j\n  basic_auth:\n  authorization:\n  oauth2:\n"
      "  bearer_token: secret\n",
      "p.yml");
  REQUIRE(parsed.ok());
  const http::ClientOptions& client = parsed->scrape_configs.at(0).client;
  CHECK_FALSE(client.basic_auth);
  CHECK_FALSE(client.oauth2);
  CHECK(client.authorization->credentials.value == "secret");
}

TEST_CASE("config: client keys that are known but not supported are refused by name", "[config]") {
  const auto refused = [](const std::string& text) {
    const auto parsed = config::parse("scrape_configs: [{job_name: j, " + text + "}]", "f");
    REQUIRE_FALSE(parsed.ok());
    return parsed.error().message();
  };
  CHECK(refused("authorization: {credentials_ref: x}").ends_with(
      "credentials_ref is not supported by Varve"));
  CHECK(refused("oauth2: {grant_type: x}").ends_with("grant_type is not supported by Varve"));
  CHECK(refused("tls_config: {key_ref: x}").ends_with("key_ref is not supported by Varve"));
  CHECK(refused("tls_config: {key_fil: x}").ends_with(
      "field key_fil not known in tls_config, did you mean key_file?"));
}

TEST_CASE("config: sizes are powers of 1024 under either letter", "[config]") {
  CHECK(*config::parse_bytes("512MB") == 512U << 20);
  CHECK(*config::parse_bytes("1GiB") == 1U << 30);
  CHECK(*config::parse_bytes("1.5KB") == 1536);
  CHECK(*config::parse_bytes("1GB512MB") == 1536ULL << 20);
  CHECK(*config::parse_bytes("0") == 0);
  CHECK_FALSE(config::parse_bytes("99999EB").ok());
  CHECK_FALSE(config::parse_bytes("").ok());
  CHECK(config::format_bytes(1536ULL << 20) == "1GiB512MiB");
  CHECK(config::format_bytes(10U << 20) == "10MiB");
}

TEST_CASE("config: what cannot be a URL is refused where one belongs", "[config]") {
  for (const char* url : {"http://p:1", "socks5://u:p@h:1080/", "p", "p:1", "http://[::1]:80/x",
                          "http://h/a:b", "/only/a/path:x"}) {
    CAPTURE(url);
    good(job("  proxy_url: '" + std::string(url) + "'\n"));
  }
  const auto refused = [](const std::string& url) {
    return bad(job("  proxy_url: '" + url + "'\n"));
  };
  CHECK(refused(":bad:") == "f.yml:3:14: parse \":bad:\": missing protocol scheme");
  CHECK(refused("1:2") ==
        "f.yml:3:14: parse \"1:2\": first path segment in URL cannot contain colon");
  CHECK(refused("http://h:x/") ==
        "f.yml:3:14: parse \"http://h:x/\": invalid port \":x\" after host");
  CHECK(refused("http://a b/") ==
        "f.yml:3:14: parse \"http://a b/\": invalid character in host name");
  CHECK(refused("http://[::1/") == "f.yml:3:14: parse \"http://[::1/\": missing ']' in host");
  CHECK(bad("remote_write: [{url: ':x'}]") == "f.yml:1:22: parse \":x\": missing protocol scheme");
}

TEST_CASE("config: protobuf may come first where the file does not say", "[config]") {
  const auto first = [](const std::string& text) {
    const auto parsed = config::parse(text, "f.yml", {}, {.raw = {}, .protobuf_first = true});
    REQUIRE(parsed.ok());
    return parsed->scrape_configs.at(0).protocols.front();
  };
  using scrape::Protocol;
  CHECK(first("scrape_configs: [{job_name: a}]") == Protocol::kPrometheusProto);
  CHECK(first("scrape_configs: [{job_name: a, scrape_protocols: [PrometheusText0.0.4]}]") ==
        Protocol::kPrometheusText0_0_4);
  CHECK(
      first("global: {scrape_protocols: [PrometheusText1.0.0]}\nscrape_configs: [{job_name: a}]") ==
      Protocol::kPrometheusText1_0_0);
}

TEST_CASE("config: remote write cannot change the headers it sets itself", "[config]") {
  good("remote_write: [{url: 'http://h', headers: {X-Scope-OrgID: a}}]");
  CHECK(bad("remote_write: [{url: 'http://h', headers: {Authorization: a}}]")
            .ends_with("authorization header must be changed via the basic_auth, authorization, "
                       "oauth2, sigv4, azuread or google_iam parameter"));
  CHECK(bad("remote_write: [{url: 'http://h', headers: {Content-Type: a}}]")
            .ends_with("Content-Type is a reserved header. It must not be changed"));
}
