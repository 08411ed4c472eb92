// SPDX-License-Identifier: Apache-2.0
// Objects of Kubernetes as target groups, with Prometheus's meta labels. Pure: what an object refers
// to is looked up in the store it is given.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

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

// The source of an object's group: "pod/default/name".
std::string kubernetes_source(KubernetesRole role, std::string_view key);
model::TargetGroup kubernetes_group(const KubernetesOptions& options, const KubernetesStore& store,
                                    std::string_view key, const nlohmann::json& object);

}  // namespace varve::discovery
