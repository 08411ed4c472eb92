// SPDX-License-Identifier: Apache-2.0
// What the *_sd_configs of a job say, with Prometheus 3.14's defaults. config fills it. Equal
// options of two jobs are one source.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "http/client_options.h"

namespace varve::discovery {

struct FileOptions {
  std::vector<std::string> files;  // patterns, wildcards in the last part only
  // Files are looked at every few seconds; this is for the user's peace of mind.
  std::chrono::milliseconds refresh_interval = std::chrono::minutes(5);
  friend bool operator==(const FileOptions&, const FileOptions&) = default;
};

struct HttpOptions {
  std::string url;
  std::chrono::milliseconds refresh_interval = std::chrono::minutes(1);
  http::ClientOptions client;
  friend bool operator==(const HttpOptions&, const HttpOptions&) = default;
};

enum class DnsType : std::uint8_t { kSrv, kA, kAaaa, kMx, kNs };
// "SRV", …
std::string_view to_string(DnsType type);

struct DnsOptions {
  std::vector<std::string> names;
  DnsType type = DnsType::kSrv;
  std::uint16_t port = 0;  // of the targets; a SRV record brings its own
  std::chrono::milliseconds refresh_interval = std::chrono::seconds(30);
  friend bool operator==(const DnsOptions&, const DnsOptions&) = default;
};

struct ConsulOptions {
  std::string server = "localhost:8500";
  std::string path_prefix;
  std::string token;  // secret
  std::string datacenter;
  std::string namespace_name;
  std::string partition;
  std::string tag_separator = ",";
  std::string scheme = "http";
  std::string username;
  std::string password;  // secret
  bool allow_stale = true;
  // The least time between two questions about one thing.
  std::chrono::milliseconds refresh_interval = std::chrono::seconds(30);
  std::vector<std::string> services;  // empty: all
  std::vector<std::string> tags;      // a service must have all of them
  std::map<std::string, std::string> node_meta;
  std::string filter;         // of the catalog, in Consul's language
  std::string health_filter;  // of the health of a service, likewise
  http::ClientOptions client;
  friend bool operator==(const ConsulOptions&, const ConsulOptions&) = default;
};

enum class KubernetesRole : std::uint8_t {
  kNode,
  kPod,
  kService,
  kEndpoints,
  kEndpointSlice,
  kIngress,
};
// "node", …, "endpointslice", "ingress".
std::string_view to_string(KubernetesRole role);

struct KubernetesSelector {
  std::string label;
  std::string field;
  friend bool operator==(const KubernetesSelector&, const KubernetesSelector&) = default;
};

struct KubernetesOptions {
  std::string api_server;  // "": the cluster this runs in, or what the kubeconfig says
  KubernetesRole role = KubernetesRole::kNode;
  std::string kubeconfig_file;
  std::vector<std::string> namespaces;  // empty: all
  bool own_namespace = false;
  std::map<KubernetesRole, KubernetesSelector> selectors;
  bool attach_node = false;
  bool attach_namespace = false;
  http::ClientOptions client;
  friend bool operator==(const KubernetesOptions&, const KubernetesOptions&) = default;
};

using SourceOptions =
    std::variant<FileOptions, HttpOptions, DnsOptions, ConsulOptions, KubernetesOptions>;
// "file", "http", "dns", "consul", "kubernetes": <kind>_sd_configs.
std::string_view kind_of(const SourceOptions& options);

}  // namespace varve::discovery
