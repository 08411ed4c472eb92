// SPDX-License-Identifier: Apache-2.0
#include "config/read_discovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "config/config.h"
#include "config/read_client.h"
#include "model/relabel.h"

namespace varve::config {
namespace {

using discovery::ConsulOptions;
using discovery::DnsOptions;
using discovery::DnsType;
using discovery::FileOptions;
using discovery::HttpOptions;
using discovery::KubernetesOptions;
using discovery::KubernetesRole;

constexpr std::array<std::string_view, 31> kVendorDiscovery{
    "aws",      "azure", "digitalocean", "docker",  "dockerswarm", "ec2",       "ecs",
    "elasticache", "eureka", "gce",      "hetzner", "ionos",       "kuma",      "lightsail",
    "linode",   "marathon", "msk",       "nerve",   "nomad",       "oci",       "openstack",
    "outscale", "ovhcloud", "puppetdb",  "rds",     "scaleway",    "serverset", "stackit",
    "triton",   "uyuni", "vultr"};

constexpr std::array<KubernetesRole, 6> kRoles{
    KubernetesRole::kPod,           KubernetesRole::kService, KubernetesRole::kEndpoints,
    KubernetesRole::kEndpointSlice, KubernetesRole::kNode,    KubernetesRole::kIngress};

// A time between two rounds; Prometheus does not survive a zero.
Status check_interval(const Source& source, const Node& node, std::chrono::milliseconds interval) {
  if (interval.count() > 0) return {};
  const Node* at = node.find("refresh_interval");
  return source.error(at == nullptr ? node.place : at->place, "refresh_interval must be above 0");
}

// pattern: ^[^*]*(\*[^/]*)?\.(json|yml|yaml|JSON|YML|YAML)$
bool valid_file_pattern(std::string_view pattern) {
  const std::size_t star = pattern.find('*');
  if (star != std::string_view::npos && pattern.find('/', star) != std::string_view::npos) {
    return false;
  }
  constexpr std::array<std::string_view, 6> kEndings{".json", ".yml", ".yaml",
                                                     ".JSON", ".YML", ".YAML"};
  return std::any_of(kEndings.begin(), kEndings.end(),
                     [&](std::string_view ending) { return pattern.ends_with(ending); });
}

Status read_file(const Source& source, const Node& node, FileOptions& out) {
  const ReadValue file_patterns = [&](const Source& from, const Node& list) -> Status {
    VARVE_TRY(texts(out.files)(from, list));
    for (std::size_t i = 0; i < out.files.size(); ++i) {
      if (!valid_file_pattern(out.files[i])) {
        return from.error(list.items[i]->place,
                          fmt::format("path name \"{}\" is not valid for file discovery",
                                      out.files[i]));
      }
      out.files[i] = from.joined(out.files[i]);
    }
    return {};
  };
  VARVE_TRY(read_map(source, node, "file SD config",
                     {{"files", file_patterns},
                      {"refresh_interval", duration(out.refresh_interval)}}));
  if (out.files.empty()) {
    return source.error(node.place,
                        "file service discovery config must contain at least one path name");
  }
  return check_interval(source, node, out.refresh_interval);
}

Status read_http(const Source& source, const Node& node, HttpOptions& out) {
  ClientReader client(out.client);
  std::vector<Field> fields{{"url", url(out.url)},
                            {"refresh_interval", duration(out.refresh_interval)}};
  for (Field& field : client.fields()) fields.push_back(std::move(field));
  VARVE_TRY(read_map(source, node, "HTTP SD config", fields));
  const Node* at = node.find("url");
  const Place place = at == nullptr ? node.place : at->place;
  if (out.url.empty()) return source.error(place, "URL is missing");
  const std::string_view address(out.url);
  const std::size_t scheme = address.starts_with("http://")    ? 7
                             : address.starts_with("https://") ? 8
                                                               : 0;
  if (scheme == 0) return source.error(place, "URL scheme must be 'http' or 'https'");
  if (address.size() == scheme || address[scheme] == '/') {
    return source.error(place, "host is missing in URL");
  }
  VARVE_TRY(client.finish(source, node.place));
  return check_interval(source, node, out.refresh_interval);
}

Status read_dns(const Source& source, const Node& node, DnsOptions& out) {
  std::string type = "SRV";
  std::uint64_t port = 0;
  VARVE_TRY(read_map(source, node, "DNS SD config",
                     {{"names", texts(out.names)},
                      {"type", text(type)},
                      {"port", count(port)},
                      {"refresh_interval", duration(out.refresh_interval)}}));
  if (out.names.empty()) {
    return source.error(node.place, "DNS-SD config must contain at least one SRV record name");
  }
  std::transform(type.begin(), type.end(), type.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  });
  bool known = false;
  for (const DnsType candidate :
       {DnsType::kSrv, DnsType::kA, DnsType::kAaaa, DnsType::kMx, DnsType::kNs}) {
    if (type != to_string(candidate)) continue;
    out.type = candidate;
    known = true;
  }
  if (!known) {
    const Node* at = node.find("type");
    return source.error(at == nullptr ? node.place : at->place,
                        fmt::format("invalid DNS-SD records type {}", type));
  }
  if (port > 65535) return source.error(node.find("port")->place, "port must be below 65536");
  if (out.type != DnsType::kSrv && port == 0) {
    return source.error(node.place,
                        "a port is required in DNS-SD configs for all record types except SRV");
  }
  out.port = static_cast<std::uint16_t>(port);
  return check_interval(source, node, out.refresh_interval);
}

Status read_consul(const Source& source, const Node& node, ConsulOptions& out) {
  ClientReader client(out.client);
  std::vector<Field> fields{{"server", text(out.server)},
                            {"path_prefix", text(out.path_prefix)},
                            {"token", text(out.token)},
                            {"datacenter", text(out.datacenter)},
                            {"namespace", text(out.namespace_name)},
                            {"partition", text(out.partition)},
                            {"tag_separator", text(out.tag_separator)},
                            {"scheme", text(out.scheme)},
                            {"username", text(out.username)},
                            {"password", text(out.password)},
                            {"allow_stale", boolean(out.allow_stale)},
                            {"refresh_interval", duration(out.refresh_interval)},
                            {"services", texts(out.services)},
                            {"tags", texts(out.tags)},
                            {"node_meta", text_map(out.node_meta)},
                            {"filter", text(out.filter)},
                            {"health_filter", text(out.health_filter)}};
  for (Field& field : client.fields()) fields.push_back(std::move(field));
  VARVE_TRY(read_map(source, node, "consul SD config", fields));
  VARVE_TRY(client.finish(source, node.place));
  if (out.server.find_first_not_of(" \t") == std::string::npos) {
    return source.error(node.place, "consul SD configuration requires a server address");
  }
  if ((!out.username.empty() || !out.password.empty()) && out.client.basic_auth) {
    return source.error(node.place,
                        "at most one of consul SD configuration username and password and basic "
                        "auth can be configured");
  }
  if (!out.token.empty() && (out.client.authorization || out.client.oauth2)) {
    return source.error(node.place,
                        "at most one of consul SD token, authorization, or oauth2 can be "
                        "configured");
  }
  return check_interval(source, node, out.refresh_interval);
}

ReadValue role(std::optional<KubernetesRole>& out) {
  return [&out](const Source& source, const Node& node) -> Status {
    std::string name;
    VARVE_TRY(text(name)(source, node));
    for (const KubernetesRole candidate : kRoles) {
      if (name == to_string(candidate)) out = candidate;
    }
    if (!out) {
      return source.error(node.place, fmt::format("unknown Kubernetes SD role \"{}\"", name));
    }
    return {};
  };
}

// Whether the objects that a role looks at are of this other role.
bool uses(KubernetesRole role, KubernetesRole other) {
  if (role == other) return true;
  const bool endpoints =
      role == KubernetesRole::kEndpoints || role == KubernetesRole::kEndpointSlice;
  return endpoints && (other == KubernetesRole::kPod || other == KubernetesRole::kService);
}

ReadValue kubernetes_selectors(KubernetesOptions& out) {
  return [&out](const Source& source, const Node& node) {
    return read_list(source, node, [&](const Source& from, const Node& item) -> Status {
      std::optional<KubernetesRole> of;
      discovery::KubernetesSelector selector;
      VARVE_TRY(read_map(from, item, "selector",
                         {{"role", role(of)},
                          {"label", text(selector.label)},
                          {"field", text(selector.field)}}));
      if (!of) return from.error(item.place, "role missing (one of: pod, service, endpoints, "
                                             "endpointslice, node, ingress)");
      if (!out.selectors.emplace(*of, std::move(selector)).second) {
        return from.error(item.place, fmt::format("duplicated selector role: {}", to_string(*of)));
      }
      return {};
    });
  };
}

Status check_kubernetes(const Source& source, const Node& node, const KubernetesOptions& out) {
  const bool client = out.client != http::ClientOptions{};
  if (!out.api_server.empty() && !out.kubeconfig_file.empty()) {
    return source.error(node.place,
                        "cannot use 'kubeconfig_file' and 'api_server' simultaneously");
  }
  if (!out.kubeconfig_file.empty() && client) {
    return source.error(node.place,
                        "cannot use a custom HTTP client configuration together with "
                        "'kubeconfig_file'");
  }
  if (out.api_server.empty() && client) {
    return source.error(node.place,
                        "to use custom HTTP client configuration please provide the 'api_server' "
                        "URL explicitly");
  }
  if (!out.api_server.empty() && out.own_namespace) {
    return source.error(node.place,
                        "cannot use 'api_server' and 'namespaces.own_namespace' simultaneously");
  }
  if (!out.kubeconfig_file.empty() && out.own_namespace) {
    return source.error(
        node.place, "cannot use 'kubeconfig_file' and 'namespaces.own_namespace' simultaneously");
  }
  for (const auto& [other, selector] : out.selectors) {
    if (uses(out.role, other)) continue;
    std::string allowed;
    for (const KubernetesRole candidate : kRoles) {
      if (!uses(out.role, candidate)) continue;
      allowed += allowed.empty() ? "" : ", ";
      allowed += to_string(candidate);
    }
    return source.error(node.place, fmt::format("{} role supports only {} selectors",
                                                to_string(out.role), allowed));
  }
  return {};
}

Status read_kubernetes(const Source& source, const Node& node, KubernetesOptions& out) {
  ClientReader client(out.client);
  std::optional<KubernetesRole> of;
  const ReadValue namespaces = [&](const Source& from, const Node& value) {
    return read_map(
        from, value, "namespaces",
        {{"own_namespace", boolean(out.own_namespace)}, {"names", texts(out.namespaces)}});
  };
  const ReadValue attach = [&](const Source& from, const Node& value) {
    return read_map(from, value, "attach_metadata",
                    {{"node", boolean(out.attach_node)},
                     {"namespace", boolean(out.attach_namespace)}});
  };
  std::vector<Field> fields{{"api_server", url(out.api_server)},
                            {"role", role(of)},
                            {"kubeconfig_file", path(out.kubeconfig_file)},
                            {"namespaces", namespaces},
                            {"selectors", kubernetes_selectors(out)},
                            {"attach_metadata", attach}};
  for (Field& field : client.fields()) fields.push_back(std::move(field));
  VARVE_TRY(read_map(source, node, "kubernetes SD config", fields));
  if (!of) {
    return source.error(node.place,
                        "role missing (one of: pod, service, endpoints, endpointslice, node, "
                        "ingress)");
  }
  out.role = *of;
  VARVE_TRY(client.finish(source, node.place));
  return check_kubernetes(source, node, out);
}

template <typename Options>
ReadValue sources(std::vector<discovery::SourceOptions>& out,
                  Status (*read)(const Source&, const Node&, Options&)) {
  return [&out, read](const Source& source, const Node& node) {
    return read_list(source, node, [&](const Source& from, const Node& item) -> Status {
      Options options;
      VARVE_TRY(read(from, item, options));
      out.emplace_back(std::move(options));
      return {};
    });
  };
}

}  // namespace

std::vector<Field> discovery_fields(std::vector<discovery::SourceOptions>& out) {
  return {{"file_sd_configs", sources(out, read_file)},
          {"http_sd_configs", sources(out, read_http)},
          {"dns_sd_configs", sources(out, read_dns)},
          {"consul_sd_configs", sources(out, read_consul)},
          {"kubernetes_sd_configs", sources(out, read_kubernetes)}};
}

ReadUnknown refuse_discovery(const Source& source) {
  return [&source](const Node::Entry& entry) -> std::optional<Status> {
    constexpr std::string_view kSuffix = "_sd_configs";
    std::string_view kind = entry.key;
    if (!kind.ends_with(kSuffix)) return std::nullopt;
    kind.remove_suffix(kSuffix.size());
    if (std::find(kVendorDiscovery.begin(), kVendorDiscovery.end(), kind) ==
        kVendorDiscovery.end()) {
      return std::nullopt;
    }
    return source.error(entry.place,
                        fmt::format("{} is not supported by Varve; supported are: static_configs, "
                                    "file_sd_configs, http_sd_configs, dns_sd_configs, "
                                    "consul_sd_configs, kubernetes_sd_configs",
                                    entry.key));
  };
}

Result<std::vector<model::TargetGroup>> parse_target_groups(std::string_view content,
                                                            std::string name) {
  VARVE_TRY_ASSIGN(const Tree tree, Tree::parse(content, name));
  const Source source{std::move(name), {}};
  std::vector<model::TargetGroup> groups;
  const ReadValue group = [&](const Source& from, const Node& item) -> Status {
    if (item.kind == Node::Kind::kNull) {
      return from.error(item.place,
                        fmt::format("nil target group item found (index {})", groups.size()));
    }
    model::TargetGroup& out = groups.emplace_back();
    out.source = std::to_string(groups.size() - 1);
    std::vector<std::string> targets;
    VARVE_TRY(read_map(from, item, "target group",
                       {{"targets", texts(targets)}, {"labels", labels(out.labels)}}));
    for (const std::string& target : targets) {
      out.targets.push_back(Labels{{"__address__", target}});
    }
    return {};
  };
  VARVE_TRY(read_list(source, tree.root(), group));
  return groups;
}

}  // namespace varve::config
