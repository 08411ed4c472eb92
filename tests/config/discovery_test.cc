// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "config/config.h"

using namespace varve;

namespace {

std::string job(const std::string& discovery) {
  return "scrape_configs:\n- job_name: j\n" + discovery;
}

std::string bad(const std::string& discovery) {
  const auto parsed = config::parse(job(discovery), "f.yml");
  return parsed.ok() ? "accepted" : parsed.error().message();
}

constexpr const char* kAllKinds = R"(  file_sd_configs:
  - files: [a/*.json, b.yml]
  dns_sd_configs:
  - names: [x.test]
    type: a
    port: 9100
  http_sd_configs:
  - url: https://sd.test/targets
    refresh_interval: 20s
    basic_auth: {username: u, password: hush}
  consul_sd_configs:
  - server: c:8500
    token: hush
    services: [web]
    tags: [a, b]
    node_meta: {rack: r1}
  kubernetes_sd_configs:
  - role: endpoints
    namespaces: {names: [default]}
    selectors:
    - {role: pod, label: app=x}
    attach_metadata: {node: true}
)";

}  // namespace

TEST_CASE("discovery config: each kind is read with Prometheus's defaults", "[config]") {
  const auto parsed = config::parse(job(kAllKinds), "f.yml");
  REQUIRE(parsed.ok());
  const auto& sources = parsed->scrape_discovery.at("j");
  REQUIRE(sources.size() == 5);
  const auto& file = std::get<discovery::FileOptions>(sources[0]);
  CHECK(file.files == std::vector<std::string>{"a/*.json", "b.yml"});
  CHECK(file.refresh_interval == std::chrono::minutes(5));
  const auto& dns = std::get<discovery::DnsOptions>(sources[1]);
  CHECK(dns.type == discovery::DnsType::kA);
  CHECK(dns.port == 9100);
  CHECK(std::get<discovery::HttpOptions>(sources[2]).client.basic_auth->username == "u");
  const auto& consul = std::get<discovery::ConsulOptions>(sources[3]);
  CHECK(consul.allow_stale);
  CHECK(consul.tag_separator == ",");
  const auto& kubernetes = std::get<discovery::KubernetesOptions>(sources[4]);
  CHECK(kubernetes.role == discovery::KubernetesRole::kEndpoints);
  CHECK(kubernetes.attach_node);
}

TEST_CASE("discovery config: what is printed hides secrets and loads again to the same",
          "[config]") {
  const auto parsed = config::parse(job(kAllKinds), "f.yml");
  REQUIRE(parsed.ok());
  const std::string printed = config::to_yaml(*parsed);
  CHECK(printed.find("hush") == std::string::npos);
  const auto again = config::parse(printed, "again.yml");
  REQUIRE(again.ok());
  CHECK(config::to_yaml(*again) == printed);
}

TEST_CASE("discovery config: alertmanagers have theirs by place", "[config]") {
  const auto parsed = config::parse(
      "alerting:\n  alertmanagers:\n  - static_configs: [{targets: [a:1]}]\n"
      "  - dns_sd_configs: [{names: [x.test]}]\n",
      "f.yml");
  REQUIRE(parsed.ok());
  REQUIRE(parsed->alertmanager_discovery.size() == 2);
  CHECK(parsed->alertmanager_discovery[0].empty());
  CHECK(parsed->alertmanager_discovery[1].size() == 1);
}

TEST_CASE("discovery config: what is wrong is said with its place", "[config]") {
  CHECK(bad("  file_sd_configs:\n  - files: [a.txt]\n") ==
        "f.yml:4:13: path name \"a.txt\" is not valid for file discovery");
  CHECK(bad("  file_sd_configs:\n  - files: ['*/a.json']\n") ==
        "f.yml:4:13: path name \"*/a.json\" is not valid for file discovery");
  CHECK(bad("  file_sd_configs:\n  - {}\n") ==
        "f.yml:4:5: file service discovery config must contain at least one path name");
  CHECK(bad("  file_sd_configs:\n  - file: [a.yml]\n") ==
        "f.yml:4:5: field file not known in file SD config, did you mean files?");
  CHECK(bad("  http_sd_configs:\n  - url: ftp://x/\n") ==
        "f.yml:4:10: URL scheme must be 'http' or 'https'");
  CHECK(bad("  http_sd_configs:\n  - {}\n") == "f.yml:4:5: URL is missing");
  CHECK(bad("  http_sd_configs:\n  - {url: 'http://x', refresh_interval: 0s}\n") ==
        "f.yml:4:41: refresh_interval must be above 0");
  CHECK(bad("  dns_sd_configs:\n  - names: [x]\n    type: A\n") ==
        "f.yml:4:5: a port is required in DNS-SD configs for all record types except SRV");
  CHECK(bad("  dns_sd_configs:\n  - names: [x]\n    type: TXT\n") ==
        "f.yml:5:11: invalid DNS-SD records type TXT");
  CHECK(bad("  consul_sd_configs:\n  - server: ''\n") ==
        "f.yml:4:5: consul SD configuration requires a server address");
  CHECK(bad("  kubernetes_sd_configs:\n  - role: pods\n") ==
        "f.yml:4:11: unknown Kubernetes SD role \"pods\"");
  CHECK(bad("  kubernetes_sd_configs:\n  - role: pod\n    selectors: [{role: node}]\n") ==
        "f.yml:4:5: pod role supports only pod selectors");
  CHECK(bad("  kubernetes_sd_configs:\n  - role: pod\n    basic_auth: {username: u}\n") ==
        "f.yml:4:5: to use custom HTTP client configuration please provide the 'api_server' URL "
        "explicitly");
}

TEST_CASE("target groups in YAML: strict, and null is refused", "[config]") {
  CHECK(config::parse_target_groups("", "f.yml")->empty());
  CHECK(config::parse_target_groups("- targets: [a:1]\n- {}\n", "f.yml")->size() == 2);
  CHECK(config::parse_target_groups("- target: [a:1]\n", "f.yml").error().message() ==
        "f.yml:1:3: field target not known in target group, did you mean targets?");
  CHECK_FALSE(config::parse_target_groups("- \n", "f.yml").ok());
  CHECK_FALSE(config::parse_target_groups("targets: [a:1]\n", "f.yml").ok());
}
