// SPDX-License-Identifier: Apache-2.0
// Any JSON is an object of any role, with targets or without; what refers to itself ends.
#include <cstdint>
#include <cstdlib>

#include "discovery/json_document.h"
#include "discovery/kubernetes_groups.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace varve;
  using discovery::KubernetesKind;
  using discovery::KubernetesRole;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto object = discovery::parse_json(text, 200);
  if (!object.ok()) return 0;
  const std::string key = discovery::kubernetes_key(*object);
  discovery::KubernetesStore store;
  for (const KubernetesKind kind : {KubernetesKind::kNode, KubernetesKind::kPod,
                                    KubernetesKind::kService, KubernetesKind::kNamespace}) {
    store[kind].emplace(key, *object);
  }
  discovery::KubernetesOptions options;
  options.attach_node = options.attach_namespace = true;
  for (const KubernetesRole role :
       {KubernetesRole::kNode, KubernetesRole::kPod, KubernetesRole::kService,
        KubernetesRole::kEndpoints, KubernetesRole::kEndpointSlice, KubernetesRole::kIngress}) {
    options.role = role;
    const auto group = discovery::kubernetes_group(options, store, key, *object);
    for (const Labels& target : group.targets) {
      if (!Labels::valid_bytes(target.bytes())) std::abort();
    }
  }
  return 0;
}
