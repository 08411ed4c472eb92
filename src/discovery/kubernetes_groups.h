// SPDX-License-Identifier: Apache-2.0
// Objects of Kubernetes as target groups, with Prometheus's meta labels. Pure: what an object
// refers to is looked up in the store it is given.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "discovery/options.h"
#include "model/target_group.h"

namespace varve::discovery {

// The kinds of objects that are listed and watched.
enum class KubernetesKind : std::uint8_t {
  kNode,
  kPod,
  kService,
  kEndpoints,
  kEndpointSlice,
  kIngress,
  kNamespace,
};

// Objects of one kind by "namespace/name", or "name" for those that have no namespace.
using KubernetesObjects = std::map<std::string, nlohmann::json, std::less<>>;
// A kind that is not watched has no objects.
using KubernetesStore = std::map<KubernetesKind, KubernetesObjects>;

std::string kubernetes_key(const nlohmann::json& object);

// Another object that a group is made of, by its key; it need not be there.
using KubernetesReference = std::pair<KubernetesKind, std::string>;
// What the group of an object looks at beside the object.
std::set<KubernetesReference> kubernetes_references(const KubernetesOptions& options,
                                                    const nlohmann::json& object);
// Leaves of an object only what groups are made of; `main` says that it is one of the role's own
// kind. What else changes in it (heartbeats above all) need not be looked at then.
void kubernetes_strip(KubernetesKind kind, bool main, nlohmann::json& object);

// The source of an object's group: "pod/default/name".
std::string kubernetes_source(KubernetesRole role, std::string_view key);
model::TargetGroup kubernetes_group(const KubernetesOptions& options, const KubernetesStore& store,
                                    std::string_view key, const nlohmann::json& object);

}  // namespace varve::discovery
