// SPDX-License-Identifier: Apache-2.0
#include "discovery/consul_groups.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/try.h"
#include "discovery/json_document.h"
#include "discovery/label_name.h"

namespace varve::discovery {
namespace {

using nlohmann::json;

constexpr int kDepthMax = 64;

Error invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

// The worst of an entry's checks, as Consul itself sums them up.
std::string status_of(const json& checks) {
  bool critical = false;
  bool warning = false;
  if (!checks.is_array()) return "passing";
  for (const json& check : checks) {
    const std::string id = text_at(check, "CheckID");
    if (id == "_node_maintenance" || id.starts_with("_service_maintenance:")) return "maintenance";
    const std::string status = text_at(check, "Status");
    critical = critical || status == "critical";
    warning = warning || status == "warning";
  }
  return critical ? "critical" : warning ? "warning" : "passing";
}

void set_all(LabelsBuilder& out, std::string_view prefix, const json& object) {
  if (!object.is_object()) return;
  for (const auto& [name, value] : object.items()) {
    out.set(fmt::format("{}{}", prefix, sanitized(name)), text_of(value));
  }
}

Labels target_of(const json& entry, const std::string& separator) {
  const json& node = member(entry, "Node");
  const json& service = member(entry, "Service");
  std::string tags = separator;
  if (const json& list = member(service, "Tags"); list.is_array() && !list.empty()) {
    for (const json& tag : list) tags += text_of(tag) + separator;
  } else {
    tags += separator;
  }
  const std::string node_address = text_at(node, "Address");
  const std::string service_address = text_at(service, "Address");
  const std::string port = text_at(service, "Port");
  LabelsBuilder out;
  out.set("__address__",
          host_and_port(service_address.empty() ? node_address : service_address, port));
  out.set("__meta_consul_address", node_address);
  out.set("__meta_consul_node", text_at(node, "Node"));
  out.set("__meta_consul_tags", tags);
  out.set("__meta_consul_namespace", text_at(service, "Namespace"));
  out.set("__meta_consul_partition", text_at(service, "Partition"));
  out.set("__meta_consul_service_address", service_address);
  out.set("__meta_consul_service_port", port);
  out.set("__meta_consul_service_id", text_at(service, "ID"));
  out.set("__meta_consul_health", status_of(member(entry, "Checks")));
  set_all(out, "__meta_consul_metadata_", member(node, "Meta"));
  set_all(out, "__meta_consul_service_metadata_", member(service, "Meta"));
  set_all(out, "__meta_consul_tagged_address_", member(node, "TaggedAddresses"));
  return out.build();
}

}  // namespace

Result<std::vector<ConsulService>> read_consul_catalog(std::string_view text) {
  VARVE_TRY_ASSIGN(const json parsed, parse_json(text, kDepthMax));
  if (!parsed.is_object()) return invalid("the catalog is not an object");
  std::vector<ConsulService> out;
  for (const auto& [name, tags] : parsed.items()) {
    ConsulService& service = out.emplace_back();
    service.name = name;
    if (!tags.is_array()) continue;
    for (const json& tag : tags) service.tags.push_back(text_of(tag));
  }
  return out;
}

bool wants(const ConsulOptions& options, const ConsulService& service) {
  const auto holds = [](const std::vector<std::string>& list, const std::string& text) {
    return std::find(list.begin(), list.end(), text) != list.end();
  };
  if (!options.services.empty() && !holds(options.services, service.name)) return false;
  return std::all_of(options.tags.begin(), options.tags.end(),
                     [&](const std::string& tag) { return holds(service.tags, tag); });
}

Result<model::TargetGroup> read_consul_health(std::string_view text, const std::string& service,
                                              const std::string& datacenter,
                                              const std::string& tag_separator) {
  VARVE_TRY_ASSIGN(const json parsed, parse_json(text, kDepthMax));
  if (!parsed.is_array()) return invalid("the health of a service is not a list");
  model::TargetGroup group{service, {}, {}};
  group.labels =
      Labels{{"__meta_consul_service", service}, {"__meta_consul_dc", datacenter}};
  for (const json& entry : parsed) {
    if (!entry.is_object()) return invalid("an entry is not an object");
    group.targets.push_back(target_of(entry, tag_separator));
  }
  return group;
}

}  // namespace varve::discovery
