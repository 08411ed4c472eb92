// SPDX-License-Identifier: Apache-2.0
#include "discovery/kubernetes_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include "discovery/json_document.h"
#include "discovery/label_name.h"

namespace varve::discovery {
namespace {

using model::TargetGroup;
using nlohmann::json;

constexpr std::string_view kMeta = "__meta_kubernetes_";

// The items of a list; none if it is no list.
const json& items(const json& value) {
  static const json kNone = json::array();
  return value.is_array() ? value : kNone;
}

void set(LabelsBuilder& out, std::string_view name, std::string_view value) {
  out.set(fmt::format("{}{}", kMeta, name), value);
}

// Labels and annotations of an object as <what>_label_…, <what>_labelpresent_… and so on.
void set_metadata(LabelsBuilder& out, std::string_view what, const json& object) {
  for (const auto& [list, word] : {std::pair{"labels", "label"}, {"annotations", "annotation"}}) {
    const json& values = member(object, "metadata", list);
    if (!values.is_object()) continue;
    for (const auto& [name, value] : values.items()) {
      set(out, fmt::format("{}_{}_{}", what, word, sanitized(name)), text_of(value));
      set(out, fmt::format("{}_{}present_{}", what, word, sanitized(name)), "true");
    }
  }
}

const json* find(const KubernetesStore& store, KubernetesKind kind, std::string_view key) {
  const auto objects = store.find(kind);
  if (objects == store.end()) return nullptr;
  const auto found = objects->second.find(key);
  return found == objects->second.end() ? nullptr : &found->second;
}

void attach_node(LabelsBuilder& out, const KubernetesStore& store, const std::string& name) {
  if (name.empty()) return;
  const json* node = find(store, KubernetesKind::kNode, name);
  if (node == nullptr) return;
  set(out, "node_name", name);
  set_metadata(out, "node", *node);
}

void attach_namespace(LabelsBuilder& out, const KubernetesOptions& options,
                      const KubernetesStore& store, const json& object) {
  if (!options.attach_namespace) return;
  const json* found =
      find(store, KubernetesKind::kNamespace, text_at(object, "metadata", "namespace"));
  if (found != nullptr) set_metadata(out, "namespace", *found);
}

// ---- nodes

// The address that Prometheus takes, and all by type: the first of each.
std::string node_addresses(LabelsBuilder& out, const json& node) {
  std::map<std::string, std::string> by_type;
  for (const json& address : items(member(node, "status", "addresses"))) {
    by_type.emplace(text_at(address, "type"), text_at(address, "address"));
  }
  for (const auto& [type, address] : by_type) {
    set(out, "node_address_" + sanitized(type), address);
  }
  for (const char* type : {"InternalIP", "InternalDNS", "ExternalIP", "ExternalDNS",
                           "LegacyHostIP", "Hostname"}) {
    if (const auto found = by_type.find(type); found != by_type.end()) return found->second;
  }
  return {};
}

void node_group(const json& node, TargetGroup& group) {
  const std::string name = text_at(node, "metadata", "name");
  LabelsBuilder shared;
  set(shared, "node_name", name);
  set(shared, "node_provider_id", text_at(node, "spec", "providerID"));
  set_metadata(shared, "node", node);
  group.labels = shared.build();
  LabelsBuilder target;
  const std::string address = node_addresses(target, node);
  if (address.empty()) return;
  std::string port =
      text_at(member(node, "status", "daemonEndpoints", "kubeletEndpoint"), "Port");
  if (port.empty()) port = "0";
  target.set("__address__", host_and_port(address, port));
  target.set("instance", name);
  group.targets.push_back(target.build());
}

// ---- pods

bool ends_in_digits(std::string_view text, std::size_t least) {
  return text.size() >= least && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Deployments make replica sets named <deployment>-<hash>, cron jobs make jobs <cronjob>-<minutes>.
void set_controller(LabelsBuilder& out, const json& pod) {
  for (const json& owner : items(member(pod, "metadata", "ownerReferences"))) {
    if (text_at(owner, "controller") != "true") continue;
    const std::string kind = text_at(owner, "kind");
    const std::string name = text_at(owner, "name");
    set(out, "pod_controller_kind", kind);
    set(out, "pod_controller_name", name);
    const std::size_t dash = name.rfind('-');
    if (kind == "ReplicaSet") {
      const std::string hash = text_at(pod, "metadata", "labels", "pod-template-hash");
      if (!hash.empty() && name.ends_with("-" + hash)) {
        set(out, "pod_deployment_name", name.substr(0, name.size() - hash.size() - 1));
      }
    } else if (kind == "Job") {
      set(out, "pod_job_name", name);
      if (dash != std::string::npos && ends_in_digits(name.substr(dash + 1), 8)) {
        set(out, "pod_cronjob_name", name.substr(0, dash));
      }
    }
    return;
  }
}

std::string pod_ready(const json& pod) {
  for (const json& condition : items(member(pod, "status", "conditions"))) {
    if (text_at(condition, "type") != "Ready") continue;
    std::string status = text_at(condition, "status");
    for (char& c : status) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
    }
    return status;
  }
  return "unknown";
}

void set_pod(LabelsBuilder& out, const json& pod) {
  set(out, "pod_name", text_at(pod, "metadata", "name"));
  set(out, "pod_ip", text_at(pod, "status", "podIP"));
  set(out, "pod_ready", pod_ready(pod));
  set(out, "pod_phase", text_at(pod, "status", "phase"));
  set(out, "pod_node_name", text_at(pod, "spec", "nodeName"));
  set(out, "pod_host_ip", text_at(pod, "status", "hostIP"));
  set(out, "pod_uid", text_at(pod, "metadata", "uid"));
  set_metadata(out, "pod", pod);
  set_controller(out, pod);
}

struct Container {
  const json* spec;
  bool init;
};
std::vector<Container> containers_of(const json& pod) {
  std::vector<Container> out;
  for (const json& each : items(member(pod, "spec", "containers"))) out.push_back({&each, false});
  for (const json& each : items(member(pod, "spec", "initContainers"))) {
    out.push_back({&each, true});
  }
  return out;
}

std::string container_id(const json& pod, const Container& container) {
  const std::string name = text_at(*container.spec, "name");
  const char* list = container.init ? "initContainerStatuses" : "containerStatuses";
  for (const json& status : items(member(pod, "status", list))) {
    if (text_at(status, "name") == name) return text_at(status, "containerID");
  }
  return {};
}

std::string protocol_of(const json& port) {
  const std::string protocol = text_at(port, "protocol");
  return protocol.empty() ? "TCP" : protocol;
}

void set_container(LabelsBuilder& out, const json& pod, const Container& container) {
  set(out, "pod_container_name", text_at(*container.spec, "name"));
  set(out, "pod_container_id", container_id(pod, container));
  set(out, "pod_container_image", text_at(*container.spec, "image"));
  set(out, "pod_container_init", container.init ? "true" : "false");
}

void set_container_port(LabelsBuilder& out, const json& port) {
  set(out, "pod_container_port_name", text_at(port, "name"));
  set(out, "pod_container_port_number", text_at(port, "containerPort"));
  set(out, "pod_container_port_protocol", protocol_of(port));
}

void pod_group(const KubernetesOptions& options, const KubernetesStore& store, const json& pod,
               TargetGroup& group) {
  const std::string ip = text_at(pod, "status", "podIP");
  if (ip.empty()) return;
  LabelsBuilder shared;
  set(shared, "namespace", text_at(pod, "metadata", "namespace"));
  set_pod(shared, pod);
  if (options.attach_node) attach_node(shared, store, text_at(pod, "spec", "nodeName"));
  attach_namespace(shared, options, store, pod);
  group.labels = shared.build();
  for (const Container& container : containers_of(pod)) {
    const json& ports = items(member(*container.spec, "ports"));
    LabelsBuilder target;
    set_container(target, pod, container);
    if (ports.empty()) {
      target.set("__address__", ip);
      group.targets.push_back(target.build());
      continue;
    }
    for (const json& port : ports) {
      LabelsBuilder each(target.build());
      set_container_port(each, port);
      each.set("__address__", host_and_port(ip, text_at(port, "containerPort")));
      group.targets.push_back(each.build());
    }
  }
}

// ---- services

void set_service(LabelsBuilder& out, const KubernetesStore& store, const std::string& key) {
  const json* service = find(store, KubernetesKind::kService, key);
  if (service == nullptr) return;
  set(out, "service_name", text_at(*service, "metadata", "name"));
  set_metadata(out, "service", *service);
}

void service_group(const KubernetesOptions& options, const KubernetesStore& store,
                   const json& service, TargetGroup& group) {
  const std::string name = text_at(service, "metadata", "name");
  const std::string space = text_at(service, "metadata", "namespace");
  LabelsBuilder shared;
  set(shared, "namespace", space);
  set(shared, "service_name", name);
  set_metadata(shared, "service", service);
  attach_namespace(shared, options, store, service);
  group.labels = shared.build();
  const std::string type = text_at(service, "spec", "type");
  for (const json& port : items(member(service, "spec", "ports"))) {
    LabelsBuilder target;
    const std::string number = text_at(port, "port");
    target.set("__address__", host_and_port(fmt::format("{}.{}.svc", name, space), number));
    set(target, "service_port_name", text_at(port, "name"));
    set(target, "service_port_number", number);
    set(target, "service_port_protocol", protocol_of(port));
    set(target, "service_type", type);
    if (type == "ExternalName") {
      set(target, "service_external_name", text_at(service, "spec", "externalName"));
    } else {
      set(target, "service_cluster_ip", text_at(service, "spec", "clusterIP"));
    }
    if (type == "LoadBalancer") {
      set(target, "service_loadbalancer_ip", text_at(service, "spec", "loadBalancerIP"));
    }
    group.targets.push_back(target.build());
  }
}

// ---- endpoints and endpoint slices

// The pod that an endpoint refers to, "" if it is something else.
std::string pod_key(const json& reference, const std::string& own_space) {
  if (text_at(reference, "kind") != "Pod") return {};
  const std::string space = text_at(reference, "namespace");
  return (space.empty() ? own_space : space) + "/" + text_at(reference, "name");
}

// The node that an endpoint is on: the one it names, or the one it is.
std::string node_key(const json& endpoint) {
  std::string node = text_at(endpoint, "nodeName");
  const json& reference = member(endpoint, "targetRef");
  if (node.empty() && text_at(reference, "kind") == "Node") node = text_at(reference, "name");
  return node;
}

std::string slice_service(const json& slice) {
  return text_at(slice, "metadata", "namespace") + "/" +
         text_at(slice, "metadata", "labels", "kubernetes.io/service-name");
}

// Collects the targets of endpoints and, behind them, the other ports of their pods.
class EndpointTargets {
 public:
  EndpointTargets(const KubernetesOptions& options, const KubernetesStore& store,
                  const std::string& space, TargetGroup& group)
      : options_(options), store_(store), space_(space), group_(group) {}

  // `target` has the endpoint's own labels but no address yet.
  void add(LabelsBuilder target, const std::string& ip, const std::string& port,
           const json& endpoint) {
    const json& reference = member(endpoint, "targetRef");
    target.set("__address__", port.empty() ? ip : host_and_port(ip, port));
    if (options_.attach_node) attach_node(target, store_, node_key(endpoint));
    const json* pod = pod_of(reference);
    if (pod == nullptr) {
      group_.targets.push_back(target.build());
      return;
    }
    set_pod(target, *pod);
    for (const Container& container : containers_of(*pod)) {
      for (const json& each : items(member(*container.spec, "ports"))) {
        if (text_at(each, "containerPort") != port) continue;
        set_container(target, *pod, container);
        set_container_port(target, each);
        served_[pod].insert(port);
        group_.targets.push_back(target.build());
        return;
      }
    }
    served_[pod].insert(port);
    group_.targets.push_back(target.build());
  }

  // Ports of the pods that no endpoint names.
  void add_unserved() {
    for (const auto& [pod, ports] : served_) {
      const std::string ip = text_at(*pod, "status", "podIP");
      if (ip.empty()) continue;
      for (const Container& container : containers_of(*pod)) {
        for (const json& port : items(member(*container.spec, "ports"))) {
          const std::string number = text_at(port, "containerPort");
          if (ports.contains(number)) continue;
          LabelsBuilder target;
          target.set("__address__", host_and_port(ip, number));
          set_pod(target, *pod);
          set_container(target, *pod, container);
          set_container_port(target, port);
          group_.targets.push_back(target.build());
        }
      }
    }
  }

 private:
  const json* pod_of(const json& reference) const {
    const std::string key = pod_key(reference, space_);
    return key.empty() ? nullptr : find(store_, KubernetesKind::kPod, key);
  }

  const KubernetesOptions& options_;
  const KubernetesStore& store_;
  const std::string space_;
  TargetGroup& group_;
  std::map<const json*, std::set<std::string>> served_;
};

void set_reference(LabelsBuilder& out, std::string_view what, const json& reference) {
  set(out, fmt::format("{}_address_target_kind", what), text_at(reference, "kind"));
  set(out, fmt::format("{}_address_target_name", what), text_at(reference, "name"));
}

void endpoints_group(const KubernetesOptions& options, const KubernetesStore& store,
                     const json& endpoints, TargetGroup& group) {
  const std::string name = text_at(endpoints, "metadata", "name");
  const std::string space = text_at(endpoints, "metadata", "namespace");
  LabelsBuilder shared;
  set(shared, "namespace", space);
  set(shared, "endpoints_name", name);
  set_metadata(shared, "endpoints", endpoints);
  set_service(shared, store, space + "/" + name);
  attach_namespace(shared, options, store, endpoints);
  group.labels = shared.build();
  EndpointTargets targets(options, store, space, group);
  for (const json& subset : items(member(endpoints, "subsets"))) {
    for (const json& port : items(member(subset, "ports"))) {
      for (const auto& [list, ready] :
           {std::pair{"addresses", "true"}, {"notReadyAddresses", "false"}}) {
        for (const json& address : items(member(subset, list))) {
          LabelsBuilder target;
          set(target, "endpoint_port_name", text_at(port, "name"));
          set(target, "endpoint_port_protocol", protocol_of(port));
          set(target, "endpoint_ready", ready);
          set_reference(target, "endpoint", member(address, "targetRef"));
          set(target, "endpoint_node_name", text_at(address, "nodeName"));
          set(target, "endpoint_hostname", text_at(address, "hostname"));
          targets.add(std::move(target), text_at(address, "ip"), text_at(port, "port"), address);
        }
      }
    }
  }
  targets.add_unserved();
}

void slice_group(const KubernetesOptions& options, const KubernetesStore& store, const json& slice,
                 TargetGroup& group) {
  const std::string space = text_at(slice, "metadata", "namespace");
  LabelsBuilder shared;
  set(shared, "namespace", space);
  set(shared, "endpointslice_name", text_at(slice, "metadata", "name"));
  set(shared, "endpointslice_address_type", text_at(slice, "addressType"));
  set_metadata(shared, "endpointslice", slice);
  set_service(shared, store, slice_service(slice));
  attach_namespace(shared, options, store, slice);
  group.labels = shared.build();
  EndpointTargets targets(options, store, space, group);
  for (const json& port : items(member(slice, "ports"))) {
    for (const json& endpoint : items(member(slice, "endpoints"))) {
      LabelsBuilder target;
      const std::string number = text_at(port, "port");
      set(target, "endpointslice_port_name", text_at(port, "name"));
      set(target, "endpointslice_port_protocol", protocol_of(port));
      set(target, "endpointslice_port", number);
      set(target, "endpointslice_port_app_protocol", text_at(port, "appProtocol"));
      for (const char* condition : {"ready", "serving", "terminating"}) {
        set(target, fmt::format("endpointslice_endpoint_conditions_{}", condition),
            text_at(endpoint, "conditions", condition));
      }
      set_reference(target, "endpointslice", member(endpoint, "targetRef"));
      set(target, "endpointslice_endpoint_hostname", text_at(endpoint, "hostname"));
      set(target, "endpointslice_endpoint_node_name", text_at(endpoint, "nodeName"));
      set(target, "endpointslice_endpoint_zone", text_at(endpoint, "zone"));
      if (const json& topology = member(endpoint, "deprecatedTopology"); topology.is_object()) {
        for (const auto& [key, value] : topology.items()) {
          const std::string label = sanitized(key);
          set(target, "endpointslice_endpoint_topology_" + label, text_of(value));
          set(target, "endpointslice_endpoint_topology_present_" + label, "true");
        }
      }
      for (const json& address : items(member(endpoint, "addresses"))) {
        targets.add(target, text_of(address), number, endpoint);
      }
    }
  }
  targets.add_unserved();
}

// ---- ingresses

// "*.example.org" stands for exactly one more part.
bool host_matches(const std::string& pattern, const std::string& host) {
  if (pattern == host) return true;
  if (!pattern.starts_with("*.")) return false;
  const std::size_t dot = host.find('.');
  return dot != std::string::npos && dot > 0 && host.substr(dot) == pattern.substr(1);
}

void ingress_group(const KubernetesOptions& options, const KubernetesStore& store,
                   const json& ingress, TargetGroup& group) {
  LabelsBuilder shared;
  set(shared, "namespace", text_at(ingress, "metadata", "namespace"));
  set(shared, "ingress_name", text_at(ingress, "metadata", "name"));
  set(shared, "ingress_class_name", text_at(ingress, "spec", "ingressClassName"));
  set_metadata(shared, "ingress", ingress);
  attach_namespace(shared, options, store, ingress);
  group.labels = shared.build();
  for (const json& rule : items(member(ingress, "spec", "rules"))) {
    const std::string host = text_at(rule, "host");
    std::string scheme = "http";
    for (const json& tls : items(member(ingress, "spec", "tls"))) {
      for (const json& name : items(member(tls, "hosts"))) {
        if (host_matches(text_of(name), host)) scheme = "https";
      }
    }
    std::vector<std::string> paths;
    for (const json& path : items(member(rule, "http", "paths"))) {
      const std::string text = text_at(path, "path");
      paths.push_back(text.empty() ? "/" : text);
    }
    if (member(rule, "http").is_null()) paths.emplace_back("/");
    for (const std::string& path : paths) {
      LabelsBuilder target;
      target.set("__address__", host);
      set(target, "ingress_scheme", scheme);
      set(target, "ingress_host", host);
      set(target, "ingress_path", path);
      group.targets.push_back(target.build());
    }
  }
}

// Of one address of endpoints, or one endpoint of a slice.
void add_endpoint(const KubernetesOptions& options, const json& endpoint, const std::string& space,
                  std::set<KubernetesReference>& out) {
  if (std::string pod = pod_key(member(endpoint, "targetRef"), space); !pod.empty()) {
    out.emplace(KubernetesKind::kPod, std::move(pod));
  }
  if (!options.attach_node) return;
  if (std::string node = node_key(endpoint); !node.empty()) {
    out.emplace(KubernetesKind::kNode, std::move(node));
  }
}

}  // namespace

std::set<KubernetesReference> kubernetes_references(const KubernetesOptions& options,
                                                    const json& object) {
  std::set<KubernetesReference> out;
  const std::string space = text_at(object, "metadata", "namespace");
  if (options.attach_namespace && !space.empty()) out.emplace(KubernetesKind::kNamespace, space);
  switch (options.role) {
    case KubernetesRole::kNode:
    case KubernetesRole::kService:
    case KubernetesRole::kIngress:
      break;
    case KubernetesRole::kPod:
      if (options.attach_node) {
        out.emplace(KubernetesKind::kNode, text_at(object, "spec", "nodeName"));
      }
      break;
    case KubernetesRole::kEndpoints:
      out.emplace(KubernetesKind::kService, kubernetes_key(object));
      for (const json& subset : items(member(object, "subsets"))) {
        for (const char* list : {"addresses", "notReadyAddresses"}) {
          for (const json& address : items(member(subset, list))) {
            add_endpoint(options, address, space, out);
          }
        }
      }
      break;
    case KubernetesRole::kEndpointSlice:
      out.emplace(KubernetesKind::kService, slice_service(object));
      for (const json& endpoint : items(member(object, "endpoints"))) {
        add_endpoint(options, endpoint, space, out);
      }
      break;
  }
  return out;
}

void kubernetes_strip(KubernetesKind kind, bool main, json& object) {
  if (const auto metadata = object.find("metadata");
      metadata != object.end() && metadata->is_object()) {
    for (const char* name : {"managedFields", "resourceVersion", "generation"}) {
      metadata->erase(name);
    }
  }
  // Of a service, a node and a namespace others take the metadata alone.
  if (main || kind == KubernetesKind::kPod) return;
  json metadata = member(object, "metadata");
  object = json::object();
  object["metadata"] = std::move(metadata);
}

std::string kubernetes_key(const json& object) {
  const std::string space = text_at(object, "metadata", "namespace");
  const std::string name = text_at(object, "metadata", "name");
  return space.empty() ? name : space + "/" + name;
}

std::string kubernetes_source(KubernetesRole role, std::string_view key) {
  const std::string_view kind = role == KubernetesRole::kService ? "svc" : to_string(role);
  return fmt::format("{}/{}", kind, key);
}

TargetGroup kubernetes_group(const KubernetesOptions& options, const KubernetesStore& store,
                             std::string_view key, const json& object) {
  TargetGroup group{kubernetes_source(options.role, key), {}, {}};
  switch (options.role) {
    case KubernetesRole::kNode:
      node_group(object, group);
      break;
    case KubernetesRole::kPod:
      pod_group(options, store, object, group);
      break;
    case KubernetesRole::kService:
      service_group(options, store, object, group);
      break;
    case KubernetesRole::kEndpoints:
      endpoints_group(options, store, object, group);
      break;
    case KubernetesRole::kEndpointSlice:
      slice_group(options, store, object, group);
      break;
    case KubernetesRole::kIngress:
      ingress_group(options, store, object, group);
      break;
  }
  return group;
}

}  // namespace varve::discovery
